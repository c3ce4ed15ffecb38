/**
 * Bottlenecks and the frames that repeat them: C2f, C3, ELAN and their relatives, and pyramid pooling.
 * Source: facts, sections 2.2 to 2.4, 2.7 to 2.10.
 */
import type { Block, Size, Wire } from "./block.ts";
import { actOf, depthwise, ghost, light, rep, unit, unitOptions } from "./modules-conv.ts";
import {
  base,
  define,
  hgBlock,
  last,
  type Module,
  repeated,
  resNet,
  splitLinear,
  stem,
  tensorOf,
  unary,
} from "./rows.ts";
import type { Arguments } from "./signature.ts";

export interface BottleneckOptions {
  readonly shortcut?: boolean;
  readonly g?: number;
  readonly k?: readonly [Size, Size];
  readonly e?: number;
}

/** Two units, added to their input where asked and where the widths agree. */
export function bottleneck(b: Block, x: Wire, c1: number, c2: number, options: BottleneckOptions = {}): Wire {
  const { shortcut = true, g = 1, k = [3, 3], e = 0.5 } = options;
  const hidden = Math.trunc(c2 * e);
  const y = unit(b.at("cv2"), unit(b.at("cv1"), x, c1, hidden, { k: k[0] }), hidden, c2, { k: k[1], g });
  return shortcut && c1 === c2 ? b.add2(x, y) : y;
}

/** What one place of a repeating frame holds: `x` has `hidden` channels, and so has the result. */
export type Inner = (b: Block, x: Wire, hidden: number) => Wire;

/** n places one after the other. */
export function chain(b: Block, x: Wire, n: number, hidden: number, inner: Inner, name = "m"): Wire {
  let y = x;
  for (let index = 0; index < n; index++) y = inner(b.at(`${name}.${index}`), y, hidden);
  return y;
}

/** Two 1×1 branches of e·c2, one of them through `inner`; joined by a 1×1. */
export function c3Frame(b: Block, x: Wire, c1: number, c2: number, e: number, inner: Inner): Wire {
  const hidden = Math.trunc(c2 * e);
  const main = inner(b, unit(b.at("cv1"), x, c1, hidden), hidden);
  const side = unit(b.at("cv2"), x, c1, hidden);
  return unit(b.at("cv3"), b.concat([main, side]), 2 * hidden, c2);
}

/** A 1×1 split in two; the second half through n places, whose every result joins. `tail` adds one more. */
export function c2fFrame(
  b: Block,
  x: Wire,
  c1: number,
  c2: number,
  n: number,
  e: number,
  inner: Inner,
  tail?: Inner,
): Wire {
  const hidden = Math.trunc(c2 * e);
  const parts = b.chunk(unit(b.at("cv1"), x, c1, 2 * hidden), 2);
  for (let index = 0; index < n; index++) parts.push(inner(b.at(`m.${index}`), parts.at(-1)!, hidden));
  if (tail) parts.push(tail(b, parts.at(-1)!, hidden));
  return unit(b.at("cv2"), b.concat(parts), (2 + n + (tail ? 1 : 0)) * hidden, c2);
}

/** The C3 of k×k bottlenecks that C3k2 and A2C2f hold inside. */
export function c3k(
  b: Block,
  x: Wire,
  c1: number,
  c2: number,
  n: number,
  { shortcut = true, g = 1, k = 3, e = 0.5 } = {},
): Wire {
  return c3Frame(b, x, c1, c2, e, (m, y, hidden) =>
    chain(m, y, n, hidden, (at, z, h) => bottleneck(at, z, h, h, { shortcut, g, k: [k, k], e: 1 })),
  );
}

export function ghostBottleneck(b: Block, x: Wire, c1: number, c2: number, k: number, s: number): Wire {
  const hidden = Math.floor(c2 / 2);
  let y = ghost(b.at("conv.0"), x, c1, hidden);
  let side = x;
  if (s === 2) {
    y = depthwise(b.at("conv.1"), y, hidden, hidden, { k, s, act: false });
    side = depthwise(b.at("shortcut.0"), x, c1, c1, { k, s, act: false });
    side = unit(b.at("shortcut.1"), side, c1, c2, { act: false });
  }
  return b.add2(ghost(b.at("conv.2"), y, hidden, c2, { act: false }), side);
}

