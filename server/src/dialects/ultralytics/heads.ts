/**
 * Heads of the Ultralytics family: detection, segmentation, pose, oriented boxes, classification, RT-DETR, and the
 * text-guided ones. Source: facts, section 2.6.
 *
 * A head gives what it gives in evaluation (the first output) and, for segmentation, the prototypes (the second).
 * Decoding boxes keeps every size and is left out. Branches that only training reads are in the graph, since they are in
 * the parameter counts and are executed until fused.
 */
import type { Block, Wire } from "./block.ts";
import { depthwise, unit } from "./modules-conv.ts";
import { base, define, detect, joining, type Module, segment, tensorOf, widthsLast, widthsSecond } from "./rows.ts";
import { type Arguments, RowRefusal } from "./signature.ts";

/** A branch of a head at one level: `width` channels in, `outputs` out. */
export type Branch = (b: Block, x: Wire, width: number) => Wire;

/** Two 3×3 units, then a 1×1 convolution with bias. */
export function fullBranch(hidden: number, outputs: number): Branch {
  return (b, x, width) => {
    const y = unit(b.at(1), unit(b.at(0), x, width, hidden, { k: 3 }), hidden, hidden, { k: 3 });
    return b.conv("2", y, hidden, outputs, { bias: true });
  };
}

/** The same with depthwise-separable units. */
export function lightBranch(hidden: number, outputs: number): Branch {
  return (b, x, width) => {
    const y = unit(b.at("0.1"), depthwise(b.at("0.0"), x, width, width, { k: 3 }), width, hidden);
    const z = unit(b.at("1.1"), depthwise(b.at("1.0"), y, hidden, hidden, { k: 3 }), hidden, hidden);
    return b.conv("2", z, hidden, outputs, { bias: true });
  };
}

/** A branch at every level, its maps flattened and joined: [N, outputs, A]. */
export function everyLevel(
  b: Block,
  name: string,
  levels: readonly Wire[],
  widths: readonly number[],
  branch: Branch,
): Wire {
  const maps = levels.map((x, index) => branch(b.at(`${name}.${index}`), x, widths[index]!));
  return b.concat(
    maps.map((map) => b.one("Flatten", "flatten", [map], { start_dim: 2 })),
    2,
  );
}

/** Distances as expectations over `bins` logits: [N, 4·bins, A] → [N, 4, A]. */
export function distances(b: Block, boxes: Wire, bins: number, name = "dfl"): Wire {
  if (bins <= 1) return boxes;
  const split = b.one("Unflatten", "bins", [boxes], { dim: 1, unflattened_size: [4, bins] });
  const weights = b.one("Softmax", "softmax", [b.transpose(split, 1, 2)], { dim: 1 });
  const mean = b.conv(`${name}.conv`, weights, bins, 1, { p: 0 });
  return b.one("Flatten", "flatten", [mean], { start_dim: 1, end_dim: 2 });
}

/** What a detection head is made of, beyond the levels. */
interface Parts {
  readonly widths: readonly number[];
  readonly bins: number;
  readonly end2end: boolean;
  readonly box: Branch;
  readonly score: Branch;
  /** One more branch per head: mask coefficients, keypoints, angles. */
  readonly extra?: { readonly name: string; readonly branch: Branch };
}

/** The evaluation output: [N, 4 + nc + extra, A], or the best 300 rows where the head is end to end. */
function detection(b: Block, levels: readonly Wire[], parts: Parts): Wire {
  const { widths, bins, end2end, box, score, extra } = parts;
  const run = (copy: string) => {
    const boxes = everyLevel(b, `${copy}cv2`, levels, widths, box);
    const scores = everyLevel(b, `${copy}cv3`, levels, widths, score);
    const more = extra ? everyLevel(b, `${copy}${extra.name}`, levels, widths, extra.branch) : null;
    return { boxes, scores, more };
  };
  const many = run("");
  const { boxes, scores, more } = end2end ? run("one2one_") : many;
  const classes = b.one("Sigmoid", "sigmoid", [scores]);
  const decoded = distances(b, boxes, bins);
  if (!end2end) return b.concat(extra ? [decoded, classes, more] : [decoded, classes]);
  // Rows are positions: the best class of each is chosen, then the best rows.
  const best = b.one("TopK", "score", [classes], { k: 1, clip: true });
  const columns = b.concat(extra ? [decoded, best, best, more] : [decoded, best, best]);
  return b.one("TopK", "rows", [b.transpose(columns, 1, 2)], { k: 300, clip: true });
}

