/** Runs of whole networks: what is computed and when, what is taken over from before, and what they leave behind. */
import assert from "node:assert/strict";
import type { Ref } from "#shared/graph/graph.ts";
import { keyOf, type Plan } from "#shared/graph/plan.ts";
import { Network, type Weights } from "#shared/graph/run.ts";
import { bindSizes } from "#shared/graph/sizes.ts";
import type { Signal } from "#shared/kernels/backend.ts";
import { EngineError, type Values, valuesOf } from "#shared/kernels/values.ts";
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import { BACKENDS } from "./backends.ts";
import { distance, EngineModel, RandomWeights, randomOf, randomValues, tableOf } from "./model.ts";

const out = (node: number): Ref => ({ node, output: 0 });

/** A residual block between two convolutions: input 0, then layers 1 to 8. */
function residual(last = 4): EngineModel {
  const model = new EngineModel();
  const x = model.input(randomValues([1, 3, 9, 9], randomOf(1)));
  const stem = model.add("Conv2d", { out_channels: 8, kernel_size: 3, padding: 1 }, [x]);
  const first = model.add("Conv2d", { out_channels: 8, kernel_size: 3, padding: 1, bias: false }, [stem]);
  const norm = model.add("BatchNorm2d", {}, [first]);
  const sum = model.add("Add", {}, [norm, stem]);
  const active = model.add("ReLU", {}, [sum]);
  const pool = model.add("MaxPool2d", { kernel_size: 2 }, [active]);
  const flat = model.add("Flatten", {}, [pool]);
  model.add("Linear", { out_features: last }, [flat]);
  return model;
}

function evenWeights(): Weights {
  return new RandomWeights(randomOf(5));
}