function repCsp(b: Block, x: Wire, c1: number, c2: number, n: number): Wire {
  return c3Frame(b, x, c1, c2, 0.5, (m, y, hidden) =>
    chain(m, y, n, hidden, (at, z, h) => {
      const inner = unit(at.at("cv2"), rep(at.at("cv1"), z, h, h), h, h, { k: 3 });
      return b.add2(z, inner);
    }),
  );
}

/** A 1×1 split in two, then two stages, all four joined. */
function elan(b: Block, x: Wire, a: Arguments, stage: (b: Block, x: Wire, c1: number, c2: number) => Wire): Wire {
  const [c1, c2, c3, c4] = [a.int("c1"), a.int("c2"), a.int("c3"), a.int("c4")];
  const parts = b.chunk(unit(b.at("cv1"), x, c1, c3), 2);
  parts.push(stage(b.at("cv2"), parts.at(-1)!, Math.floor(c3 / 2), c4));
  parts.push(stage(b.at("cv3"), parts.at(-1)!, c4, c4));
  return unit(b.at("cv4"), b.concat(parts), c3 + 2 * c4, c2);
}

/** Max-pools that keep the size, all of the same input. */
function pyramid(b: Block, x: Wire, kernels: readonly number[]): Wire {
  const pools = kernels.map((k, index) => b.maxPool(`m.${index}`, x, k, 1, Math.floor(k / 2)));
  return b.concat([x, ...pools]);
}

/** Max-pools that keep the size, each of the one before. */
function pooledChain(b: Block, x: Wire, k: number, n: number): Wire {
  const parts = [x];
  for (let index = 0; index < n; index++) parts.push(b.maxPool("m", parts.at(-1)!, k, 1, Math.floor(k / 2)));
  return b.concat(parts);
}

export function spp(b: Block, x: Wire, c1: number, c2: number, kernels: readonly number[]): Wire {
  const hidden = Math.floor(c1 / 2);
  const joined = pyramid(b, unit(b.at("cv1"), x, c1, hidden), kernels);
  return unit(b.at("cv2"), joined, hidden * (kernels.length + 1), c2);
}

/** Two kernels from `k=[3, 3]`. */
function kernels(a: Arguments): readonly [Size, Size] {
  const k = a.raw("k");
  const pair = Array.isArray(k) && k.length === 2 ? k : a.refuse("k", "two kernel sizes");
  return [pair[0] as Size, pair[1] as Size];
}

/** The older cross-stage frame, with one normalisation over both branches; `first` is the kernel its bottlenecks begin with. */
export function csp(b: Block, x: Wire, a: Arguments, first: number): Wire {
  const [c1, c2] = [a.int("c1"), a.int("c2")];
  const hidden = Math.trunc(c2 * a.number("e"));
  const options = { shortcut: a.flag("shortcut"), g: a.positive("g"), k: [first, 3] as const, e: 1 };
  const y = chain(b, unit(b.at("cv1"), x, c1, hidden), a.int("n"), hidden, (at, z, h) =>
    bottleneck(at, z, h, h, options),
  );
  const joined = b.concat([b.conv("cv3", y, hidden, hidden), b.conv("cv2", x, c1, hidden)]);
  const normed = b.activate(b.norm("bn", joined, 2 * hidden), "SiLU");
  return unit(b.at("cv4"), normed, 2 * hidden, c2);
}

const FRAME = "c1, c2, n=1, shortcut=True, g=1, e=0.5";

/** A C3 whose bottlenecks have these kernels. */
function c3With(k: readonly [Size, Size]): Module {
  return unary(repeated, FRAME, (b, x, a) => {
    const options = { shortcut: a.flag("shortcut"), g: a.positive("g"), k, e: 1 };
    return c3Frame(b, x, a.int("c1"), a.int("c2"), a.number("e"), (m, y, hidden) =>
      chain(m, y, a.int("n"), hidden, (at, z, h) => bottleneck(at, z, h, h, options)),
    );
  });
}

const resNetBlock = (b: Block, x: Wire, c1: number, c2: number, s: number, e: number): Wire => {
  const y = unit(b.at("cv2"), unit(b.at("cv1"), x, c1, c2), c2, c2, { k: 3, s, p: 1 });
  const z = unit(b.at("cv3"), y, c2, e * c2, { act: false });
  const side = s !== 1 || c1 !== e * c2 ? unit(b.at("shortcut.0"), x, c1, e * c2, { s, act: false }) : x;
  return b.activate(b.add2(z, side), "ReLU");
};

