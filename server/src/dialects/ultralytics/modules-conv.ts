/**
 * The convolution family, resampling and joining modules. Source: facts, sections 2.1, 2.3, 2.7, 2.8.
 */
import { operators } from "#shared/ops/index.ts";
import type { Activation, Block, ConvOptions, Size, Wire } from "./block.ts";
import { samePad } from "./block.ts";
import {
  base,
  batchNorm,
  declared,
  define,
  first,
  joining,
  type Module,
  sum,
  tensorOf,
  times,
  unary,
  verbatim,
} from "./rows.ts";
import { type Arguments, RowRefusal } from "./signature.ts";

export interface UnitOptions extends ConvOptions {
  readonly act?: Activation;
}

/** Convolution without bias, batch normalisation, activation. */
export function unit(b: Block, x: Wire, c1: number, c2: number, options: UnitOptions = {}): Wire {
  return b.activate(b.norm("bn", b.conv("conv", x, c1, c2, options), c2), options.act ?? true);
}

/** A unit with as many groups as the widths share. */
export function depthwise(b: Block, x: Wire, c1: number, c2: number, options: UnitOptions = {}): Wire {
  return unit(b, x, c1, c2, { ...options, g: gcd(c1, c2) });
}

export function gcd(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}

/** Half the output by a convolution, half by a cheap depthwise one. */
export function ghost(
  b: Block,
  x: Wire,
  c1: number,
  c2: number,
  { k = 1, s = 1, g = 1, act = true }: UnitOptions = {},
): Wire {
  const half = Math.floor(c2 / 2);
  const y = unit(b.at("cv1"), x, c1, half, { k, s, g, act });
  const z = unit(b.at("cv2"), y, half, half, { k: 5, g: half, act });
  return b.concat([y, z]);
}

/** 3×3 and 1×1 branches added, with a normalised identity where asked and possible. */
export function rep(
  b: Block,
  x: Wire,
  c1: number,
  c2: number,
  { s = 1, g = 1, act = true, identity = false }: { s?: number; g?: number; act?: Activation; identity?: boolean } = {},
): Wire {
  const wide = unit(b.at("conv1"), x, c1, c2, { k: 3, s, p: 1, g, act: false });
  const point = unit(b.at("conv2"), x, c1, c2, { k: 1, s, p: 0, g, act: false });
  let y = b.add2(wide, point);
  if (identity && c1 === c2 && s === 1) y = b.add2(y, b.norm("bn", x, c1));
  return b.activate(y, act);
}

export function light(b: Block, x: Wire, c1: number, c2: number, k: Size, act: Activation): Wire {
  return depthwise(b.at("conv2"), unit(b.at("conv1"), x, c1, c2, { act: false }), c2, c2, { k, act });
}

/** Every second pixel of each phase as channels: 4c, half the size. Rows first, then columns. */
export function spaceToDepth(b: Block, x: Wire): Wire {
  const phases = [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ] as const;
  return b.concat(phases.map(([row, column]) => b.every(b.every(x, 2, row, 2), 3, column, 2)));
}

/** The argument `act`: True is the default, a call such as `nn.ReLU()` another, anything else none. */
export function actOf(a: Arguments, name = "act"): Activation {
  const value = a.raw(name);
  if (value === true) return true;
  return typeof value === "string" ? (activationOf(value) ?? false) : false;
}

/** The operator that `nn.ReLU()` or `torch.nn.LeakyReLU(0.1)` names, or null. */
export function activationOf(expression: string): string | null {
  const name = /^(?:torch\.)?nn\.(\w+)\s*\(.*\)$/.exec(expression.trim())?.[1];
  return name !== undefined && operators.has(name) ? name : null;
}

/** k, s, p, g, d and act where the signature has them. */
export function unitOptions(a: Arguments, names: string): UnitOptions {
  const options: { -readonly [K in keyof UnitOptions]: UnitOptions[K] } = {};
  for (const name of names) {
    if (name === "k") options.k = a.size("k");
    else if (name === "s") options.s = a.size("s");
    else if (name === "p") options.p = a.sizeOrNull("p");
    else if (name === "g") options.g = a.positive("g");
    else if (name === "d") options.d = a.positive("d");
    else if (name === "a") options.act = actOf(a);
  }
  return options;
}

const widths = (a: Arguments): readonly [number, number] => [a.int("c1"), a.int("c2")];

