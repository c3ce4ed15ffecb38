/**
 * `npm run build`: bundles the extension, its language server and the command line into dist/, one line each.
 * `--dev` leaves names and adds source maps; `--watch` builds again at every change. Node itself needs no build step:
 * this exists for start-up time, for the web, and so that a .vsix carries no node_modules.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const LICENSES = "THIRD-PARTY-LICENSES.txt";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The packages that are CommonJS inside an ES module call `require` for Node's own modules. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** The protocol's features that the server does not offer; the connection can be made without them. */
const FEATURES =
  "notebook|semanticTokens|callHierarchy|typeHierarchy|fileOperations|linkedEditingRange|inlineValue|inlineCompletion|moniker|foldingRange|textDocumentContent|showDocument";

/** Parts of packages that never run in the server: by the file's path, and what stays of its text. */
const UNUSED = [
  {
    filter: new RegExp(
      [
        String.raw`[\\/]vscode-languageserver[\\/]lib[\\/](common[\\/](${FEATURES})|node[\\/]files)\.js$`,
        String.raw`[\\/]vscode-languageserver-protocol[\\/]lib[\\/]common[\\/]protocol\.(${FEATURES})\.js$`,
      ].join("|"),
    ),
    // A feature of the connection is a function from one class to an extended one.
    without(text) {
      const feature = /^exports\.(\w+Feature) =/m.exec(text)?.[1];
      return feature ? `exports.${feature} = (Base) => Base;` : "";
    },
  },
  {
    // Of the protocol's types the enumerations stay. Guards and makers are for those who do not have TypeScript.
    filter: /[\\/]vscode-languageserver-types[\\/]lib[\\/]esm[\\/]main\.js$/,
    without: (text) =>
      text.replace(/^\(function \((\w+)\) \{$[\s\S]*?^\}\)/gm, (namespace, name) =>
        /^(DocumentUri|URI|WorkspaceFolder|u?integer)$/.test(name)
          ? namespace
          : namespace.replace(/^ {4}function (\w+)\([\s\S]*?^ {4}\}\r?\n {4}\w+\.\1 = \1;$/gm, ""),
      ),
  },
  {
    // YAML is read as events: no schema makes values of them, and none is ever written.
    filter: /[\\/]js-yaml\.mjs$/,
    without: (text) =>
      text
        .replace(
          /^\/\/#region src\/(tag|schema|load|ast|dump|common\/tagname|parser\/constructor)\b[\s\S]*?^\/\/#endregion$/gm,
          "",
        )
        .replace(/^export \{[\s\S]*$/m, "export { EVENT_ID, getScalarValue, parseEvents, SCALAR_STYLE };"),
  },
];

/** What of an operator only the engine reads; the server infers and never runs. A formatted property ends by its indent. */
const ENGINE = {
  filter: /[\\/]shared[\\/]src[\\/]ops[\\/]\w+\.ts$/,
  loader: "ts",
  without: (text) =>
    text.replace(/^( +)(?:run[(:]|(?:folds|channelAffine|pointwise|example):).*\r?\n(?:\1[ )}\]].*\r?\n|\r?\n)*/gm, ""),
};

/** A plugin that takes parts out of files before they are bundled. */
function leaveOut(parts) {
  return {
    name: "leave-out",
    setup({ onLoad }) {
      for (const { filter, loader, without } of parts)
        onLoad({ filter }, ({ path }) => ({ contents: without(readFileSync(path, "utf8")), loader }));
    },
  };
}

const node = { platform: "node", target: "node20.19", mainFields: ["module", "main"] };
const nodeModule = { ...node, format: "esm", banner: { js: REQUIRE }, plugins: [leaveOut(UNUSED)] };
const withoutEngine = { plugins: [leaveOut([...UNUSED, ENGINE])] };
const browser = { platform: "browser", target: "es2023", mainFields: ["browser", "module", "main"] };
const SERVER = 'import { startServer } from "./server/src/main.ts"; startServer();';

/** esbuild's options by output file. The .cjs are what VS Code requires, whatever package.json's type. */
const bundles = {
  "server.js": {
    ...nodeModule,
    ...withoutEngine,
    stdin: { contents: SERVER, resolveDir: root, sourcefile: "server.ts" },
  },
  "server.browser.js": {
    ...browser,
    ...withoutEngine,
    format: "iife",
    entryPoints: ["server/src/main.browser.ts"],
  },
  "cli.js": {
    ...nodeModule,
    entryPoints: ["server/src/cli.ts"],
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
  },
  // Its worker threads: what they run, without what they do not.
  "lint-worker.js": { ...nodeModule, ...withoutEngine, entryPoints: ["server/src/lint/worker.ts"] },
  // What the preview's panels start.
  "preview-worker.js": { ...nodeModule, entryPoints: ["server/src/preview/worker.ts"] },
  "preview-worker.browser.js": {
    ...browser,
    format: "iife",
    plugins: [leaveOut(UNUSED)],
    entryPoints: ["server/src/preview/worker.browser.ts"],
  },
  "client.cjs": { ...node, format: "cjs", external: ["vscode"], entryPoints: ["client/src/extension.ts"] },
  "client.browser.cjs": {
    ...browser,
    format: "cjs",
    external: ["vscode"],
    entryPoints: ["client/src/extension.browser.ts"],
  },
  "preview.js": { ...browser, format: "iife", entryPoints: ["client/preview/main.ts"] },
  "preview.css": { ...browser, entryPoints: ["client/preview/preview.css"] },
};

