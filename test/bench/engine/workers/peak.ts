/** What the machine could do at most: multiply-adds from registers, through WebAssembly's SIMD. */
import { assemble, FunctionWriter, f32x4, i32 } from "#shared/kernels/wasm/assembler.ts";
import { webAssembly } from "#shared/kernels/wasm/runtime.ts";

/** Independent sums, as many as the best tile has. */
const SUMS = 12;
const ROUNDS = 2 ** 18;

function body(f: FunctionWriter, fused: boolean): void {
  const sums = f.locals("v128", SUMS);
  const [a, b] = [f.let("v128", f32x4.constant(0.999)), f.let("v128", f32x4.constant(1e-3))];
  const left = f.let("i32", ROUNDS);
  f.until(() => {
    for (const sum of sums) {
      f.set(sum, fused ? f32x4.fusedMultiplyAdd(a, b, sum) : f32x4.add(f32x4.mul(a, b), sum));
    }
    f.set(left, i32.sub(left, 1));
    return i32.ne(left, 0);
  });
  // What nobody reads may be left out.
  f.storeVector(
    1024,
    sums.slice(1).reduce((all, sum) => f32x4.add(all, sum), f32x4.add(sums[0]!, a)),
  );
}

/** GFLOP/s of the best of several rounds, a multiply-add counted as two. */
export function multiplyAddPeak(fused: boolean): number {
  const f = new FunctionWriter("run", []);
  body(f, fused);
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1, shared: false });
  const module = new webAssembly.Module(assemble(f, { maximumPages: 1, shared: false }));
  const run = new webAssembly.Instance(module, { engine: { memory } }).exports.run!;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 30; round++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return (SUMS * 4 * 2 * ROUNDS) / best / 1e6;
}