for (const { name, backend, tolerance } of BACKENDS) {
  describe(`engine: runs on ${name}`, () => {
    it("give what is asked for, step by step, in the order in which it is computed", () => {
      const model = residual();
      const wanted = [8, 5, 1].map(out);
      const run = model.network(evenWeights()).run({ backend, inputs: model.inputs, wanted });
      const steps = [...run];
      assert.deepEqual(
        steps.map(({ index }) => index),
        run.plan.steps.map((_, at) => at + 1),
      );
      assert.deepEqual(
        steps.flatMap(({ values }) => values.map(({ ref }) => ref.node)),
        [1, 5, 8],
      );
      for (const { ref, values } of steps.flatMap((step) => step.values)) {
        assert.equal(run.activations.get(keyOf(ref)), values);
      }
    });

    it("compute nothing that nobody needs, and nothing before it is asked for", () => {
      const model = residual();
      const weights = evenWeights();
      const run = model.network(weights).run({ backend, inputs: model.inputs, wanted: [out(1)] });
      assert.deepEqual(
        run.plan.steps.map(({ nodes }) => nodes),
        [[0], [1]],
      );
      assert.equal(run.activations.size, 0);
      run[Symbol.iterator]().next();
      assert.equal(run.activations.size, 0);
    });

    it("fold normalisation, addition and activation into the layer before, unless they are asked for", () => {
      const model = residual();
      const network = model.network(evenWeights());
      const all = Array.from({ length: 9 }, (_, node) => out(node));
      const folded = network.run({ backend, inputs: model.inputs, wanted: [out(8)] });
      assert.deepEqual(
        folded.plan.steps.map(({ nodes }) => nodes),
        [[0], [1], [2, 3, 4, 5], [6], [7], [8]],
      );
      const plain = network.run({ backend, inputs: model.inputs, wanted: all });
      assert.equal(plain.plan.steps.length, 9);
      const [a, b] = [folded.finish(), plain.finish()].map((values) => values.get("8.0")!);
      assert.ok(distance(a!.data, b!.data) <= tolerance);
    });

    for (const [op, args, dims, axes] of [
      ["Conv1d", { out_channels: 6, kernel_size: 3 }, [2, 4, 12], 1],
      ["Conv2d", { out_channels: 6, kernel_size: 3, groups: 2, bias: false }, [2, 4, 7, 8], 2],
      ["DepthwiseConv2d", { kernel_size: 3, depth_multiplier: 2 }, [2, 4, 7, 8], 2],
      ["SeparableConv2d", { out_channels: 6, kernel_size: 3 }, [2, 4, 7, 8], 2],
      ["Conv3d", { out_channels: 6, kernel_size: 2 }, [1, 4, 4, 5, 6], 3],
      ["ConvTranspose2d", { out_channels: 6, kernel_size: 4, stride: 2, groups: 2 }, [2, 4, 5, 5], 2],
      ["Linear", { out_features: 6 }, [3, 4], 1],
    ] as const) {
      it(`fold a BatchNorm into ${op} ${JSON.stringify(args)} exactly`, () => {
        const model = new EngineModel();
        const x = model.input(randomValues(dims, randomOf(2)));
        const layer = model.add(op, args, [x]);
        const norm = model.add(`BatchNorm${axes}d`, { eps: 1e-3 }, [layer]);
        // Statistics as training leaves them: some channels hardly vary, some are scaled the other way.
        const random = randomOf(9);
        const made = new RandomWeights(random);
        const weights: Weights = {
          get(name, spec) {
            const values = made.get(name, spec);
            if (!name.endsWith("running_var")) return values;
            return { ...values, data: values.data.map((_, at) => [1e-4, 1, 30][at % 3]!) };
          },
        };
        const stable = new Map<string, Values | null>();
        const same: Weights = {
          get(name, spec) {
            if (!stable.has(name)) stable.set(name, weights.get(name, spec));
            return stable.get(name)!;
          },
        };
        const network = model.network(same);
        const folded = network.run({ backend, inputs: model.inputs, wanted: [out(norm)] });
        assert.equal(folded.plan.steps.at(-1)!.folded, norm);
        const plain = network.run({ backend, inputs: model.inputs, wanted: [out(layer), out(norm)] });
        assert.equal(plain.plan.steps.at(-1)!.folded, null);
        const [a, b] = [folded.finish(), plain.finish()].map((values) => values.get(keyOf(out(norm)))!);
        assert.ok(distance(a!.data, b!.data) <= tolerance, String(distance(a!.data, b!.data)));
      });
    }

    it("take from an earlier run what did not change, and compute the rest anew", () => {
      const model = residual();
      const weights = evenWeights();
      const inputs = model.inputs;
      const before = model.network(weights).run({ backend, inputs, wanted: [out(1), out(5), out(8)] });
      before.finish();
      // Another last layer: everything before it stays.
      const edited = residual(7);
      const network = new Network(bindSizes(edited.graph()), {
        get: (name, spec) =>
          name.startsWith("layer8") ? randomWeight(spec.dims as number[]) : weights.get(name, spec),
      });
      const again = network.run({ backend, inputs, wanted: [out(8)], previous: before });
      assert.deepEqual(
        again.plan.steps.map(({ nodes, given }) => [nodes, given]),
        [
          [[5], true],
          [[6], false],
          [[7], false],
          [[8], false],
        ],
      );
      const fresh = network.run({ backend, inputs, wanted: [out(8)] });
      assert.ok(distance(again.finish().get("8.0")!.data, fresh.finish().get("8.0")!.data) <= tolerance);
    });

    it("compute everything anew where the input is another", () => {
      const model = residual();
      const network = model.network(evenWeights());
      const before = network.run({ backend, inputs: model.inputs, wanted: [out(5), out(8)] });
      before.finish();
      const inputs = new Map([[0, randomValues([1, 3, 9, 9], randomOf(77))]]);
      const again = network.run({ backend, inputs, wanted: [out(8)], previous: before });
      assert.equal(again.plan.steps[0]!.nodes[0], 0);
      assert.notDeepEqual(again.finish().get("8.0"), before.activations.get("8.0"));
    });

    it("are the same bit by bit from one time to the next", () => {
      const model = residual();
      const network = model.network(evenWeights());
      const once = () =>
        network
          .run({ backend, inputs: model.inputs, wanted: [out(8)] })
          .finish()
          .get("8.0");
      assert.deepEqual(once(), once());
    });
  });
}

const kept = new Map<string, Values>();

/** The same object for the same dims. */
function randomWeight(dims: readonly number[]): Values {
  const values = kept.get(String(dims)) ?? randomValues(dims, randomOf(3));
  kept.set(String(dims), values);
  return values;
}

/** What exists while each step runs, followed from the plan. */
function checkMemory(plan: Plan, model: EngineModel): void {
  const { report, graph } = bindSizes(model.graph());
  const live = new Map<string, number>();
  let most = 0;
  for (const { nodes, bytes, releases, add } of plan.steps) {
    const reads = [...graph.nodes[nodes[0]!]!.inputs, ...(add ? [add] : [])];
    for (const ref of reads) assert.ok(live.has(keyOf(ref!)), `${keyOf(ref!)} is gone before it is read`);
    const node = nodes.at(-1)!;
    for (const [output, tensor] of report.nodes[node]!.outputs.entries()) {
      live.set(keyOf({ node, output }), 4 * (tensor!.dims as number[]).reduce((product, size) => product * size, 1));
    }
    const sum = [...live.values()].reduce((total, each) => total + each, 0);
    assert.equal(bytes, sum);
    most = Math.max(most, sum);
    for (const ref of releases) assert.ok(live.delete(keyOf(ref)));
  }
  assert.equal(plan.peakBytes, most);
  assert.equal(live.size, 0, "what nobody reads any more is given back");
}