/** nc, reg_max, end2end and the levels' widths, and the branches that follow from them. */
function detectParts(b: Block, a: Arguments, { legacy = b.site.legacy, outputs = a.positive("nc") } = {}): Parts {
  const widths = levelWidths(a);
  const first = widths[0]!;
  const bins = a.positive("reg_max");
  const hidden = Math.max(first, Math.min(a.positive("nc"), 100));
  const boxHidden = Math.max(16, Math.floor(first / 4), 4 * bins);
  return {
    widths,
    bins,
    end2end: a.flag("end2end"),
    box: fullBranch(boxHidden, 4 * bins),
    score: legacy ? fullBranch(hidden, outputs) : lightBranch(hidden, outputs),
  };
}

/** The widths of the levels. @throws RowRefusal where there is no level. */
export function levelWidths(a: Arguments): readonly number[] {
  const widths = a.ints("ch");
  if (widths.length === 0)
    throw new RowRefusal("bad-value", "ch", { name: "from", value: [], expected: "at least one layer to detect on" });
  return widths;
}

/** Mask prototypes at twice the first level's size. `learned`: a transposed convolution doubles it, else nearest. */
export function proto(b: Block, x: Wire, c1: number, hidden: number, outputs: number, learned = true): Wire {
  const y = unit(b.at("cv1"), x, c1, hidden, { k: 3 });
  const doubled = learned
    ? b.one("ConvTranspose2d", "upsample", [y], {
        in_channels: hidden,
        out_channels: hidden,
        kernel_size: 2,
        stride: 2,
      })
    : b.one("Upsample", "upsample", [y], { scale_factor: 2 });
  return unit(b.at("cv3"), unit(b.at("cv2"), doubled, hidden, hidden, { k: 3 }), hidden, outputs);
}

/** Prototypes from all levels, with the semantic branch that training reads. */
function protoOfAll(
  b: Block,
  levels: readonly Wire[],
  widths: readonly number[],
  hidden: number,
  outputs: number,
  nc: number,
): Wire {
  const first = widths[0]!;
  const fused = levels.slice(1).reduce<Wire>((sum, x, index) => {
    const y = unit(b.at(`feat_refine.${index}`), x, widths[index + 1]!, first);
    return b.add2(sum, b.one("ResizeLike", "resize", [y, levels[0]!]));
  }, levels[0]!);
  fullBranch(hidden, nc)(b.at("semseg"), fused, first);
  return proto(b, unit(b.at("feat_fuse"), fused, first, hidden, { k: 3 }), hidden, hidden, outputs);
}

/** Hidden width of an extra branch with this many outputs. */
function extraHidden(parts: Parts, outputs: number): number {
  return Math.max(Math.floor(parts.widths[0]! / 4), outputs);
}

function withExtra(parts: Parts, outputs: number): Parts {
  return { ...parts, extra: { name: "cv4", branch: fullBranch(extraHidden(parts, outputs), outputs) } };
}

/** Keypoints and their dimensions. */
function keypoints(a: Arguments): readonly [number, number] {
  const shape = a.raw("kpt_shape");
  const [count, dims] = Array.isArray(shape) ? shape : [];
  if (typeof count === "number" && typeof dims === "number") return [count, dims];
  return a.refuse("kpt_shape", "a list [keypoints, dimensions], e.g. [17, 3]");
}

/** RealNVP's twelve small MLPs, as one count. */
const FLOW_PARAMETERS = 53_784;

const DETECT = "nc, reg_max=16, end2end=False, ch=[]";

function textCount(a: Arguments, levels: number): number {
  return levels * (a.flag("with_bn") ? 2 * a.int("embed") + 2 : 2);
}

/** The visual prompt encoder of YOLOE, and the text branch, as operators beside the data path. */
function prompts(b: Block, levels: readonly Wire[], parts: Parts, embed: number, hidden: number): void {
  const first = levels[0] ?? null;
  b.weights("reprta", first, (embed + 1) * 4 * embed + (2 * embed + 1) * embed);
  for (const [index, width] of parts.widths.entries()) {
    const x = levels[index] ?? null;
    const at = b.at("savpe");
    unit(at.at(`cv1.${index}.1`), unit(at.at(`cv1.${index}.0`), x, width, hidden, { k: 3 }), hidden, hidden, { k: 3 });
    unit(at.at(`cv2.${index}.0`), x, width, hidden);
  }
  const joined = 3 * hidden;
  const unitOf = (c1: number, c2: number) => c1 * c2 * 9 + 2 * c2;
  const convOf = (c1: number, c2: number, k: number) => c1 * c2 * k * k + c2;
  const rest = convOf(joined, embed, 1) + convOf(joined, 16, 3) + convOf(1, 16, 3) + unitOf(32, 16) + convOf(16, 16, 3);
  b.weights("savpe", first, rest);
}

function yoloe(b: Block, levels: readonly Wire[], a: Arguments): Parts {
  const embed = a.positive("embed");
  const parts = detectParts(b, a, { outputs: embed });
  const hidden = Math.max(parts.widths[0]!, Math.min(a.positive("nc"), 100));
  if (hidden > embed) a.refuse("embed", `at least ${hidden}, the hidden width of the class branch`);
  prompts(b, levels, parts, embed, hidden);
  return parts;
}

