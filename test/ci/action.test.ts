/** action.yml as GitHub runs it: its own steps, in bash, with the inputs and files that a job has. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { BAD, Folder, GOOD, WARNED } from "../cli/run.ts";
import { ensureBuilt } from "../harness/build.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const action = parse(readFileSync(join(root, "action.yml"), "utf8"));

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly if?: string;
  readonly run?: string;
  readonly shell?: string;
  readonly "working-directory"?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string>>;
}

/** `${{ … }}` of the few kinds that the action uses; another one fails the test. */
function expanded(text: string, inputs: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*([^}]+?)\s*\}\}/g, (_, expression: string) => {
    const input = /^inputs\.([\w-]+)$/.exec(expression)?.[1];
    if (input !== undefined) {
      ok(input in inputs, `the input ${input} is not declared`);
      return inputs[input]!;
    }
    equal(expression, "github.action_path");
    return root;
  });
}

interface JobRun {
  /** The exit code of the step that failed, or 0. */
  readonly code: number;
  readonly out: string;
  readonly summary: string;
  /** What the upload step gets. */
  readonly upload: Readonly<Record<string, string>>;
}

/** Runs the steps in a checked-out repository. */
async function run(folder: Folder, given: Readonly<Record<string, string>> = {}): Promise<JobRun> {
  await ensureBuilt();
  const inputs: Record<string, string> = {};
  for (const [name, { default: byDefault }] of Object.entries<{ default: string }>(action.inputs)) {
    inputs[name] = given[name] ?? byDefault;
  }
  folder.write("summary.md", "");
  let code = 0;
  let out = "";
  let upload = {};
  for (const step of action.runs.steps as Step[]) {
    if (step.uses?.startsWith("github/codeql-action/upload-sarif@")) {
      match(step.if!, /^always\(\) && /);
      upload = Object.fromEntries(Object.entries(step.with!).map(([name, text]) => [name, expanded(text, inputs)]));
      continue;
    }
    if (step.uses) {
      match(step.uses, /^actions\/setup-node@v\d+$/);
      continue;
    }
    if (code !== 0) continue;
    equal(step.shell, "bash");
    const cwd = join(folder.path, expanded(step["working-directory"] ?? ".", inputs).replace(root, ""));
    const isOurs = step["working-directory"]?.includes("github.action_path");
    const env = Object.fromEntries(
      Object.entries(step.env ?? {}).map(([name, text]) => [name, expanded(text, inputs)]),
    );
    folder.write("step.sh", step.run!);
    // The very call of GitHub's runner.
    const result = spawnSync("bash", ["--noprofile", "--norc", "-e", "-o", "pipefail", join(folder.path, "step.sh")], {
      cwd: isOurs ? root : cwd,
      env: { ...process.env, GITHUB_STEP_SUMMARY: join(folder.path, "summary.md"), ...env },
      encoding: "utf8",
    });
    out += result.stdout;
    code = result.status ?? -1;
    if (code !== 0 && code !== 1) out += result.stderr;
  }
  return { code, out, summary: readFileSync(join(folder.path, "summary.md"), "utf8"), upload };
}

describe("action.yml", function () {
  this.timeout(60_000);
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder({ "models/bad.cnn.yaml": BAD, "models/warned.cnn.yaml": WARNED, "good.cnn.yaml": GOOD });
  });
  afterEach(() => folder.remove());

  it("annotates, sums up, writes the report that is uploaded, and fails for errors", async () => {
    const { code, out, summary, upload } = await run(folder);
    equal(code, 1);
    match(out, /^::error file=models\/bad\.cnn\.yaml,line=4,.*title=convlint \(groups-divide\)::/m);
    match(out, /^::warning file=models\/warned\.cnn\.yaml/m);
    match(summary, /^## ConvLint\n[\s\S]*### models\/bad\.cnn\.yaml/);
    deepEqual(upload, { sarif_file: "./convlint.sarif", category: "convlint" });
    const report = JSON.parse(readFileSync(join(folder.path, upload.sarif_file!), "utf8"));
    deepEqual(
      report.runs[0].results.map(({ ruleId }: { ruleId: string }) => ruleId),
      ["groups-divide", "non-integer-size"],
    );
  });

  it("hears its inputs, each line one word whatever stands in it", async () => {
    folder.write("sp ace $(touch owned)/w.cnn.yaml", WARNED);
    const { code, out, upload } = await run(folder, {
      paths: "good.cnn.yaml\nsp ace $(touch owned)/\n",
      args: "--error-on-warnings\n--input\n1x28x28\n",
      "sarif-file": "reports/convlint.sarif",
    });
    equal(code, 1);
    match(out, /file=sp ace \$\(touch owned\)\/w\.cnn\.yaml/);
    ok(!out.includes("bad.cnn.yaml"));
    ok(existsSync(join(folder.path, upload.sarif_file!)));
    ok(!existsSync(join(folder.path, "owned")));
  });

  it("works in a folder of the repository, and is content with warnings", async () => {
    folder.write("sub/w.cnn.yaml", WARNED);
    const { code, upload } = await run(folder, { "working-directory": "sub" });
    equal(code, 0);
    equal(upload.sarif_file, "sub/convlint.sarif");
    ok(existsSync(join(folder.path, "sub/convlint.sarif")));
  });

  it("says what is wrong with its own inputs, and does not pass", async () => {
    const { code, out } = await run(folder, { args: "--no-such-option" });
    equal(code, 2);
    match(out, /unknown option --no-such-option/);
  });
});