const conv = unary(base, "c1, c2, k=1, s=1, p=None, g=1, d=1, act=True", (b, x, a) =>
  unit(b, x, ...widths(a), unitOptions(a, "kspgda")),
);

const repConv = unary(verbatim, "c1, c2, k=3, s=1, p=1, g=1, d=1, act=True, bn=False", (b, x, a) => {
  if (a.size("k") !== 3) a.refuse("k", "3");
  if (a.sizeOrNull("p") !== 1) a.refuse("p", "1");
  return rep(b, x, ...widths(a), { s: a.int("s"), g: a.positive("g"), act: actOf(a), identity: a.flag("bn") });
});

/** yolov7: the identity branch is always there where it can be. */
const repConv7 = unary(base, "c1, c2, k=3, s=1, p=None, g=1, act=True", (b, x, a) => {
  if (a.size("k") !== 3) a.refuse("k", "3");
  return rep(b, x, ...widths(a), { s: a.int("s"), g: a.positive("g"), act: actOf(a), identity: true });
});

function transposed(
  b: Block,
  x: Wire,
  a: Arguments,
  label: string,
  parts: { g?: number; op?: number; bias: boolean },
): Wire {
  const [c1, c2] = widths(a);
  return b.one("ConvTranspose2d", label, [x], {
    in_channels: c1,
    out_channels: c2,
    kernel_size: a.size("k"),
    stride: a.size("s"),
    padding: a.size("p"),
    output_padding: parts.op ?? 0,
    groups: parts.g ?? 1,
    bias: parts.bias,
  });
}

const down = unary(base, "c1, c2", (b, x, a) => {
  const [c1, c2] = widths(a);
  const half = Math.floor(c2 / 2);
  if (c1 % 2 !== 0) {
    const why = "the two halves go through branches of equal width";
    throw new RowRefusal("not-divisible", undefined, { what: "input channels", size: c1, by: 2, why });
  }
  const [left, right] = b.chunk(b.avgPool("avg", x, 2, 1), 2);
  const y = unit(b.at("cv1"), left!, Math.floor(c1 / 2), half, { k: 3, s: 2, p: 1 });
  const pooled = b.maxPool("max", right ?? null, 3, 2, 1);
  return b.concat([y, unit(b.at("cv2"), pooled, Math.floor(c1 / 2), half, { k: 1, s: 1, p: 0 })]);
});

const contract = (row: { given: readonly { value: unknown }[] }): number => {
  const gain = row.given[0]?.value;
  return typeof gain === "number" ? gain : 2;
};

/** A module of torch.nn by its own name, with its own parameters in their order. */
function torch(signature: string, rule = verbatim): Module {
  return unary(rule, signature, (b, x, a) => {
    const attrs = Object.fromEntries(a.entries());
    return b.one(a.module.slice("nn.".length), "op", [x], attrs);
  });
}

const torchModules: Readonly<Record<string, Module>> = {
  "nn.Conv2d": torch("in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True"),
  "nn.ConvTranspose2d": torch(
    "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1",
    base,
  ),
  "nn.MaxPool2d": torch("kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"),
  "nn.AvgPool2d": torch("kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"),
  "nn.AdaptiveAvgPool2d": torch("output_size"),
  "nn.AdaptiveMaxPool2d": torch("output_size"),
  "nn.BatchNorm2d": torch("num_features", batchNorm),
  "nn.ZeroPad2d": torch("padding"),
  "nn.Flatten": torch("start_dim=1, end_dim=-1"),
  "nn.PixelShuffle": torch("upscale_factor"),
  "nn.PixelUnshuffle": torch("downscale_factor"),
};

/** Layers that keep every size; their arguments do not matter to it. */
const NEUTRAL = [
  "Identity",
  "Dropout",
  "Dropout2d",
  "SiLU",
  "ReLU",
  "ReLU6",
  "LeakyReLU",
  "GELU",
  "ELU",
  "Mish",
  "Hardswish",
  "Sigmoid",
  "Tanh",
];

const neutral: Readonly<Record<string, Module>> = Object.fromEntries(
  NEUTRAL.map((name) => [
    `nn.${name}`,
    unary(verbatim, "a=None, b=None, c=None, d=None", (b, x) => b.one(name, "op", [x])),
  ]),
);

