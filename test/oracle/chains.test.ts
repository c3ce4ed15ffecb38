/**
 * Sequential stacks as PyTorch runs them: the shape and the parameter count of every layer, and a refusal at exactly the
 * layer where PyTorch refuses. data/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import type { Plain } from "#shared/ops/param.ts";
import { outcome, readRecords, TorchModel } from "./torch-model.ts";

interface Chain {
  readonly id: string;
  readonly input: readonly number[];
  readonly layers: readonly { readonly type: string; readonly args: Readonly<Record<string, Plain>> }[];
  /** Of the layers that ran: all, or those before the failing one. */
  readonly shapes: readonly (readonly number[])[];
  readonly params: readonly number[];
  readonly ok: boolean;
  readonly fail: { readonly at: number; readonly error: string } | null;
}

/** Every layer up to the end, or up to the failing one. */
function truth({ shapes, params, fail }: Chain): string[] {
  const ran = shapes.map((shape, index) => outcome(shape, params[index]!));
  return fail ? [...ran, "refused"] : ran;
}

function said(chain: Chain): string[] {
  const model = new TorchModel(chain.input);
  for (const [index, { type, args }] of chain.layers.entries()) model.add(type, args, [index], `${index}.${type}`);
  return model.said().slice(1);
}

describe("oracle: sequential stacks as PyTorch runs them", () => {
  const chains = readRecords<Chain>("torch_chains.jsonl.gz");

  it(`gives the shape and parameters of every layer of ${chains.length} stacks`, () => {
    for (const chain of chains) {
      const expected = truth(chain);
      assert.deepEqual(said(chain).slice(0, expected.length), expected, `${chain.id}: ${JSON.stringify(chain)}`);
    }
  });

  it("makes one diagnostic of one mistake: nothing is said of the layers after it", () => {
    const broken = chains.filter((chain) => chain.fail);
    assert.ok(broken.length > 0);
    for (const chain of broken) {
      const refused = said(chain).flatMap((verdict, layer) => (verdict === "refused" ? [layer] : []));
      assert.deepEqual(refused, [chain.fail!.at], `${chain.id}: ${JSON.stringify(chain)}`);
    }
  });
});
