/**
 * npm's `dependencies` script: builds dist/ once `npm install` has brought the packages, for pre-commit installs a hook by
 * `npm install` and then `npm pack`. Not `prepare` or `prepack`: npm prints about those in between the name of the package,
 * which pre-commit reads; not `postinstall`, which would run where the finished package is installed. `npm ci`, which
 * setup.mjs calls, needs no dist/.
 */
if (process.env.npm_command === "install") {
  const { build } = await import("./build.mjs");
  await build();
}