const upsample = unary(
  verbatim,
  "size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None",
  (b, x, a) => {
    const size = a.raw("size");
    const factor = a.raw("scale_factor");
    if (size === null && factor === null) {
      throw new RowRefusal("missing-parameter", undefined, { name: "scale_factor", of: "nn.Upsample" });
    }
    return b.one("Upsample", "op", [x], { size, scale_factor: factor, mode: a.text("mode") });
  },
);

const concat = joining(sum, "dimension=1", (b, inputs, a) =>
  b.one("Concat", "op", inputs, { dim: a.int("dimension") }),
);

/** The modules that every builder knows. */
export const convModules: Readonly<Record<string, Module>> = {
  ...torchModules,
  ...neutral,
  "nn.Upsample": upsample,
  Conv: conv,
  Conv2: unary(verbatim, "c1, c2, k=3, s=1, p=None, g=1, d=1, act=True", (b, x, a) => {
    const [c1, c2] = widths(a);
    const { act = true, ...options } = unitOptions(a, "kspgda");
    const wide = b.conv("conv", x, c1, c2, options);
    const point = b.conv("cv2", x, c1, c2, { ...options, k: 1, p: samePad(1, options.d) });
    return b.activate(b.norm("bn", b.add2(wide, point), c2), act);
  }),
  DWConv: unary(base, "c1, c2, k=1, s=1, d=1, act=True", (b, x, a) =>
    depthwise(b, x, ...widths(a), unitOptions(a, "ksda")),
  ),
  LightConv: unary(verbatim, "c1, c2, k=1, act='nn.ReLU()'", (b, x, a) =>
    light(b, x, ...widths(a), a.size("k"), actOf(a)),
  ),
  GhostConv: unary(base, "c1, c2, k=1, s=1, g=1, act=True", (b, x, a) =>
    ghost(b, x, ...widths(a), unitOptions(a, "ksga")),
  ),
  RepConv: repConv,
  ConvTranspose: unary(base, "c1, c2, k=2, s=2, p=0, bn=True, act=True", (b, x, a) => {
    const norm = a.flag("bn");
    const y = transposed(b, x, a, "conv_transpose", { bias: !norm });
    return b.activate(norm ? b.norm("bn", y, a.int("c2")) : y, actOf(a));
  }),
  DWConvTranspose2d: unary(base, "c1, c2, k=1, s=1, p=0, p2=0", (b, x, a) =>
    transposed(b, x, a, "conv", { g: gcd(...widths(a)), op: a.int("p2"), bias: true }),
  ),
  Focus: unary(base, "c1, c2, k=1, s=1, p=None, g=1, act=True", (b, x, a) =>
    unit(b.at("conv"), spaceToDepth(b, x), 4 * a.int("c1"), a.int("c2"), unitOptions(a, "kspga")),
  ),
  Concat: concat,
  Index: define(declared, "c2, index=0", (b, [list], a) => {
    if (Array.isArray(list)) return list.at(a.int("index")) ?? null;
    return b.foreign("Index", tensorOf(list), a.positive("c2"));
  }),
  TorchVision: unary(declared, "c2, model, weights='DEFAULT', unwrap=True, truncate=2, split=False", (b, x, a) =>
    b.foreign(`TorchVision ${a.text("model")}`, x, a.positive("c2")),
  ),
  ADown: down,
  AConv: unary(base, "c1, c2", (b, x, a) =>
    unit(b.at("cv1"), b.avgPool("avg", x, 2, 1), ...widths(a), { k: 3, s: 2, p: 1 }),
  ),
  SCDown: unary(base, "c1, c2, k, s", (b, x, a) => {
    const [c1, c2] = widths(a);
    return unit(b.at("cv2"), unit(b.at("cv1"), x, c1, c2), c2, c2, { ...unitOptions(a, "ks"), g: c2, act: false });
  }),
};

