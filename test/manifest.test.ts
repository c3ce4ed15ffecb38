/** The extension's manifest says what the code does: settings, commands, files, and what goes into the .vsix. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CONFIG_NAMES } from "#server/config/config.ts";
import { settingSchemas } from "#server/config/schema.ts";
import { manifestConfiguration } from "#shared/settings.ts";

const root = join(import.meta.dirname, "..");
const text = (path: string) => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(text("package.json"));

describe("package.json", () => {
  it("contributes the settings of shared/src/settings.ts (`npx tsx scripts/manifest.ts` renews it)", () => {
    assert.deepEqual(
      manifest.contributes.configuration,
      JSON.parse(JSON.stringify(manifestConfiguration(settingSchemas()))),
    );
  });

  it("contributes the very commands that the client registers", () => {
    const registered = [...text("client/src/commands.ts").matchAll(/registerCommand\("([^"]+)"/g)].map(([, id]) => id);
    const contributed = manifest.contributes.commands.map(({ command }: { command: string }) => command);
    assert.deepEqual(contributed, registered);
    for (const { category } of manifest.contributes.commands) assert.equal(category, "ConvLint");
  });

  it("names entries and an icon that the .vsix holds", () => {
    const packed = text(".vscodeignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => new RegExp(`^${line.slice(1).replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`));
    const named = [manifest.main, manifest.browser, manifest.icon].map((path: string) => path.replace("./", ""));
    for (const path of [...named, "dist/server.js", "dist/server.browser.js"]) {
      assert.ok(
        packed.some((pattern) => pattern.test(path)),
        `.vscodeignore keeps ${path} out`,
      );
    }
    assert.ok(existsSync(join(root, manifest.icon)));
  });

  it("brings the schema of the configuration to the editor, for every file of it that has one", () => {
    const { jsonValidation, yamlValidation } = manifest.contributes;
    const rows: { fileMatch: string[]; url: string }[] = [...jsonValidation, ...yamlValidation];
    const named = rows.flatMap(({ fileMatch }) => fileMatch);
    assert.deepEqual(named.sort(), CONFIG_NAMES.filter((name) => !name.endsWith(".toml")).sort());
    for (const { url } of rows) {
      assert.equal(JSON.parse(text(url)).$schema, "http://json-schema.org/draft-07/schema#");
      assert.match(url, /^\.\/docs\/convlint-[a-z]+\.schema\.json$/);
    }
    assert.ok(text(".vscodeignore").includes("!docs/convlint-*.schema.json\n"));
  });

  it("works in untrusted and in virtual workspaces", () => {
    assert.equal(manifest.capabilities.untrustedWorkspaces.supported, true);
    assert.equal(manifest.capabilities.virtualWorkspaces, true);
  });

  it("asks for the VS Code whose API the client is compiled against", () => {
    assert.equal(manifest.engines.vscode, `^${manifest.devDependencies["@types/vscode"]}`);
  });
});

describe("lockfiles", () => {
  for (const folder of ["", "scripts/vsix/", "test/vscode/host/", "test/preview/host/", "test/vscode/web/"]) {
    it(`${folder}package-lock.json names versions and no registry`, () => {
      const lock = JSON.parse(text(`${folder}package-lock.json`)) as {
        packages: Record<string, Record<string, unknown>>;
      };
      for (const [path, entry] of Object.entries(lock.packages)) {
        if (path === "") continue;
        assert.equal(typeof entry.version, "string", path);
        assert.equal(entry.resolved, undefined, path);
      }
    });
  }
});
