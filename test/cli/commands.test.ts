/** The other commands of the command line. On the built file. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { rules } from "#server/rules/index.ts";
import { examplesOf, pages } from "#server/rules/pages.ts";
import { Folder } from "./run.ts";

describe("convlint", () => {
  let folder: Folder;
  before(() => {
    folder = new Folder();
  });
  after(() => folder.remove());

  it("without a command says how it is used, and that this is misuse", async () => {
    const { code, out, err } = await folder.convlint([]);
    deepEqual([code, out], [2, ""]);
    match(err, /Usage: convlint <command>/);
  });

  for (const args of [["--help"], ["-h"], ["help"]]) {
    it(`${args.join(" ")} teaches by example`, async () => {
      const { code, out, err } = await folder.convlint(args);
      deepEqual([code, err], [0, ""]);
      match(out, /convlint check --table net\.cnn\.yaml/);
    });
  }

  for (const command of ["check", "diff", "snapshot", "rule", "server"]) {
    it(`${command} --help`, async () => {
      const { code, out } = await folder.convlint([command, "--help"]);
      equal(code, 0);
      ok(out.startsWith(`Usage: convlint ${command}`));
    });
  }

  it("--version is that of package.json", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    deepEqual(await folder.convlint(["--version"]), { code: 0, out: `${version}\n`, err: "" });
  });

  it("rule lists every code", async () => {
    const { code, out } = await folder.convlint(["rule"]);
    equal(code, 0);
    deepEqual(
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]),
      Object.keys(rules),
    );
  });

  it("rule <code> explains it with both examples", async () => {
    const { code, out } = await folder.convlint(["rule", "groups-divide"]);
    equal(code, 0);
    ok(out.startsWith("# groups-divide (error)\n"));
    for (const { bad, good } of examplesOf(pages["groups-divide"]))
      for (const line of [...bad.split("\n"), ...good.split("\n")]) ok(out.includes(line.trim()), line);
  });

  it("rule --all prints every page; as JSON, everything for programs", async () => {
    const { code, out } = await folder.convlint(["rule", "--all"]);
    equal(code, 0);
    for (const name of Object.keys(rules)) ok(out.includes(`# ${name} (`), name);
    const json = await folder.convlint(["rule", "--all", "--format", "json"]);
    const { version, rules: entries } = JSON.parse(json.out);
    deepEqual([json.code, version], [0, 1]);
    deepEqual(
      entries.map(({ code }: { code: string }) => code),
      Object.keys(rules),
    );
    for (const { summary, docs, url, examples } of entries) ok(summary && docs && url && examples.length > 0);
    const budget = entries.find(({ code }: { code: string }) => code === "parameter-budget");
    deepEqual([budget.optional, budget.severity, budget.options[0].name], [true, "warning", "model"]);
    const one = JSON.parse((await folder.convlint(["rule", "cycle", "--format", "json"])).out);
    deepEqual(one.rules, [entries.find(({ code }: { code: string }) => code === "cycle")]);
  });

  it("rule refuses what makes no sense", async () => {
    for (const [args, said] of [
      [["cycel"], /unknown rule cycel\. Did you mean cycle\?/],
      [["--all", "cycle"], /--all takes no code/],
      [["cycle", "syntax"], /one code at a time/],
      [["--format", "xml"], /--format must be text or json, not xml/],
    ] as const) {
      const { code, err } = await folder.convlint(["rule", ...args]);
      equal(code, 2);
      match(err, said);
    }
  });

  it("server --stdio speaks LSP", async () => {
    const messages = [
      { jsonrpc: "2.0", id: 1, method: "initialize", params: { processId: null, rootUri: null, capabilities: {} } },
      { jsonrpc: "2.0", method: "initialized", params: {} },
      { jsonrpc: "2.0", id: 2, method: "shutdown" },
      { jsonrpc: "2.0", method: "exit" },
    ];
    const stdin = messages
      .map((message) => JSON.stringify(message))
      .map((body) => `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    const { code, out } = await folder.convlint(["server", "--stdio"], { stdin: stdin.join(""), open: true });
    equal(code, 0);
    match(out, /^Content-Length: \d+\r\n\r\n\{"jsonrpc":"2.0","id":1,"result":\{.*"inlayHintProvider"/);
  });
});