/** Scores against text embeddings: as many rows as texts, for which nc stands. */
function byText(branch: Branch, a: Arguments): Branch {
  return (b, x, width) => {
    const y = b.weights("contrast", branch(b, x, width), textCount(a, 1), ...b.text);
    return b.one("Slice", "texts", [y], { dim: 1, end: a.positive("nc") });
  };
}

export const headModules: Readonly<Record<string, Module>> = {
  Detect: joining(detect, DETECT, (b, levels, a) => detection(b, levels, detectParts(b, a))),
  v10Detect: joining(widthsLast, "nc, ch", (b, levels, a) => detection(b, levels, v10Parts(a))),
  Segment: joining(segment, "nc, nm=32, npr=256, reg_max=16, end2end=False, ch=[]", (b, levels, a) => {
    const parts = detectParts(b, a);
    const [nm, npr] = [a.positive("nm"), a.int("npr")];
    return [detection(b, levels, withExtra(parts, nm)), proto(b.at("proto"), levels[0]!, parts.widths[0]!, npr, nm)];
  }),
  Segment26: joining(segment, "nc, nm=32, npr=256, reg_max=16, end2end=False, ch=[]", (b, levels, a) => {
    const parts = detectParts(b, a);
    const [nm, npr] = [a.positive("nm"), a.int("npr")];
    return [
      detection(b, levels, withExtra(parts, nm)),
      protoOfAll(b.at("proto"), levels, parts.widths, npr, nm, a.positive("nc")),
    ];
  }),
  Pose: joining(detect, "nc, kpt_shape=[17, 3], reg_max=16, end2end=False, ch=[]", (b, levels, a) => {
    const [count, dims] = keypoints(a);
    return detection(b, levels, withExtra(detectParts(b, a), count * dims));
  }),
  Pose26: joining(detect, "nc, kpt_shape=[17, 3], reg_max=16, end2end=False, ch=[]", (b, levels, a) => {
    const [count, dims] = keypoints(a);
    const parts = detectParts(b, a);
    const hidden = extraHidden(parts, count * (dims + 2));
    const branch: Branch = (at, x, width) => {
      const y = unit(at.at(1), unit(at.at(0), x, width, hidden, { k: 3 }), hidden, hidden, { k: 3 });
      at.conv("sigma", y, hidden, 2 * count, { bias: true });
      return at.conv("kpts", y, hidden, count * dims, { bias: true });
    };
    const y = detection(b, levels, { ...parts, extra: { name: "cv4", branch } });
    return b.weights("flow_model", y, FLOW_PARAMETERS);
  }),
  OBB: joining(detect, "nc, ne=1, reg_max=16, end2end=False, ch=[]", (b, levels, a) =>
    detection(b, levels, withExtra(detectParts(b, a), a.positive("ne"))),
  ),
  Classify: define(base, "c1, c2, k=1, s=1, p=None, g=1", (b, inputs, a) => {
    const c2 = a.int("c2");
    const options = { k: a.size("k"), s: a.size("s"), p: a.sizeOrNull("p"), g: a.positive("g") };
    const y = unit(b.at("conv"), tensorOf(inputs[0]), a.int("c1"), 1280, options);
    const flat = b.one("Flatten", "flatten", [b.one("AdaptiveAvgPool2d", "pool", [y], { output_size: 1 })]);
    return b.one("Softmax", "softmax", [b.linear("linear", flat, 1280, c2)], { dim: 1 });
  }),
  SemanticSegment: joining(widthsLast, "nc=19, ch=[]", (b, levels, a) => {
    const widths = levelWidths(a);
    const [nc, first] = [a.positive("nc"), widths[0]!];
    const branch = (at: Block, x: Wire, width: number) =>
      at.conv("1", unit(at.at(0), x, width, first, { k: 3 }), first, nc, { bias: true });
    if (widths.length > 1) branch(b.at("aux_head"), levels[1]!, widths[1]!);
    return branch(b.at("classifier"), levels[0]!, first);
  }),
  WorldDetect: joining(detect, "nc, embed=512, with_bn=False, reg_max=16, end2end=False, ch=[]", (b, levels, a) => {
    const parts = detectParts(b, a, { legacy: true, outputs: a.positive("embed") });
    return detection(b, levels, { ...parts, score: byText(parts.score, a) });
  }),
  YOLOEDetect: joining(detect, "nc, embed=512, with_bn=False, reg_max=16, end2end=False, ch=[]", (b, levels, a) => {
    const parts = yoloe(b, levels, a);
    return detection(b, levels, { ...parts, score: byText(parts.score, a) });
  }),
  YOLOESegment: joining(
    segment,
    "nc, nm=32, npr=256, embed=512, with_bn=False, reg_max=16, end2end=False, ch=[]",
    (b, levels, a) => {
      const parts = yoloe(b, levels, a);
      const [nm, npr] = [a.positive("nm"), a.int("npr")];
      const masked = withExtra({ ...parts, score: byText(parts.score, a) }, nm);
      return [detection(b, levels, masked), proto(b.at("proto"), levels[0]!, parts.widths[0]!, npr, nm)];
    },
  ),
  RTDETRDecoder: joining(widthsSecond, "nc, ch, hd=256, nq=300, ndp=4, nh=8, ndl=6, d_ffn=1024", transformerDecoder),
};

