/**
 * Modules with attention, and the C2f relatives that hold them. Source: facts, section 2.5; tokens are written out as the
 * reshapes, products and softmax they are, so that their cost is exact.
 */
import type { Block, Wire } from "./block.ts";
import { unit } from "./modules-conv.ts";
import { bottleneck, c2fFrame, c3Frame, c3k, chain, type Inner } from "./modules-csp.ts";
import {
  a2c2fRule,
  base,
  c2fAttnRule,
  c3k2Rule,
  joining,
  type Module,
  repeated,
  unary,
  widthsSecond,
  withSource,
} from "./rows.ts";
import { type Arguments, RowRefusal } from "./signature.ts";

/** [N, C, H, W] → [N, C, H·W]. */
function tokens(b: Block, x: Wire): Wire {
  return b.one("Flatten", "flatten", [x], { start_dim: 2 });
}

/** Attention over the positions of a map: a product of q and k, softmax, a product with v, per head. */
function attend(
  b: Block,
  qkv: Wire,
  heads: number,
  key: number,
  value: number,
  like: Wire,
): { readonly y: Wire; readonly v: Wire } {
  const split = b.one("Unflatten", "heads", [tokens(b, qkv)], { dim: 1, unflattened_size: [heads, 2 * key + value] });
  const [q, k, v] = b.split(split, [key, key, value], 2);
  const weights = b.one("Softmax", "softmax", [b.matmul(b.transpose(q!, 2, 3), k!)], { dim: -1 });
  const y = b.matmul(v!, b.transpose(weights, 2, 3));
  return { y: b.like(y, like), v: b.like(v!, like) };
}

/** Attention with a depthwise convolution of the values as position. */
export function attention(b: Block, x: Wire, width: number, heads: number, ratio = 0.5): Wire {
  if (heads < 1) {
    throw new RowRefusal("bad-value", "out_channels", {
      name: "out_channels",
      value: width,
      expected: "wide enough for one attention head (64 hidden channels)",
    });
  }
  const value = Math.floor(width / heads);
  const key = Math.trunc(value * ratio);
  const qkv = unit(b.at("qkv"), x, width, width + 2 * key * heads, { act: false });
  const { y, v } = attend(b, qkv, heads, key, value, x);
  const pe = unit(b.at("pe"), v, width, width, { k: 3, g: width, act: false });
  return unit(b.at("proj"), b.add2(y, pe), width, width, { act: false });
}

function feedForward(b: Block, x: Wire, width: number, hidden: number): Wire {
  return unit(b.at(1), unit(b.at(0), x, width, hidden), hidden, width, { act: false });
}

export function psaBlock(b: Block, x: Wire, width: number, heads: number): Wire {
  const y = b.add2(x, attention(b.at("attn"), x, width, heads));
  return b.add2(y, feedForward(b.at("ffn"), y, width, 2 * width));
}

/** Attention within `area` equal stretches of the positions. */
function areaAttention(b: Block, x: Wire, width: number, heads: number, area: number): Wire {
  const each = Math.floor(width / heads);
  const all = each * heads;
  const qkv = unit(b.at("qkv"), x, width, 3 * all, { act: false });
  // [N, 3·all, H·W] → per head [N, heads, 3·each, area, H·W/area]; the area becomes an axis beside the heads.
  const split = b.one("Unflatten", "heads", [tokens(b, qkv)], { dim: 1, unflattened_size: [heads, 3 * each] });
  const areas = b.one("Unflatten", "area", [split], { dim: 3, unflattened_size: [area, -1] });
  const [q, k, v] = b.split(b.one("Permute", "areas", [areas], { dims: [0, 1, 3, 2, 4] }), [each, each, each], 3);
  const weights = b.one("Softmax", "softmax", [b.matmul(b.transpose(q!, 3, 4), k!)], { dim: -1 });
  const product = b.matmul(v!, b.transpose(weights, 3, 4));
  const back = (wire: Wire) => {
    const joined = b.one("Flatten", "join", [b.one("Permute", "positions", [wire], { dims: [0, 1, 3, 2, 4] })], {
      start_dim: 3,
    });
    return b.like(joined, b.chunkOf(qkv, 3));
  };
  const pe = unit(b.at("pe"), back(v!), all, all, { k: 7, g: all, act: false });
  return unit(b.at("proj"), b.add2(back(product), pe), all, width, { act: false });
}

function areaBlock(b: Block, x: Wire, width: number, heads: number, ratio: number, area: number): Wire {
  const y = b.add2(x, areaAttention(b.at("attn"), x, width, heads, area));
  return b.add2(y, feedForward(b.at("mlp"), y, width, Math.trunc(width * ratio)));
}

