/** Runs the literate specs of test/spec: see test/harness/literate.ts for their notation. `UPDATE=1` rewrites them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fencesOf, marked, rewritten } from "./harness/literate.ts";

const folder = new URL("./spec/", import.meta.url);

describe("specs", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".md"))) {
    const path = new URL(name, folder);
    describe(name.replace(/\.md$/, ""), () => {
      if (process.env.UPDATE) {
        it("is rewritten", () => writeFileSync(path, rewritten(readFileSync(path, "utf8"))));
        return;
      }
      const fences = fencesOf(readFileSync(path, "utf8"));
      it("has models", () => assert.ok(fences.length > 0));
      for (const fence of fences) it(fence.title, () => assert.equal(marked(fence), fence.body));
    });
  }
});
