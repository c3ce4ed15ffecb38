/** Symbolic sizes at numbers equal numeric sizes, and the canonical form decides equality. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  add,
  agreesWhen,
  ceilDiv,
  compare,
  type Dim,
  evaluate,
  exactQuotient,
  floorDiv,
  mod,
  mul,
  sub,
  symbol,
  Unknown,
} from "#shared/shape/dim.ts";

type Step = { kind: "add" | "mul" | "floorDiv"; by: number };
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("add" as const), by: fc.integer({ min: -9, max: 9 }) }),
    fc.record({ kind: fc.constant("mul" as const), by: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant("floorDiv" as const), by: fc.integer({ min: 1, max: 6 }) }),
  ),
  { maxLength: 7 },
);
const run = (start: Dim, list: readonly Step[]): Dim =>
  list.reduce<Dim>(
    (dim, { kind, by }) => (kind === "add" ? add(dim, by) : kind === "mul" ? mul(dim, by) : floorDiv(dim, by)),
    start,
  );

describe("dim", () => {
  it("a symbolic size at a number is the numeric size", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5000 }), (list, n) => {
        assert.equal(evaluate(run(symbol("H"), list), new Map([["H", n]])), run(n, list));
      }),
      { numRuns: 2000 },
    );
  });
  it("agreesWhen is exact on every size of three periods", () => {
    fc.assert(
      fc.property(steps, steps, (p, q) => {
        const a = run(symbol("H"), p);
        const b = run(symbol("H"), q);
        const when = agreesWhen(a, b);
        if (!when || when.period > 500) return;
        for (let n = 1; n <= 3 * when.period; n++) {
          const equal = evaluate(a, new Map([["H", n]])) === evaluate(b, new Map([["H", n]]));
          assert.equal(equal, when.residues.includes(n % when.period), `${a} = ${b} at ${n}`);
        }
      }),
      { numRuns: 1000 },
    );
  });
  it("collapses stacked floors, so that equal formulas read the same", () => {
    const H = symbol("H");
    assert.equal(String(floorDiv(add(floorDiv(add(H, 1), 2), 1), 2)), String(floorDiv(add(H, 3), 4)));
    assert.equal(String(add(floorDiv(sub(add(H, 2), 3), 2), 1)), "(H + 1)//2");
    assert.equal(compare(ceilDiv(H, 2), add(floorDiv(sub(H, 1), 2), 1)), "equal");
  });
  it("tells when a U-Net's branches agree", () => {
    const H = symbol("H");
    assert.deepEqual(agreesWhen(H, mul(floorDiv(H, 8), 8)), { symbol: "H", period: 8, residues: [0] });
    assert.equal(compare(H, add(H, 1)), "different");
    assert.equal(compare(H, mul(floorDiv(H, 2), 2)), "sometimes");
  });
  it("divides products exactly or not at all", () => {
    const H = symbol("H");
    const W = symbol("W");
    assert.equal(String(exactQuotient(mul(mul(H, W), 6), mul(W, 2))), "3*H");
    assert.equal(exactQuotient(mul(H, 3), 2), null);
    assert.equal(mod(mul(H, 4), 2), 0);
  });
  it("says so where a number leaves the exact range", () => {
    assert.ok(mul(2 ** 40, 2 ** 40) instanceof Unknown);
    assert.equal(mul(2 ** 26, 2 ** 26), 2 ** 52);
  });
});
