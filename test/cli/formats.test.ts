/** What other tools read: each format against its own schema or grammar. On the built file. */
import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv4 from "ajv-draft-04";
import addFormats from "ajv-formats";
import { formats } from "#server/lint/formats/index.ts";
import { xml } from "#server/lint/formats/xml.ts";
import { BAD, Folder, GOOD, WARNED } from "./run.ts";
import { type Element, readXml } from "./xml.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
/** Names and texts that formats must escape. */
const NASTY = `cnn: 1
input: [3, 8, 8]
layers:
  - {type: 'Co<n>v&"2d,%:|', name: "𝕏 ]]> \\u0001"}
`;

describe("convlint check --format", () => {
  let folder: Folder;
  before(() => {
    folder = new Folder({
      "a.cnn.yaml": GOOD,
      "sp ace/b&'\"<%.cnn.yaml": NASTY,
      "w.cnn.yaml": WARNED,
      "wide.cnn.yaml": BAD.replace("{type", "{name: 𝕏é, type"),
      "crlf.cnn.yaml": BAD.replaceAll("\n", "\r\n"),
    });
  });
  after(() => folder.remove());

  const written = async (format: string, ...args: string[]) =>
    (await folder.convlint(["check", "--format", format, ...args, "."])).out;

  describe("sarif", () => {
    // The packages' types do not name their default exports; a pattern of the schema is none with the flag u.
    const ajv = new (Ajv4 as any)({ strict: false, allErrors: true, unicodeRegExp: false });
    (addFormats as any)(ajv);
    const validate = ajv.compile(
      JSON.parse(readFileSync(new URL("data/sarif-2.1.0.generated.json", import.meta.url), "utf8")),
    );

    it("is valid against the 2.1.0 schema, for nasty names and every example", async () => {
      for (const paths of [["."], [examples]]) {
        const log = JSON.parse((await folder.convlint(["check", "--format", "sarif", ...paths])).out);
        ok(validate(log), JSON.stringify(validate.errors));
        ok(log.runs[0].results.length > 2);
      }
    });

    it("the schema refuses what is something else", async () => {
      const log = JSON.parse(await written("sarif"));
      log.runs[0].results[0].level = "fatal";
      equal(validate(log), false);
    });

    it("each result names its rule, its place and who it is", async () => {
      const [run] = JSON.parse(await written("sarif")).runs;
      for (const { ruleId, ruleIndex } of run.results) equal(run.tool.driver.rules[ruleIndex].id, ruleId);
      const uris = run.results.map((result: any) => result.locations[0].physicalLocation.artifactLocation.uri);
      ok(uris.includes("sp%20ace/b%26'%22%3C%25.cnn.yaml"), uris.join());
      const prints = run.results.map((result: any) => result.partialFingerprints["convlint/v1"]);
      equal(new Set(prints).size, prints.length);
    });

    it("a fingerprint outlives lines that move, and nothing else", async () => {
      const print = async (text: string) => {
        const other = new Folder({ "moved.cnn.yaml": text });
        const { out } = await other.convlint(["check", "--format", "sarif", "."]);
        other.remove();
        return JSON.parse(out).runs[0].results[0].partialFingerprints["convlint/v1"];
      };
      const first = await print(BAD);
      equal(await print(`# a comment\n\n${BAD}`), first);
      equal(await print(BAD.replaceAll("\n", "\r\n")), first);
      ok((await print(BAD.replace("groups: 2", "groups: 4"))) !== first);
    });
  });

  describe("junit", () => {
    const allowed: Readonly<Record<string, { attributes: string[]; children: string[] }>> = {
      testsuites: { attributes: ["name"], children: ["testsuite"] },
      testsuite: { attributes: ["name", "tests", "failures", "errors", "skipped", "time"], children: ["testcase"] },
      testcase: { attributes: ["name", "classname", "time"], children: ["failure", "system-out"] },
      failure: { attributes: ["type", "message"], children: [] },
      "system-out": { attributes: [], children: [] },
    };
    const check = (element: Element) => {
      const { attributes, children } = allowed[element.name]!;
      deepEqual(Object.keys(element.attributes), attributes, element.name);
      for (const child of element.children) {
        ok(children.includes(child.name), `${child.name} in ${element.name}`);
        check(child);
      }
    };
    const failuresOf = (suites: Element) =>
      suites.children.map((suite) => [
        suite.attributes.name,
        suite.children.filter((test) => test.children[0]?.name === "failure").length,
      ]);

    it("holds only what JUnit has, with counts that are right", async () => {
      const suites = readXml(await written("junit"));
      check(suites);
      for (const suite of suites.children) {
        equal(Number(suite.attributes.tests), suite.children.length);
        equal(
          Number(suite.attributes.failures),
          suite.children.filter((test) => test.children[0]?.name === "failure").length,
        );
      }
    });

    it("errors fail, warnings pass unless they are to fail", async () => {
      const failures = async (...args: string[]) =>
        failuresOf(readXml(await written("junit", ...args))).filter(([, count]) => count !== 0);
      deepEqual(await failures(), [
        ["crlf.cnn.yaml", 1],
        ["sp ace/b&'\"<%.cnn.yaml", 1],
        ["wide.cnn.yaml", 1],
      ]);
      ok((await failures("--error-on-warnings")).some(([name]) => name === "w.cnn.yaml"));
    });
  });

  it("checkstyle is well-formed, a file each", async () => {
    const root = readXml(await written("checkstyle"));
    equal(root.name, "checkstyle");
    deepEqual(
      root.children.map(({ name, attributes, children }) => [name, attributes.name, children.length]),
      [
        ["file", "a.cnn.yaml", 0],
        ["file", "crlf.cnn.yaml", 1],
        ["file", "sp ace/b&'\"<%.cnn.yaml", 1],
        ["file", "w.cnn.yaml", 1],
        ["file", "wide.cnn.yaml", 1],
      ],
    );
    deepEqual(
      root.children.flatMap(({ children }) => children.map(({ attributes }) => attributes.severity)),
      ["error", "error", "warning", "error"],
    );
  });

  it("xml escapes what XML cannot hold", () => {
    const text = "a<b>&\"'\t\n\r\u0000\u000b\ud800\uffff𝕏";
    equal(readXml(`<a b="${xml(text)}"/>`).attributes.b, "a<b>&\"'\t\n\r\ufffd\ufffd\ufffd\ufffd𝕏");
    throws(() => readXml('<a b="\u0001"/>'));
  });

  it("gitlab has one entry per problem, each with a fingerprint of its own", async () => {
    const issues = JSON.parse(await written("gitlab"));
    deepEqual(
      issues.map(({ check_name, severity, location }: any) => [check_name, severity, location.path]),
      [
        ["groups-divide", "major", "crlf.cnn.yaml"],
        ["unknown-layer", "major", "sp ace/b&'\"<%.cnn.yaml"],
        ["non-integer-size", "minor", "w.cnn.yaml"],
        ["groups-divide", "major", "wide.cnn.yaml"],
      ],
    );
    for (const { fingerprint } of issues) match(fingerprint, /^[0-9a-f]{32}$/);
    equal(new Set(issues.map(({ fingerprint }: any) => fingerprint)).size, issues.length);
  });

  it("github escapes names and messages", async () => {
    const lines = (await written("github")).trimEnd().split("\n");
    match(lines[1]!, /^::error file=sp ace\/b&'"<%25\.cnn\.yaml,line=4,endLine=4,col=\d+,endColumn=\d+,title=/);
    ok(lines[1]!.includes('Co<n>v&"2d,%25:|'), lines[1]);
  });

  it("rdjson counts bytes", async () => {
    const { diagnostics } = JSON.parse(await written("rdjson"));
    const column = (path: string) =>
      diagnostics.find(({ location }: any) => location.path === path).location.range.start.column;
    // 𝕏 is two code units and four bytes, é one and two.
    equal(column("wide.cnn.yaml"), column("crlf.cnn.yaml") + "name: , ".length + 4 + 2);
  });

  it("json-lines has the entries of json, a line each", async () => {
    const lines = (await written("json-lines")).trimEnd().split("\n");
    deepEqual(
      lines.map((line) => JSON.parse(line)),
      JSON.parse(await written("json")).files,
    );
  });

  it("--no-layers leaves layers out and nothing else", async () => {
    const whole = JSON.parse(await written("json")).files;
    const lean = JSON.parse(await written("json", "--no-layers")).files;
    deepEqual(
      lean,
      whole.map((file: object) => ({ ...file, layers: [] })),
    );
  });

  it("several at once: files beside standard output, as if each were alone", async () => {
    const args = formats
      .filter(({ name }) => name !== "full")
      .flatMap(({ name }) => ["--format", `${name}=out/${name}`]);
    const { out } = await folder.convlint(["check", "--format", "full", ...args, "."]);
    equal(out, await written("full"));
    for (const { name } of formats) {
      if (name !== "full") equal(readFileSync(join(folder.path, "out", name), "utf8"), await written(name), name);
    }
  });

  it("--output-file takes the place of standard output, without colours", async () => {
    const args = ["check", "--output-file", "deep/er/o.txt", "."];
    const { out, code } = await folder.convlint(args, { env: { FORCE_COLOR: "1" } });
    deepEqual([out, code], ["", 1]);
    equal(readFileSync(join(folder.path, "deep/er/o.txt"), "utf8"), await written("full"));
  });

  it("a file that cannot be written is misuse", async () => {
    folder.write("plain", "");
    const { code, err } = await folder.convlint(["check", "--output-file", "plain/o.txt", "."]);
    equal(code, 2);
    match(err, /^convlint: plain\/o\.txt cannot be written/);
    ok(!existsSync(join(folder.path, "plain/o.txt")));
  });

  it("every format is written whole where there is nothing", async () => {
    const empty = new Folder();
    for (const { name } of formats) {
      const { out, code } = await empty.convlint(["check", "--format", name, "."]);
      equal(code, 0, name);
      if (["json", "gitlab", "sarif", "rdjson"].includes(name)) JSON.parse(out);
      else if (["junit", "checkstyle"].includes(name)) readXml(out);
      else ok(out === "" || name === "markdown", name);
    }
    empty.remove();
  });

  describe("exit code", () => {
    const table: readonly (readonly [files: string, options: string, code: number])[] = [
      ["good", "", 0],
      ["warned", "", 0],
      ["bad", "", 1],
      ["warned", "--error-on-warnings", 1],
      ["good", "--error-on-warnings", 0],
      ["warned", "--max-warnings 0", 1],
      ["warned", "--max-warnings 1", 0],
      ["bad", "--max-warnings 9", 1],
      ["bad", "--exit-zero", 0],
      ["bad warned", "--exit-zero --error-on-warnings", 0],
      ["gone", "--exit-zero", 2],
      ["bad gone", "", 2],
    ];
    const texts: Readonly<Record<string, string>> = { good: GOOD, warned: WARNED, bad: BAD };
    for (const [files, options, code] of table) {
      it(`${code} for ${files} ${options}`, async () => {
        const names = files.split(" ");
        const made = new Folder(
          Object.fromEntries(names.flatMap((name) => (texts[name] ? [[`${name}.cnn.yaml`, texts[name]]] : []))),
        );
        const paths = names.map((name) => `${name}.cnn.yaml`);
        equal((await made.convlint(["check", ...options.split(" ").filter(Boolean), ...paths])).code, code);
        made.remove();
      });
    }
  });
});