/** Depthwise and pointwise units in turn. */
function cib(b: Block, x: Wire, c1: number, c2: number, { shortcut = true, e = 0.5, large = false } = {}): Wire {
  const hidden = 2 * Math.trunc(c2 * e);
  const at = b.at("cv1");
  let y = unit(at.at(1), unit(at.at(0), x, c1, c1, { k: 3, g: c1 }), c1, hidden);
  if (large) {
    const wide = unit(at.at("2.conv"), y, hidden, hidden, { k: 7, p: 3, g: hidden, act: false });
    const narrow = unit(at.at("2.conv1"), y, hidden, hidden, { k: 3, p: 1, g: hidden, act: false });
    y = b.activate(b.add2(wide, narrow), "SiLU");
  } else y = unit(at.at(2), y, hidden, hidden, { k: 3, g: hidden });
  y = unit(at.at(4), unit(at.at(3), y, hidden, c2), c2, c2, { k: 3, g: c2 });
  return shortcut && c1 === c2 ? b.add2(x, y) : y;
}

/** Tokens of a map, [N, H·W, C]. */
function sequence(b: Block, x: Wire): Wire {
  return b.transpose(tokens(b, x), 1, 2);
}

function transformerLayer(b: Block, x: Wire, width: number, heads: number): Wire {
  const [q, k, v] = ["q", "k", "v"].map((name) => b.linear(name, x, width, width, false));
  const y = b.add2(b.one("MultiheadAttention", "ma", [q!, k!, v!], { embed_dim: width, num_heads: heads }), x);
  return b.add2(b.linear("fc2", b.linear("fc1", y, width, width, false), width, width, false), y);
}

function transformerBlock(b: Block, x: Wire, c1: number, c2: number, heads: number, layers: number): Wire {
  const y = c1 === c2 ? x : unit(b.at("conv"), x, c1, c2);
  const flat = sequence(b, y);
  const placed = b.add2(flat, b.linear("linear", flat, c2, c2));
  const z = chain(b, placed, layers, c2, (at, t, h) => transformerLayer(at, t, h, heads), "tr");
  return b.like(b.transpose(z, 1, 2), y);
}

/** One post-norm encoder layer over the positions of a map. */
function encoderLayer(b: Block, x: Wire, width: number, hidden: number, heads: number): Wire {
  const flat = sequence(b, x);
  const mixed = b.one("MultiheadAttention", "ma", [flat, flat, flat], { embed_dim: width, num_heads: heads });
  const y = b.layerNorm("norm1", b.add2(flat, mixed), width);
  const fed = b.linear("fc2", b.one("GELU", "act", [b.linear("fc1", y, width, hidden)]), hidden, width);
  return b.like(b.transpose(b.layerNorm("norm2", b.add2(y, fed), width), 1, 2), x);
}

/** These modules add to their input, so the builder asserts that the widths agree. */
function sameWidth(a: Arguments): number {
  const [c1, c2] = [a.int("c1"), a.int("c2")];
  if (c1 !== c2) {
    throw new RowRefusal("bad-value", "out_channels", {
      name: "out_channels",
      value: c2,
      expected: `${c1} after scaling, the width of the input of ${a.module}`,
    });
  }
  return c1;
}

function psa(b: Block, x: Wire, a: Arguments, inner: Inner): Wire {
  const width = sameWidth(a);
  const hidden = Math.trunc(width * a.number("e"));
  const [left, right] = b.chunk(unit(b.at("cv1"), x, width, 2 * hidden), 2);
  return unit(b.at("cv2"), b.concat([left!, inner(b, right!, hidden)]), 2 * hidden, width);
}

const headsOf = (width: number): number => Math.max(Math.floor(width / 64), 1);

