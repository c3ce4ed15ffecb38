/** The hook of .pre-commit-hooks.yaml under pre-commit itself, which installs it from a repository of ours as it does for anybody. */
import { equal, match, ok } from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BAD, Folder, GOOD } from "../cli/run.ts";
import { needs } from "./tools.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Of this user only: whoever runs the test may have hooks and templates of their own. */
const GIT = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"];

function git(folder: string, ...args: readonly string[]): string {
  return execFileSync("git", [...GIT, ...args], { cwd: folder, encoding: "utf8" }).trim();
}

describe("pre-commit", function () {
  this.timeout(900_000); // It installs what the build needs.
  let hooks: Folder;
  let user: Folder;

  before(function () {
    if (process.env.CI !== "true" && !process.env.PRE_COMMIT) {
      console.log("        pre-commit installs for a minute or more: shown with CI=true or PRE_COMMIT=1 only");
      this.skip();
    }
    needs(this, "pre-commit", "pre-commit");
    hooks = new Folder();
    const files = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0");
    for (const file of files.filter((name) => name !== "" && !name.startsWith("docs/images/"))) {
      mkdirSync(dirname(join(hooks.path, file)), { recursive: true });
      copyFileSync(join(root, file), join(hooks.path, file));
    }
    git(hooks.path, "init", "-q");
    git(hooks.path, "add", "-A");
    git(hooks.path, "commit", "-q", "-m", "the hook");
    const rev = git(hooks.path, "rev-parse", "HEAD");
    user = new Folder({
      ".pre-commit-config.yaml": `repos:\n  - repo: ${hooks.path}\n    rev: ${rev}\n    hooks:\n      - id: convlint\n`,
      ".gitignore": "home/\n",
      "compose.yaml": "services: {}\n",
      "net.cnn.yaml": BAD,
    });
    git(user.path, "init", "-q");
  });
  after(() => {
    hooks?.remove();
    user?.remove();
  });

  /** What `git commit` would run. */
  const hook = () => {
    git(user.path, "add", "-A");
    const env = { ...process.env, PRE_COMMIT_HOME: join(user.path, "home"), PRE_COMMIT_COLOR: "never" };
    const { status, stdout, stderr } = spawnSync("pre-commit", ["run"], { cwd: user.path, env, encoding: "utf8" });
    return { status, text: stdout + stderr };
  };

  it("installs the hook, and stops a commit with an error", () => {
    const { status, text } = hook();
    match(text, /error\[groups-divide\]/);
    ok(!text.includes("compose.yaml"), text);
    equal(status, 1);
  });

  it("lets it pass once it is mended", () => {
    user.write("net.cnn.yaml", GOOD);
    const { status, text } = hook();
    match(text, /^convlint\.+Passed$/m);
    equal(status, 0);
  });

  it("leaves out what the project ignores, though pre-commit names every file", () => {
    user.write("old/net.cnn.yaml", BAD);
    equal(hook().status, 1);
    user.write("convlint.config.yaml", "ignore: old/\n");
    const { status, text } = hook();
    equal(status, 0, text);
  });
});