/** Heads whose names the fork or a later release adds, with the same parts. */
export const headAliases: Readonly<Record<string, string>> = { OBB26: "OBB", YOLOESegment26: "YOLOESegment" };

/** v10: always end to end, always the light class branch, 16 bins. */
function v10Parts(a: Arguments): Parts {
  const widths = levelWidths(a);
  const first = widths[0]!;
  const nc = a.positive("nc");
  return {
    widths,
    bins: 16,
    end2end: true,
    box: fullBranch(Math.max(16, Math.floor(first / 4), 64), 64),
    score: lightBranch(Math.max(first, Math.min(nc, 100)), nc),
  };
}

/** Fully connected layers with ReLU between them. */
function mlp(b: Block, x: Wire, widths: readonly number[]): Wire {
  let y = x;
  for (let index = 0; index + 1 < widths.length; index++) {
    if (index > 0) y = b.one("ReLU", "act", [y]);
    y = b.linear(`layers.${index}`, y, widths[index]!, widths[index + 1]!);
  }
  return y;
}

/** Levels to one width and one sequence; the best `nq` tokens become queries; decoder layers refine them. */
function transformerDecoder(b: Block, levels: readonly Wire[], a: Arguments): Wire {
  const widths = levelWidths(a);
  const [nc, hd, nq, nh] = [a.positive("nc"), a.positive("hd"), a.positive("nq"), a.positive("nh")];
  const samples = nh * widths.length * a.positive("ndp");
  const maps = levels.map((x, index) => {
    const y = b.norm(`input_proj.${index}.1`, b.conv(`input_proj.${index}.0`, x, widths[index]!, hd), hd);
    return b.transpose(b.one("Flatten", "flatten", [y], { start_dim: 2 }), 1, 2);
  });
  const memory = b.concat(maps, 1);
  const features = b.layerNorm("enc_output.1", b.linear("enc_output.0", memory, hd, hd), hd);
  const scores = b.linear("enc_score_head", features, hd, nc);
  const places = mlp(b.at("enc_bbox_head"), features, [hd, hd, hd, 4]);
  // The classes of the training-time denoising queries.
  let queries = b.weights("denoising_class_embed", b.one("TopK", "queries", [features], { k: nq }), nc * hd);
  let boxes = b.one("TopK", "boxes", [places], { k: nq });
  b.one("TopK", "scores", [scores], { k: nq });
  let classes: Wire = null;
  for (let index = 0; index < a.int("ndl"); index++) {
    const at = b.at(`decoder.layers.${index}`);
    const placed = b.add2(
      queries,
      mlp(index === 0 ? b.at("query_pos_head") : b.at("query_pos_head").again(), boxes, [4, 2 * hd, hd]),
    );
    const own = at.one("MultiheadAttention", "self_attn", [placed, placed, queries], { embed_dim: hd, num_heads: nh });
    let y = at.layerNorm("norm1", b.add2(queries, own), hd);
    const cross = at.at("cross_attn");
    const offsets = cross.linear("sampling_offsets", y, hd, samples * 2);
    const weights = cross.one("Softmax", "softmax", [cross.linear("attention_weights", y, hd, samples)], { dim: -1 });
    const sampled = cross.one("DeformableSampling", "sample", [
      cross.linear("value_proj", memory, hd, hd),
      offsets,
      weights,
    ]);
    y = at.layerNorm("norm2", b.add2(y, cross.linear("output_proj", sampled, hd, hd)), hd);
    const fed = at.linear(
      "linear2",
      at.one("ReLU", "act", [at.linear("linear1", y, hd, a.positive("d_ffn"))]),
      a.positive("d_ffn"),
      hd,
    );
    queries = at.layerNorm("norm3", b.add2(y, fed), hd);
    boxes = b.add2(boxes, mlp(b.at(`dec_bbox_head.${index}`), queries, [hd, hd, hd, 4]));
    classes = b.linear(`dec_score_head.${index}`, queries, hd, nc);
  }
  const best = b.one("TopK", "class", [b.one("Sigmoid", "sigmoid", [classes])], { k: 1, dim: 2, clip: true });
  return b.concat([boxes, best, best], 2);
}