export const attentionModules: Readonly<Record<string, Module>> = {
  C3k2: unary(c3k2Rule, "c1, c2, n=1, c3k=False, e=0.5, attn=False, g=1, shortcut=True", (b, x, a) => {
    const options = { shortcut: a.flag("shortcut"), g: a.positive("g") };
    const inner: Inner = (at, y, h) => {
      if (a.flag("attn"))
        return psaBlock(at.at(1), bottleneck(at.at(0), y, h, h, options), h, Math.max(Math.floor(h / 64), 1));
      return a.flag("c3k") ? c3k(at, y, h, h, 2, options) : bottleneck(at, y, h, h, options);
    };
    return c2fFrame(b, x, a.int("c1"), a.int("c2"), a.int("n"), a.number("e"), inner);
  }),
  PSA: unary(base, "c1, c2, e=0.5", (b, x, a) =>
    psa(b, x, a, (_, y, hidden) => {
      const z = b.add2(y, attention(b.at("attn"), y, hidden, headsOf(hidden)));
      return b.add2(z, feedForward(b.at("ffn"), z, hidden, 2 * hidden));
    }),
  ),
  C2PSA: unary(repeated, "c1, c2, n=1, e=0.5", (b, x, a) =>
    psa(b, x, a, (_, y, hidden) =>
      chain(b, y, a.int("n"), hidden, (at, z, h) => psaBlock(at, z, h, Math.floor(h / 64))),
    ),
  ),
  C2fPSA: unary(repeated, "c1, c2, n=1, e=0.5", (b, x, a) => {
    const width = sameWidth(a);
    return c2fFrame(b, x, width, width, a.int("n"), a.number("e"), (at, y, h) => psaBlock(at, y, h, headsOf(h)));
  }),
  C2fAttn: unary(c2fAttnRule, "c1, c2, n=1, ec=128, nh=1, gc=512, shortcut=False, g=1, e=0.5", (b, x, a) => {
    const options = { shortcut: a.flag("shortcut"), g: a.positive("g"), e: 1 };
    const [ec, nh] = [a.int("ec"), a.positive("nh")];
    const inner: Inner = (at, y, h) => bottleneck(at, y, h, h, options);
    // The text decides how much of each channel passes; sizes do not depend on it.
    const guided: Inner = (at, y, h) => {
      const embed = h === ec ? y : unit(at.at("attn.ec"), y, h, ec, { act: false });
      const gate = at.weights("attn.gl", embed, (a.int("gc") + 1) * ec + nh, ...at.text);
      return at.one("Mul", "guide", [unit(at.at("attn.proj_conv"), y, h, h, { k: 3, act: false }), gate]);
    };
    return c2fFrame(b, x, a.int("c1"), a.int("c2"), a.int("n"), a.number("e"), inner, guided);
  }),
  C2fCIB: unary(repeated, "c1, c2, n=1, shortcut=False, lk=False, g=1, e=0.5", (b, x, a) => {
    const options = { shortcut: a.flag("shortcut"), e: 1, large: a.flag("lk") };
    return c2fFrame(b, x, a.int("c1"), a.int("c2"), a.int("n"), a.number("e"), (at, y, h) => cib(at, y, h, h, options));
  }),
  A2C2f: unary(
    a2c2fRule,
    "c1, c2, n=1, a2=True, area=1, residual=False, mlp_ratio=2.0, e=0.5, g=1, shortcut=True",
    (b, x, a) => {
      const [c1, c2, n] = [a.int("c1"), a.int("c2"), a.int("n")];
      const hidden = Math.trunc(c2 * a.number("e"));
      if (hidden % 32 !== 0) {
        const why = "every attention head has 32 channels";
        throw new RowRefusal("not-divisible", "out_channels", {
          what: `hidden channels, c2·e = ${c2}·${a.number("e")},`,
          size: hidden,
          by: 32,
          why,
        });
      }
      const parts = [unit(b.at("cv1"), x, c1, hidden)];
      for (let index = 0; index < n; index++) {
        const at = b.at(`m.${index}`);
        const y = parts.at(-1)!;
        const options = { shortcut: a.flag("shortcut"), g: a.positive("g") };
        const attended = (place: number, z: Wire): Wire =>
          areaBlock(at.at(place), z, hidden, hidden / 32, a.number("mlp_ratio"), a.positive("area"));
        parts.push(a.flag("a2") ? attended(1, attended(0, y)) : c3k(at, y, hidden, hidden, 2, options));
      }
      const y = unit(b.at("cv2"), b.concat(parts), (1 + n) * hidden, c2);
      return a.flag("a2") && a.flag("residual") ? b.add2(x, b.weights("gamma", y, c2)) : y;
    },
  ),
  C3TR: unary(repeated, "c1, c2, n=1, shortcut=True, g=1, e=0.5", (b, x, a) =>
    c3Frame(b, x, a.int("c1"), a.int("c2"), a.number("e"), (m, y, h) =>
      transformerBlock(m.at("m"), y, h, h, 4, a.int("n")),
    ),
  ),
  AIFI: unary(withSource, "c1, cm=2048, num_heads=8", (b, x, a) =>
    encoderLayer(b, x, a.int("c1"), a.int("cm"), a.positive("num_heads")),
  ),
  // Enriches the text that later layers are guided by, and gives it.
  ImagePoolingAttn: joining(widthsSecond, "ec, ch, ct=512, nh=8, k=3, scale=False", (b, inputs, a) => {
    const [ec, ct] = [a.int("ec"), a.int("ct")];
    const pooled = a.ints("ch").map((width, index) => {
      const y = b.conv(`projections.${index}`, inputs[index] ?? null, width, ec, { bias: true });
      const cells = b.one("AdaptiveMaxPool2d", `im_pools.${index}`, [y], { output_size: a.int("k") });
      return b.one("Flatten", "flatten", [cells], { start_dim: 2 });
    });
    const count = 2 * ct + (ct + 1) * ec + 2 * (2 * ec + (ec + 1) * ec) + (ec + 1) * ct;
    const image = b.weights("attention", b.concat(pooled, 2), count, ...b.text);
    b.site.text = b.declared("text", [image], [b.site.classes, ct]);
    return b.site.text;
  }),
};
