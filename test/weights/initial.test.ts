/**
 * Weights before training are drawn as PyTorch draws them. data/initial.json holds the moments of what PyTorch drew, made by
 * generate_initial.py.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Values } from "#shared/kernels/values.ts";
import type { Initial } from "#shared/ops/initial.ts";
import type { Plain } from "#shared/ops/param.ts";
import { fansOf, filled, SeededWeights } from "#shared/weights/seeded.ts";
import { EngineModel, randomOf, randomValues } from "../engine/model.ts";

interface Moments {
  readonly dims: readonly number[];
  readonly mean: number;
  readonly deviation: number;
  /** The greatest magnitude. */
  readonly most: number;
}

interface Table {
  readonly layers: readonly (Moments & {
    readonly op: string;
    readonly args: Readonly<Record<string, Plain>>;
    readonly inputs: readonly (readonly number[])[];
    readonly weight: string;
  })[];
  readonly initials: readonly (Moments & {
    readonly initial: Initial;
    readonly fanIn: number;
    readonly fanOut: number;
  })[];
}

const table = JSON.parse(readFileSync(new URL("data/initial.json", import.meta.url), "utf8")) as Table;

/** Of at least 200,000 values, drawn under one name after the other. */
function momentsOf(draw: (seed: number) => Values): Omit<Moments, "dims"> {
  let [count, sum, squares, most] = [0, 0, 0, 0];
  for (let seed = 0; count < 200_000; seed++) {
    for (const value of draw(seed).data) {
      count++;
      sum += value;
      squares += value * value;
      most = Math.max(most, Math.abs(value));
    }
  }
  const mean = sum / count;
  return { mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)), most };
}

/** Within what 200,000 draws leave open: a uniform bound is reached to a thousandth, a normal one has no bound. */
function assertAlike(actual: Omit<Moments, "dims">, expected: Moments, bounded: boolean): void {
  const room = 0.02 * expected.deviation + 1e-9;
  assert.ok(Math.abs(actual.mean - expected.mean) <= room, `mean ${actual.mean}, not ${expected.mean}`);
  assert.ok(Math.abs(actual.deviation - expected.deviation) <= room, `${actual.deviation}, not ${expected.deviation}`);
  if (bounded) {
    assert.ok(Math.abs(actual.most - expected.most) <= 1e-3 * expected.most, `${actual.most}, not ${expected.most}`);
  } else assert.ok(actual.most < 7 * expected.deviation, `${actual.most} of deviation ${expected.deviation}`);
}

describe("weights: before training", () => {
  for (const { op, args, inputs, weight, ...expected } of table.layers) {
    it(`${op} ${JSON.stringify(args)} ${weight}`, () => {
      const model = new EngineModel();
      const random = randomOf(1);
      const nodes = inputs.map((dims) => model.input(randomValues(dims, random)));
      const id = model.add(op, args, nodes, "layer");
      // Without weights of its own the network only says what it wants.
      const network = model.network({ get: () => null });
      const spec = network.specsOf(model.nodes[id]!).find(({ name }) => name === weight);
      assert.ok(spec, `${op} has no ${weight}`);
      assert.deepEqual(spec.dims, expected.dims);
      assertAlike(
        momentsOf((seed) => new SeededWeights(seed).get("layer.weight", spec)),
        expected,
        true,
      );
    });
  }

  for (const { initial, fanIn, fanOut, ...expected } of table.initials) {
    it(`${JSON.stringify(initial)} over [${expected.dims.join(", ")}]`, () => {
      assert.deepEqual(fansOf(expected.dims), { fanIn, fanOut });
      const drawn = momentsOf((seed) => filled(initial, expected.dims, seed, "weight"));
      assertAlike(drawn, expected, !initial.kind.includes("normal"));
    });
  }

  it("the same seed and name give the same values, others give others", () => {
    const initial = { kind: "normal", deviation: 1 } as const;
    const values = (seed: number, name: string) => filled(initial, [8, 4], seed, name).data;
    assert.deepEqual(values(3, "a.weight"), values(3, "a.weight"));
    assert.notDeepEqual(values(3, "a.weight"), values(4, "a.weight"));
    assert.notDeepEqual(values(3, "a.weight"), values(3, "b.weight"));
  });

  it("a weight is the same object every time, by which backends know what they have packed", () => {
    const weights = new SeededWeights(1);
    const spec = { name: "weight", dims: [2, 3], trainable: true, initial: { kind: "uniform", bound: 1 } } as const;
    assert.equal(weights.get("a.weight", spec), weights.get("a.weight", spec));
  });

  it("another initialisation can be chosen for some weights", () => {
    const spec = { name: "weight", dims: [2, 3], trainable: true, initial: { kind: "uniform", bound: 1 } } as const;
    const weights = new SeededWeights(1, (name) => (name === "a.weight" ? { kind: "constant", value: 5 } : null));
    assert.deepEqual([...weights.get("a.weight", spec).data], new Array(6).fill(5));
    assert.ok(weights.get("b.weight", spec).data.every((value) => Math.abs(value) <= 1));
  });

  it("fans take two axes", () => {
    assert.throws(() => fansOf([3]), /\[3\] has no fans/);
  });
});