describe("engine: memory of a run", () => {
  it("is known beforehand, and given back as soon as nobody needs it", () => {
    const model = residual();
    const network = model.network(evenWeights());
    for (const wanted of [[out(8)], [out(1), out(8)], Array.from({ length: 9 }, (_, node) => out(node))]) {
      checkMemory(network.plan({ wanted, inputs: model.inputs }), model);
    }
  });

  it("is refused with its bytes before anything is allocated", () => {
    const model = residual();
    const network = model.network(evenWeights());
    const plan = network.plan({ wanted: [out(8)], inputs: model.inputs });
    const bytes = plan.peakBytes + plan.weightBytes;
    const backend = createWasmBackend();
    const start = (limit: number) => network.run({ backend, inputs: model.inputs, wanted: [out(8)], limit });
    assert.throws(
      () => start(bytes - 1),
      (error) => error instanceof EngineError && error.problem === "too-large" && error.bytes === bytes,
    );
    assert.equal(backend.core.memory.used, 0);
    start(bytes).finish();
  });

  it("is empty after a run, however it ends", () => {
    const model = residual();
    const network = model.network(evenWeights());
    const backend = createWasmBackend();
    const wanted = [out(1), out(8)];
    for (let stop = 0; stop < 8; stop++) {
      let left = stop;
      for (const _ of network.run({ backend, inputs: model.inputs, wanted })) if (left-- === 0) break;
      assert.equal(backend.residentBytes, 0);
      let looks = 3 * stop;
      const signal: Signal = {
        get aborted() {
          return looks-- === 0;
        },
      };
      assert.throws(
        () => network.run({ backend, inputs: model.inputs, wanted, signal }).finish(),
        (error) => error instanceof EngineError && error.problem === "cancelled",
      );
      assert.equal(backend.residentBytes, 0);
    }
    assert.equal(network.run({ backend, inputs: model.inputs, wanted }).finish().size, 2);
    assert.equal(backend.residentBytes, 0);
  });

  it("a graph may be deep", () => {
    const model = new EngineModel();
    let node = model.input(valuesOf([1, 2], [1, -2]));
    for (let layer = 0; layer < 20_000; layer++) node = model.add(layer % 2 ? "ReLU" : "Identity", {}, [node]);
    assert.deepEqual([...model.run(tableOf({}))[0]!.data], [1, 0]);
  });
});

describe("engine: runs refuse", () => {
  const refusal = (problem: string, node: number, message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof EngineError, String(error));
    assert.deepEqual([error.problem, error.node], [problem, node]);
    assert.match(error.message, message);
    return true;
  };

  it("an empty batch, an input of other sizes, and none", () => {
    const model = residual();
    const network = model.network(evenWeights());
    const { backend } = BACKENDS[0]!;
    const start = (inputs: ReadonlyMap<number, Values>) => network.run({ backend, inputs, wanted: [out(8)] });
    const other = new Map([[0, randomValues([1, 3, 9, 8], randomOf(1))]]);
    assert.throws(() => start(other), refusal("mismatch", 0, /the input input0 is \[1, 3, 9, 8\], not \[1, 3, 9, 9\]/));
    assert.throws(() => start(new Map()), refusal("mismatch", 0, /the input input0 is missing/));
    const empty = new EngineModel();
    empty.add("ReLU", {}, [empty.input(valuesOf([0, 3], []))]);
    assert.throws(() => empty.run(tableOf({})), refusal("bad-size", 0, /0 is 0/));
  });

  it("a weight that is missing or of other sizes, at the layer", () => {
    const model = residual();
    assert.throws(() => model.run(tableOf({})), refusal("missing-weight", 1, /there is no layer1\.weight/));
    const wrong = { "layer1.weight": randomValues([8, 3, 5, 5], randomOf(1)), "layer1.bias": randomWeight([8]) };
    assert.throws(
      () => model.run(tableOf(wrong)),
      refusal("mismatch", 1, /layer1\.weight is \[8, 3, 5, 5\], not \[8, 3, 3, 3\]/),
    );
  });

  it("what has no arithmetic, at the layer", () => {
    const model = new EngineModel();
    const inputs = [
      [1, 84, 32],
      [1, 10, 64],
      [1, 10, 32],
    ].map((dims) => model.input(randomValues(dims, randomOf(1))));
    model.add("DeformableSampling", {}, inputs);
    assert.throws(() => model.run(tableOf({})), refusal("cannot-run", 3, /cannot be run: the sizes of the maps/));
  });

  it("sizes beyond memory, with the bytes", () => {
    const model = new EngineModel();
    const x = model.input(randomValues([1, 1, 4, 4], randomOf(1)));
    model.add("Upsample", { scale_factor: 30_000 }, [x]);
    assert.throws(
      () => model.run(tableOf({})),
      (error) => error instanceof EngineError && error.problem === "too-large" && error.bytes! > 5e10,
    );
  });
});