/** yolov5 (and v3): helpers that reshape, and mixed kernels. */
export const convModulesV5: Readonly<Record<string, Module>> = {
  CrossConv: unary(base, "c1, c2, k=3, s=1, g=1, e=1.0, shortcut=False", (b, x, a) => {
    const [c1, c2] = widths(a);
    const [k, s] = [a.int("k"), a.int("s")];
    const hidden = Math.trunc(c2 * a.number("e"));
    const y = unit(b.at("cv1"), x, c1, hidden, { k: [1, k], s: [1, s] });
    const z = unit(b.at("cv2"), y, hidden, c2, { k: [k, 1], s: [s, 1], g: a.positive("g") });
    return a.flag("shortcut") && c1 === c2 ? b.add2(x, z) : z;
  }),
  MixConv2d: unary(base, "c1, c2, k=[1, 3], s=1, equal_ch=True", (b, x, a) => {
    const [c1, c2] = widths(a);
    const kernels = a.ints("k");
    const share = (index: number) =>
      Math.floor(((index + 1) * c2) / kernels.length) - Math.floor((index * c2) / kernels.length);
    const parts = kernels.map((k, index) =>
      b.conv(`m.${index}`, x, c1, share(index), { k, s: a.int("s"), p: Math.floor(k / 2), g: gcd(c1, share(index)) }),
    );
    return b.activate(b.norm("bn", b.concat(parts), c2), "SiLU");
  }),
  Contract: unary(
    times((row) => contract(row) ** 2),
    "gain=2",
    (b, x, a) => b.one("PixelUnshuffle", "op", [x], { downscale_factor: a.positive("gain") }),
  ),
  Expand: unary(
    times((row) => 1 / contract(row) ** 2),
    "gain=2",
    (b, x, a) => b.one("PixelShuffle", "op", [x], { upscale_factor: a.positive("gain") }),
  ),
};

/** yolov7: plain pools and channel surgery by name. */
export const convModulesV7: Readonly<Record<string, Module>> = {
  "nn.Conv2d": { ...convModules["nn.Conv2d"]!, rule: base },
  Conv: unary(base, "c1, c2, k=1, s=1, p=None, g=1, act=True", (b, x, a) =>
    unit(b, x, ...widths(a), unitOptions(a, "kspga")),
  ),
  RepConv: repConv7,
  MP: unary(verbatim, "k=2", (b, x, a) => b.maxPool("m", x, a.size("k"), a.size("k"))),
  SP: unary(verbatim, "k=3, s=1", (b, x, a) => b.maxPool("m", x, a.int("k"), a.int("s"), Math.floor(a.int("k") / 2))),
  ReOrg: unary(
    times(() => 4),
    "",
    spaceToDepth,
  ),
  Chuncat: joining(sum, "dimension=1", (b, inputs, a) => {
    const halves = inputs.map((x) => b.chunk(x, 2, a.int("dimension")));
    return b.concat([...halves.map(([left]) => left!), ...halves.map(([, right]) => right!)], a.int("dimension"));
  }),
  Shortcut: joining(first, "dimension=0", (b, inputs) => b.one("Add", "add", inputs)),
  Foldcut: unary(
    times(() => 0.5),
    "dimension=0",
    (b, x, a) => {
      const [left, right] = b.chunk(x, 2, a.int("dimension"));
      return b.add2(left!, right!);
    },
  ),
  RobustConv: unary(base, "c1, c2, k=7, s=1, p=None, g=1, act=True, layer_scale_init_value=1e-6", (b, x, a) => {
    const [c1, c2] = widths(a);
    const y = unit(b.at("conv_dw"), x, c1, c1, { ...unitOptions(a, "ksp"), g: c1, act: actOf(a) });
    return b.weights("gamma", b.conv("conv1x1", y, c1, c2, { p: 0, bias: true }), c2);
  }),
  RobustConv2: unary(base, "c1, c2, k=7, s=4, p=None, g=1, act=True, layer_scale_init_value=1e-6", (b, x, a) => {
    const [c1, c2] = widths(a);
    const s = a.int("s");
    const y = unit(b.at("conv_strided"), x, c1, c1, { ...unitOptions(a, "ksp"), g: c1, act: actOf(a) });
    const attrs = { in_channels: c1, out_channels: c2, kernel_size: s, stride: s };
    return b.weights("gamma", b.one("ConvTranspose2d", "conv_deconv", [y], attrs), c2);
  }),
};

/** yolov13: depthwise-separable unit with one normalisation. */
export function separable(b: Block, x: Wire, c1: number, c2: number, k: number, d = 1, s = 1): Wire {
  const y = b.conv("pw", b.conv("dw", x, c1, c1, { k, s, d, g: c1 }), c1, c2);
  return b.activate(b.norm("bn", y, c2), "SiLU");
}