/**
 * Builds everything into dist/ and removes what else is there.
 *
 * @param {{ dev?: boolean, watch?: boolean, log?: (line: string) => void }} options with `watch` it resolves after the
 * first build and goes on until the process ends.
 * @throws when a bundle fails, or a bundled package has no licence text.
 */
export async function build({ dev = false, watch = false, log = console.log } = {}) {
  const dist = join(root, "dist");
  const inputs = new Set();
  const contexts = await Promise.all(
    Object.entries(bundles).map(([name, options]) =>
      esbuild.context({
        absWorkingDir: root,
        bundle: true,
        outfile: join("dist", name),
        metafile: true,
        legalComments: "none", // THIRD-PARTY-LICENSES.txt has them whole
        logLevel: "warning",
        charset: "utf8", // escaped, the signs of formulas take twice the room
        minify: !dev,
        sourcemap: dev ? "linked" : false,
        ...options,
        plugins: [...(options.plugins ?? []), inlineWorkers(inputs, !dev), sizeReport(name, inputs, log)],
      }),
    ),
  );
  if (watch) {
    await Promise.all(contexts.map((context) => context.watch()));
    return;
  }
  try {
    await Promise.all(contexts.map((context) => context.rebuild()));
  } finally {
    await Promise.all(contexts.map((context) => context.dispose()));
  }
  writeFileSync(join(dist, LICENSES), licenses(inputs));
  // Not before the build: what runs from dist/ meanwhile keeps its files.
  const made = new Set([LICENSES, ...Object.keys(bundles).flatMap((name) => [name, ...(dev ? [`${name}.map`] : [])])]);
  for (const file of readdirSync(dist)) if (!made.has(file)) rmSync(join(dist, file), { recursive: true });
}

/** `import script from "./x.ts?worker"` is a whole bundle as text: webviews start workers from blobs only. */
function inlineWorkers(inputs, minify) {
  return {
    name: "inline-workers",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\?worker$/ }, ({ path, resolveDir }) => ({
        path: join(resolveDir, path.replace(/\?worker$/, "")),
        namespace: "worker",
      }));
      onLoad({ filter: /.*/, namespace: "worker" }, async ({ path }) => {
        const options = { ...browser, entryPoints: [path], bundle: true, format: "iife", write: false, metafile: true };
        const { outputFiles, metafile } = await esbuild.build({
          ...options,
          absWorkingDir: root,
          charset: "utf8",
          minify,
        });
        const files = Object.keys(metafile.inputs);
        for (const file of files) inputs.add(file);
        return { contents: outputFiles[0].text, loader: "text", watchFiles: files.map((file) => join(root, file)) };
      });
    },
  };
}

/** Says each bundle's size, and collects what went into all of them. */
function sizeReport(name, inputs, log) {
  return {
    name: "size-report",
    setup({ onEnd }) {
      onEnd(({ metafile }) => {
        if (!metafile) return;
        for (const input of Object.keys(metafile.inputs)) inputs.add(input);
        const { bytes } = Object.entries(metafile.outputs).find(([file]) => file.endsWith(name))[1];
        log(`dist/${name}: ${(bytes / 1000).toFixed(0)} kB`);
      });
    },
  };
}

/** The licence texts of every package that is in a bundle. */
function licenses(inputs) {
  const folders = new Set();
  for (const input of inputs) {
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) folders.add(found[1]);
  }
  const texts = new Map();
  for (const folder of [...folders].sort()) {
    const path = join(root, folder);
    const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const files = readdirSync(path).filter((file) => /^(licen[cs]e|copying|notice|thirdpartynotices)/i.test(file));
    if (files.length === 0) throw new Error(`${folder} is bundled but has no licence file`);
    const text = files.map((file) => readFileSync(join(path, file), "utf8").trim()).join("\n\n");
    texts.set(`${name} ${version}`, `${name} ${version} (${license})\n\n${text}\n`);
  }
  return [...texts.values()].join(`\n${"-".repeat(80)}\n\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flags = process.argv.slice(2);
  const unknown = flags.filter((flag) => !["--dev", "--watch"].includes(flag));
  if (unknown.length > 0 || !existsSync(join(root, "node_modules"))) {
    console.error(unknown.length > 0 ? `build: unknown option ${unknown.join(" ")}` : "build: run npm ci first");
    process.exit(2);
  }
  await build({ dev: flags.includes("--dev"), watch: flags.includes("--watch") });
}
