/** Runs the literate specs of fixes: see test/harness/fixes.ts for their notation. `UPDATE=1` rewrites them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fixesText, rewrittenSpecs, specsOf } from "../harness/fixes.ts";

const folder = new URL("./spec/", import.meta.url);

describe("fixes: specs", () => {
  for (const name of readdirSync(folder)) {
    const path = new URL(name, folder);
    describe(name.replace(/\.md$/, ""), () => {
      if (process.env.UPDATE) {
        it("is rewritten", () => writeFileSync(path, rewrittenSpecs(readFileSync(path, "utf8"))));
        return;
      }
      const specs = specsOf(readFileSync(path, "utf8"));
      it("has models", () => assert.ok(specs.length > 0));
      for (const spec of specs) it(spec.title, () => assert.equal(fixesText(spec), spec.answer));
    });
  }
});