/** Pads one cell at the right and at the bottom. */
const padEnd = (b: Block, x: Wire): Wire => b.one("ZeroPad2d", "pad", [x], { padding: [0, 1, 0, 1] });

export const cspModules: Readonly<Record<string, Module>> = {
  Bottleneck: unary(base, "c1, c2, shortcut=True, g=1, k=[3, 3], e=0.5", (b, x, a) =>
    bottleneck(b, x, a.int("c1"), a.int("c2"), {
      shortcut: a.flag("shortcut"),
      g: a.positive("g"),
      k: kernels(a),
      e: a.number("e"),
    }),
  ),
  BottleneckCSP: unary(repeated, FRAME, (b, x, a) => csp(b, x, a, 3)),
  C1: unary(repeated, "c1, c2, n=1", (b, x, a) => {
    const c2 = a.int("c2");
    const y = unit(b.at("cv1"), x, a.int("c1"), c2);
    return b.add2(
      chain(b, y, a.int("n"), c2, (at, z, h) => unit(at, z, h, h, { k: 3 })),
      y,
    );
  }),
  C2: unary(repeated, FRAME, (b, x, a) => {
    const c2 = a.int("c2");
    const hidden = Math.trunc(c2 * a.number("e"));
    const [left, right] = b.chunk(unit(b.at("cv1"), x, a.int("c1"), 2 * hidden), 2);
    const options = { shortcut: a.flag("shortcut"), g: a.positive("g"), e: 1 };
    const y = chain(b, left!, a.int("n"), hidden, (at, z, h) => bottleneck(at, z, h, h, options));
    return unit(b.at("cv2"), b.concat([y, right!]), 2 * hidden, c2);
  }),
  C2f: unary(repeated, "c1, c2, n=1, shortcut=False, g=1, e=0.5", (b, x, a) => {
    const options = { shortcut: a.flag("shortcut"), g: a.positive("g"), e: 1 };
    return c2fFrame(b, x, a.int("c1"), a.int("c2"), a.int("n"), a.number("e"), (at, y, h) =>
      bottleneck(at, y, h, h, options),
    );
  }),
  C3: c3With([1, 3]),
  C3x: c3With([
    [1, 3],
    [3, 1],
  ]),
  C3Ghost: unary(repeated, FRAME, (b, x, a) =>
    c3Frame(b, x, a.int("c1"), a.int("c2"), a.number("e"), (m, y, hidden) =>
      chain(m, y, a.int("n"), hidden, (at, z, h) => ghostBottleneck(at, z, h, h, 3, 1)),
    ),
  ),
  GhostBottleneck: unary(base, "c1, c2, k=3, s=1", (b, x, a) =>
    ghostBottleneck(b, x, a.int("c1"), a.int("c2"), a.int("k"), a.int("s")),
  ),
  RepC3: unary(repeated, "c1, c2, n=3, e=1.0", (b, x, a) => {
    const c2 = a.int("c2");
    const hidden = Math.trunc(c2 * a.number("e"));
    const y = chain(b, unit(b.at("cv1"), x, a.int("c1"), hidden), a.int("n"), hidden, (at, z, h) => rep(at, z, h, h));
    const z = b.add2(y, unit(b.at("cv2"), x, a.int("c1"), hidden));
    return hidden === c2 ? z : unit(b.at("cv3"), z, hidden, c2);
  }),
  RepNCSPELAN4: unary(base, "c1, c2, c3, c4, n=1", (b, x, a) =>
    elan(b, x, a, (at, y, c1, c2) => unit(at.at(1), repCsp(at.at(0), y, c1, c2, a.int("n")), c2, c2, { k: 3 })),
  ),
  ELAN1: unary(base, "c1, c2, c3, c4", (b, x, a) => elan(b, x, a, (at, y, c1, c2) => unit(at, y, c1, c2, { k: 3 }))),
  SPP: unary(base, "c1, c2, k=[5, 9, 13]", (b, x, a) => spp(b, x, a.int("c1"), a.int("c2"), a.ints("k"))),
  SPPF: unary(base, "c1, c2, k=5, n=3, shortcut=False", (b, x, a) => {
    const [c1, c2, n] = [a.int("c1"), a.int("c2"), a.int("n")];
    const hidden = Math.floor(c1 / 2);
    // Since 8.4 the first unit has no activation; yolov5 and its kin have one.
    const y = unit(b.at("cv1"), x, c1, hidden, { act: b.site.flavour !== "ultralytics" });
    const z = unit(b.at("cv2"), pooledChain(b, y, a.int("k"), n), hidden * (n + 1), c2);
    return a.flag("shortcut") && c1 === c2 ? b.add2(z, x) : z;
  }),
  SPPELAN: unary(base, "c1, c2, c3, k=5", (b, x, a) => {
    const c3 = a.int("c3");
    const y = pooledChain(b, unit(b.at("cv1"), x, a.int("c1"), c3), a.int("k"), 3);
    return unit(b.at("cv5"), y, 4 * c3, a.int("c2"));
  }),
  CBLinear: unary(splitLinear, "c1, c2s, k=1, s=1, p=None, g=1", (b, x, a) => {
    const widths = a.ints("c2s");
    const total = widths.reduce((sum, width) => sum + width, 0);
    const y = b.conv("conv", x, a.int("c1"), total, { ...unitOptions(a, "kspg"), bias: true });
    return b.split(y, widths);
  }),
  // One entry of every list, resized to the last input, all summed: as large as the last input.
  CBFuse: define(last, "idx", (b, inputs, a) => {
    const like = tensorOf(inputs.at(-1));
    const picks = a.ints("idx").map((pick, index) => {
      const list = inputs[index];
      return Array.isArray(list) ? (list.at(pick) ?? null) : tensorOf(list);
    });
    return b.one("Add", "add", [...picks.map((pick) => b.one("ResizeLike", "resize", [pick, like])), like]);
  }),
  HGStem: unary(stem, "c1, cm, c2", (b, x, a) => {
    const [c1, cm, c2] = [a.int("c1"), a.int("cm"), a.int("c2")];
    const half = Math.floor(cm / 2);
    const act = "ReLU";
    const y = padEnd(b, unit(b.at("stem1"), x, c1, cm, { k: 3, s: 2, act }));
    const narrow = padEnd(b, unit(b.at("stem2a"), y, cm, half, { k: 2, p: 0, act }));
    const left = unit(b.at("stem2b"), narrow, half, cm, { k: 2, p: 0, act });
    const right = b.one("MaxPool2d", "pool", [y], { kernel_size: 2, stride: 1, ceil_mode: true });
    const z = unit(b.at("stem3"), b.concat([right, left]), 2 * cm, cm, { k: 3, s: 2, act });
    return unit(b.at("stem4"), z, cm, c2, { act });
  }),
  HGBlock: unary(hgBlock, "c1, cm, c2, k=3, n=6, lightconv=False, shortcut=False, act='nn.ReLU()'", (b, x, a) => {
    const [c1, cm, c2, n] = [a.int("c1"), a.int("cm"), a.int("c2"), a.int("n")];
    const [k, act] = [a.size("k"), actOf(a)];
    const parts = [x];
    for (let index = 0; index < n; index++) {
      const [at, from] = [b.at(`m.${index}`), index === 0 ? c1 : cm];
      const y = parts.at(-1)!;
      parts.push(a.flag("lightconv") ? light(at, y, from, cm, k, act) : unit(at, y, from, cm, { k, act }));
    }
    const squeezed = unit(b.at("sc"), b.concat(parts), c1 + n * cm, Math.floor(c2 / 2), { act });
    const y = unit(b.at("ec"), squeezed, Math.floor(c2 / 2), c2, { act });
    return a.flag("shortcut") && c1 === c2 ? b.add2(y, x) : y;
  }),
  ResNetLayer: unary(resNet, "c1, c2, s=1, is_first=False, n=1, e=4", (b, x, a) => {
    const [c1, c2, s, e] = [a.int("c1"), a.int("c2"), a.int("s"), a.int("e")];
    if (a.flag("is_first"))
      return b.maxPool("layer.1", unit(b.at("layer.0"), x, c1, c2, { k: 7, s: 2, p: 3 }), 3, 2, 1);
    let y = resNetBlock(b.at("layer.0"), x, c1, c2, s, e);
    for (let index = 1; index < a.int("n"); index++) y = resNetBlock(b.at(`layer.${index}`), y, e * c2, c2, 1, e);
    return y;
  }),
};
