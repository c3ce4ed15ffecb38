/**
 * The law of the house, enforced: who may import whom, that ARCHITECTURE.md names only what exists, and that nothing of
 * one machine gets into the repository.
 */
import { deepEqual, ok } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { globSync } from "tinyglobby";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * What the files of a place may import: places, and packages by name. `types` may be imported as types only, which costs
 * nothing at run time. A file is in the longest place that its path starts with.
 */
const LAW: Readonly<Record<string, { readonly imports: readonly string[]; readonly types?: readonly string[] }>> = {
  "shared/src/shape/": { imports: [] },
  "shared/src/kernels/": { imports: ["shared/src/shape/"] },
  "shared/src/ops/": { imports: ["shared/src/shape/"], types: ["shared/src/kernels/"] },
  "shared/src/graph/": { imports: ["shared/src/ops/", "shared/src/kernels/", "shared/src/shape/"] },
  "shared/src/weights/": {
    imports: ["shared/src/graph/", "shared/src/ops/", "shared/src/kernels/", "shared/src/shape/", "fflate"],
  },
  "shared/src/": { imports: ["shared/src/"] },
  "server/src/syntax/": { imports: ["shared/src/", "js-yaml", "jsonc-parser", "smol-toml"] },
  "server/src/dialects/": { imports: ["shared/src/", "server/src/syntax/"] },
  "server/src/rules/": { imports: ["shared/src/"], types: ["server/src/dialects/", "server/src/syntax/"] },
  "server/src/suppressions.ts": { imports: ["shared/src/", "server/src/rules/"], types: ["server/src/syntax/"] },
  "server/src/analysis.ts": {
    imports: [
      "shared/src/",
      "server/src/syntax/",
      "server/src/dialects/",
      "server/src/rules/",
      "server/src/suppressions.ts",
    ],
  },
  "server/src/config/": { imports: ["shared/src/", "server/src/syntax/", "server/src/rules/"] },
  "server/src/fixes/": {
    imports: ["shared/src/", "server/src/analysis.ts", "server/src/rules/", "server/src/syntax/"],
  },
  "server/src/features/": {
    imports: [
      "shared/src/",
      "server/src/analysis.ts",
      "server/src/dialects/",
      "server/src/fixes/",
      "server/src/rules/",
      "server/src/suppressions.ts",
      "server/src/syntax/",
    ],
  },
  "server/src/": {
    imports: ["shared/src/", "server/src/", "vscode-languageserver", "vscode-languageserver-textdocument"],
  },
  "server/src/lint/": { imports: ["shared/src/", "server/src/", "node:", "tinyglobby", "diff", "package.json"] },
  "server/src/cli.ts": { imports: ["shared/src/", "server/src/", "node:", "package.json"] },
  "server/src/main.ts": { imports: ["shared/src/", "server/src/", "node:", "vscode-languageserver"] },
  "server/src/preview/": { imports: ["shared/src/", "server/src/", "node:", "fast-png"] },
  "client/preview/": { imports: ["shared/src/", "@dagrejs/dagre"] },
  "client/src/preview/": { imports: ["shared/src/", "client/src/", "vscode", "vscode-languageclient", "image-size"] },
  "client/src/preview/thread.ts": { imports: ["shared/src/", "node:"] },
  "client/src/": { imports: ["shared/src/", "client/src/", "vscode", "vscode-languageclient"] },
};

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

const STATEMENT = /^\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\s*\(\s*"([^"]+)"\s*\)/gm;

/** The imports of a file as places: paths from the root, or package names. */
function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(STATEMENT)].map(([, type, from, dynamic]) => ({
    target: place(file, (from ?? dynamic)!),
    typeOnly: type !== undefined,
  }));
}

function place(file: string, specifier: string): string {
  if (specifier.startsWith("#")) return specifier.replace(/^#(\w+)\//, "$1/src/");
  if (!specifier.startsWith(".")) return specifier;
  return relative(root, resolve(root, dirname(file), specifier))
    .split(sep)
    .join("/");
}

function allows(places: readonly string[], target: string): boolean {
  return places.some(
    (allowed) =>
      target === allowed || (/[/:]$/.test(allowed) ? target.startsWith(allowed) : target.startsWith(`${allowed}/`)),
  );
}

function sources(): string[] {
  return globSync("{shared,server,client}/**/*.ts", { cwd: root, ignore: "**/node_modules/**" }).sort();
}

/** Imports that the law forbids, as sentences. */
function breaches(file: string, text: string): string[] {
  const home = Object.keys(LAW)
    .filter((candidate) => file.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0];
  if (home === undefined) return [`${file} has no place in the law`];
  const { imports, types = [] } = LAW[home]!;
  return importsOf(file, text)
    .filter(({ target, typeOnly }) => {
      const own = home.endsWith("/") && target.startsWith(home);
      return !own && !allows(imports, target) && !(typeOnly && allows(types, target));
    })
    .map(({ target }) => `${file} must not import ${target}`);
}

describe("architecture", () => {
  it("imports follow the law", () => {
    const files = sources();
    ok(files.length > 20, "the sources were not found");
    deepEqual(
      files.flatMap((file) => breaches(file, readFileSync(join(root, file), "utf8"))),
      [],
    );
  });

  it("the law can be broken", () => {
    deepEqual(breaches("shared/src/shape/dim.ts", 'import { op } from "../ops/op.ts";'), [
      "shared/src/shape/dim.ts must not import shared/src/ops/op.ts",
    ]);
    deepEqual(breaches("shared/src/ops/op.ts", 'import { readFileSync } from "node:fs";'), [
      "shared/src/ops/op.ts must not import node:fs",
    ]);
    deepEqual(breaches("server/src/rules/cycle.ts", 'import {\n  native,\n} from "../dialects/native/native.ts";'), [
      "server/src/rules/cycle.ts must not import server/src/dialects/native/native.ts",
    ]);
    deepEqual(breaches("server/src/rules/cycle.ts", 'import type { Words } from "../dialects/dialect.ts";'), []);
    deepEqual(breaches("client/src/extension.ts", 'const x = await import("#server/analysis.ts");'), [
      "client/src/extension.ts must not import server/src/analysis.ts",
    ]);
    deepEqual(breaches("server/src/analysis.ts", 'export * from "vscode-languageserver/node";'), [
      "server/src/analysis.ts must not import vscode-languageserver/node",
    ]);
  });

  it("ARCHITECTURE.md names only paths that exist", () => {
    const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    const named = [...text.matchAll(/`([^`\s]+)`/g)].map(([, word]) => word!);
    const paths = named.filter((word) => /^[\w.@-]+(\/[\w.@-]+)*(\/|\.(ts|mjs|json|md|yaml))$/.test(word));
    ok(paths.length > 20, "the paths were not found");
    deepEqual(
      paths.filter((path) => !existsSync(join(root, path))),
      [],
    );
  });

  it("no path of one machine and no registry's address is in the repository", () => {
    // Put together here, so that this file does not hold what it looks for.
    const forbidden = new RegExp(
      [
        ["/wo", "rk/"],
        ["/tm", "p/bash_jobs"],
        ["/ho", "me/\\w+/"],
        ["/Us", "ers/\\w+/"],
        ["registry.", "npmjs"],
        ['"resolved": "', "http"],
      ]
        .map((parts) => parts.join(""))
        .join("|"),
    );
    const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);
    const found = files.flatMap((file) => {
      if (!existsSync(join(root, file))) return [];
      const match = forbidden.exec(readFileSync(join(root, file), "latin1"));
      return match ? [`${file}: ${match[0]}`] : [];
    });
    deepEqual(found, []);
  });
});
