/**
 * Modules that only the other repositories have: yolov5 and v3, yolov7, yolov9 and yolov13, with their heads.
 * Source: facts, sections 2.7 to 2.10.
 */

import type { Block, Wire } from "./block.ts";
import { type Branch, distances, everyLevel, fullBranch, levelWidths, proto } from "./heads.ts";
import { convModulesV5, convModulesV7, ghost, rep, separable, unit } from "./modules-conv.ts";
import { bottleneck, c2fFrame, c3Frame, chain, csp, type Inner, spp } from "./modules-csp.ts";
import {
  base,
  first,
  forced,
  joining,
  type Module,
  type Row,
  type Rule,
  repeated,
  times,
  unary,
  widthsLast,
  widthsLastScaled,
} from "./rows.ts";
import type { Arguments } from "./signature.ts";

/** A bottleneck of yolov5 and yolov7: 1×1, then 3×3. */
const bottleneckV5 = unary(base, "c1, c2, shortcut=True, g=1, e=0.5", (b, x, a) =>
  bottleneck(b, x, a.int("c1"), a.int("c2"), {
    shortcut: a.flag("shortcut"),
    g: a.positive("g"),
    k: [1, 3],
    e: a.number("e"),
  }),
);

const bottleneckCspV5 = unary(repeated, "c1, c2, n=1, shortcut=True, g=1, e=0.5", (b, x, a) => csp(b, x, a, 1));

/** How many anchors a level has: half the length of its list, or the number itself. */
function anchorsPerLevel(a: Arguments): number {
  const anchors = a.raw("anchors");
  if (typeof anchors === "number") return anchors;
  const level = Array.isArray(anchors) ? anchors[0] : undefined;
  return Array.isArray(level) ? Math.floor(level.length / 2) : a.refuse("anchors", "a number, or a list of lists");
}

/** One 1×1 convolution per level: [N, na·outputs, H, W] as rows [N, na·H·W, outputs]. */
function anchorRows(b: Block, levels: readonly Wire[], a: Arguments, outputs: number, implicit = false): Wire {
  const anchors = anchorsPerLevel(a);
  const all = anchors * outputs;
  const widths = levelWidths(a);
  const rows = levels.map((x, index) => {
    const width = widths[index]!;
    let y = implicit ? b.weights(`ia.${index}.implicit`, x, width) : x;
    y = b.conv(`m.${index}`, y, width, all, { bias: true });
    if (implicit) y = b.weights(`im.${index}.implicit`, y, all);
    const split = b.one("Unflatten", "anchors", [y], { dim: 1, unflattened_size: [anchors, outputs] });
    const last = b.one("Permute", "permute", [split], { dims: [0, 1, 3, 4, 2] });
    return b.one("Flatten", "flatten", [last], { start_dim: 1, end_dim: 3 });
  });
  return b.concat(rows, 1);
}

export const modulesV5: Readonly<Record<string, Module>> = {
  ...convModulesV5,
  Bottleneck: bottleneckV5,
  BottleneckCSP: bottleneckCspV5,
  C3SPP: unary(base, "c1, c2, k=[5, 9, 13], n=1, shortcut=True, g=1, e=0.5", (b, x, a) =>
    c3Frame(b, x, a.int("c1"), a.int("c2"), a.number("e"), (m, y, h) => spp(m.at("m"), y, h, h, a.ints("k"))),
  ),
  Detect: joining(widthsLast, "nc, anchors, ch", (b, levels, a) => anchorRows(b, levels, a, a.positive("nc") + 5)),
  Segment: joining(widthsLastScaled(3), "nc, anchors, nm=32, npr=256, ch=[]", (b, levels, a) => {
    const [nm, npr] = [a.positive("nm"), a.int("npr")];
    const rows = anchorRows(b, levels, a, a.positive("nc") + 5 + nm);
    return [rows, proto(b.at("proto"), levels[0]!, levelWidths(a)[0]!, npr, nm, false)];
  }),
};

/** A 1×1, 3×3, 1×1 residual block of yolov7. */
function res(b: Block, x: Wire, c1: number, c2: number, shortcut: boolean, g: number, e: number): Wire {
  const hidden = Math.trunc(c2 * e);
  const y = unit(b.at("cv2"), unit(b.at("cv1"), x, c1, hidden), hidden, hidden, { k: 3, g });
  const z = unit(b.at("cv3"), y, hidden, c2);
  return shortcut && c1 === c2 ? b.add2(x, z) : z;
}

/** yolov7's three cross-stage frames around a chain: A is the C3 frame, B splits after the first unit, C adds one. */
function stages(kind: "A" | "B" | "C", shortcut: boolean, inner: (a: Arguments) => Inner): Module {
  const signature = `c1, c2, n=1, shortcut=${shortcut ? "True" : "False"}, g=1, e=0.5`;
  return unary(repeated, signature, (b, x, a) => {
    const [c1, c2, n] = [a.int("c1"), a.int("c2"), a.int("n")];
    if (kind === "A") return c3Frame(b, x, c1, c2, a.number("e"), (m, y, h) => chain(m, y, n, h, inner(a)));
    const hidden = kind === "B" ? c2 : Math.trunc(c2 * a.number("e"));
    const y = unit(b.at("cv1"), x, c1, hidden);
    const main = chain(b, y, n, hidden, inner(a));
    if (kind === "B") return unit(b.at("cv3"), b.concat([main, unit(b.at("cv2"), y, hidden, hidden)]), 2 * hidden, c2);
    const side = unit(b.at("cv2"), x, c1, hidden);
    return unit(b.at("cv4"), b.concat([unit(b.at("cv3"), main, hidden, hidden), side]), 2 * hidden, c2);
  });
}

const plainInner = (a: Arguments): Inner => {
  const options = { shortcut: a.flag("shortcut"), g: a.positive("g"), k: [1, 3] as const, e: 1 };
  return (b, x, h) => bottleneck(b, x, h, h, options);
};
const resInner =
  (g: (a: Arguments) => number, e: number) =>
  (a: Arguments): Inner =>
  (b, x, h) =>
    res(b, x, h, h, a.flag("shortcut"), g(a), e);
/** Its repeatable parts ignore shortcut, groups and expansion. */
const repInner = (): Inner => (b, x, h) => repBottleneck(b, x, h, h, 1);

function repBottleneck(b: Block, x: Wire, c1: number, c2: number, e: number): Wire {
  const hidden = Math.trunc(c2 * e);
  const y = rep(b.at("cv2"), unit(b.at("cv1"), x, c1, hidden), hidden, c2, { identity: true });
  return c1 === c2 ? b.add2(x, y) : y;
}

const groups = (a: Arguments): number => a.positive("g");
const groups32 = (): number => 32;

function spatialPyramid(unitOf: typeof unit): Module {
  return unary(repeated, "c1, c2, n=1, shortcut=False, g=1, e=0.5, k=[5, 9, 13]", (b, x, a) => {
    const [c1, c2] = [a.int("c1"), a.int("c2")];
    const hidden = Math.trunc(2 * c2 * a.number("e"));
    const kernels = a.ints("k");
    const y = unitOf(
      b.at("cv4"),
      unitOf(b.at("cv3"), unitOf(b.at("cv1"), x, c1, hidden), hidden, hidden, { k: 3 }),
      hidden,
      hidden,
    );
    const pools = kernels.map((k, index) => b.maxPool(`m.${index}`, y, k, 1, Math.floor(k / 2)));
    const joined = unitOf(b.at("cv5"), b.concat([y, ...pools]), (kernels.length + 1) * hidden, hidden);
    const main = unitOf(b.at("cv6"), joined, hidden, hidden, { k: 3 });
    return unitOf(b.at("cv7"), b.concat([main, unitOf(b.at("cv2"), x, c1, hidden)]), 2 * hidden, c2);
  });
}

function stemV7(unitOf: typeof unit): Module {
  return unary(base, "c1, c2, k=1, s=1, p=None, g=1, act=True", (b, x, a) => {
    const [c1, c2] = [a.int("c1"), a.int("c2")];
    const half = Math.trunc(c2 / 2);
    const y = unitOf(b.at("cv1"), x, c1, half, { k: 3, s: 2 });
    const main = unitOf(b.at("cv3"), unitOf(b.at("cv2"), y, half, half), half, half, { k: 3, s: 2 });
    return unit(b.at("cv4"), b.concat([main, b.maxPool("pool", y, 2, 2)]), 2 * half, c2);
  });
}

const anchorHead = (extra: number, implicit: boolean): Module =>
  joining(widthsLast, "nc, anchors, ch", (b, levels, a) =>
    anchorRows(b, levels, a, a.positive("nc") + extra, implicit),
  );

export const modulesV7: Readonly<Record<string, Module>> = {
  ...convModulesV5,
  ...convModulesV7,
  Bottleneck: bottleneckV5,
  BottleneckCSP: bottleneckCspV5,
  SPPCSPC: spatialPyramid(unit),
  GhostSPPCSPC: spatialPyramid(ghost),
  Stem: stemV7(unit),
  GhostStem: stemV7(ghost),
  DownC: unary(repeated, "c1, c2, n=1, k=2", (b, x, a) => {
    const [c1, c2, k] = [a.int("c1"), a.int("c2"), a.int("k")];
    const half = Math.floor(c2 / 2);
    const main = unit(b.at("cv2"), unit(b.at("cv1"), x, c1, c1), c1, half, { k: 3, s: k });
    return b.concat([main, unit(b.at("cv3"), b.maxPool("mp", x, k, k), c1, half)]);
  }),
  BottleneckCSPA: stages("A", true, plainInner),
  BottleneckCSPB: stages("B", false, plainInner),
  BottleneckCSPC: stages("C", true, plainInner),
  RepBottleneck: unary(base, "c1, c2, shortcut=True, g=1, e=0.5", (b, x, a) =>
    repBottleneck(b, x, a.int("c1"), a.int("c2"), 0.5),
  ),
  RepBottleneckCSPA: stages("A", true, repInner),
  RepBottleneckCSPB: stages("B", false, repInner),
  RepBottleneckCSPC: stages("C", true, repInner),
  Res: unary(base, "c1, c2, shortcut=True, g=1, e=0.5", (b, x, a) =>
    res(b, x, a.int("c1"), a.int("c2"), a.flag("shortcut"), a.positive("g"), a.number("e")),
  ),
  ResX: unary(base, "c1, c2, shortcut=True, g=32, e=0.5", (b, x, a) =>
    res(b, x, a.int("c1"), a.int("c2"), a.flag("shortcut"), a.positive("g"), a.number("e")),
  ),
  ResCSPA: stages("A", true, resInner(groups, 0.5)),
  ResCSPB: stages("B", true, resInner(groups, 0.5)),
  ResCSPC: stages("C", true, resInner(groups, 0.5)),
  ResXCSPA: stages("A", true, resInner(groups32, 1)),
  ResXCSPB: stages("B", true, resInner(groups32, 1)),
  ResXCSPC: stages("C", true, resInner(groups32, 1)),
  Detect: anchorHead(5, false),
  IDetect: anchorHead(5, true),
  IBin: anchorHead(47, true),
  IAuxDetect: joining(widthsLast, "nc, anchors, ch", (b, levels, a) => {
    const outputs = anchorsPerLevel(a) * (a.positive("nc") + 5);
    const half = Math.floor(levels.length / 2);
    const widths = levelWidths(a);
    // The auxiliary levels are read in training only.
    for (let index = half; index < levels.length; index++) {
      b.conv(`m2.${index - half}`, levels[index]!, widths[index]!, outputs, { bias: true });
    }
    return anchorRows(b, levels.slice(0, half), a, a.positive("nc") + 5, true);
  }),
  IKeypoint: joining(widthsLast, "nc, anchors, nkpt=17, ch=[]", (b, levels, a) => {
    const widths = levelWidths(a);
    const points = 3 * a.positive("nkpt") * anchorsPerLevel(a);
    for (const [index, x] of levels.entries()) b.conv(`m_kpt.${index}`, x, widths[index]!, points, { bias: true });
    return anchorRows(b, levels, a, a.positive("nc") + 5, true);
  }),
};

/** yolov9's own heads; `groups`: how many copies of the levels the row lists (auxiliary branches first). */
function detectV9(copies: number, grouped: boolean): Module {
  return joining(widthsLast, "nc, ch", (b, levels, a) => {
    const nc = a.positive("nc");
    return lastOf(copiesV9(b, levels, levelWidths(a), nc, copies, grouped));
  });
}

function lastOf(wires: readonly Wire[]): Wire {
  return wires.at(-1) ?? null;
}

function copiesV9(
  b: Block,
  levels: readonly Wire[],
  widths: readonly number[],
  nc: number,
  copies: number,
  grouped: boolean,
): Wire[] {
  const each = Math.floor(levels.length / copies);
  return Array.from({ length: copies }, (_, copy) => {
    const own = levels.slice(copy * each, (copy + 1) * each);
    const ownWidths = widths.slice(copy * each, (copy + 1) * each);
    const start = ownWidths[0] ?? 0;
    const quarter = Math.max(Math.floor(start / 4), 64, 16);
    const hidden = Math.max(start, Math.min(2 * nc, 128));
    const box = grouped ? groupedBranch(Math.ceil(quarter / 4) * 4) : fullBranch(quarter, 64);
    const boxes = everyLevel(b, `cv${2 + 2 * copy}`, own, ownWidths, box);
    const scores = everyLevel(b, `cv${3 + 2 * copy}`, own, ownWidths, fullBranch(hidden, nc));
    const name = copy === 0 ? "dfl" : `dfl${copy + 1}`;
    return b.concat([distances(b, boxes, 16, name), b.one("Sigmoid", "sigmoid", [scores])]);
  });
}

function groupedBranch(hidden: number): Branch {
  return (b, x, width) => {
    const y = unit(b.at(1), unit(b.at(0), x, width, hidden, { k: 3 }), hidden, hidden, { k: 3, g: 4 });
    return b.conv("2", y, hidden, 64, { g: 4, bias: true });
  };
}

function masksV9(b: Block, name: string, levels: readonly Wire[], widths: readonly number[], nm: number): Wire {
  return everyLevel(b, name, levels, widths, fullBranch(Math.max(Math.floor(widths[0]! / 4), nm), nm));
}

const SEGMENT = "nc, nm=32, npr=256, ch=[]";

export const modulesV9: Readonly<Record<string, Module>> = {
  ...convModulesV5,
  Silence: unary(
    times(() => 1),
    "",
    (b, x) => b.one("Identity", "op", [x]),
  ),
  SPPCSPC: modulesV7.SPPCSPC!,
  ReOrg: convModulesV7.ReOrg!,
  Shortcut: convModulesV7.Shortcut!,
  Detect: detectV9(1, false),
  DDetect: detectV9(1, true),
  DualDetect: detectV9(2, false),
  DualDDetect: detectV9(2, true),
  TripleDetect: detectV9(3, false),
  TripleDDetect: detectV9(3, true),
  Segment: joining(widthsLastScaled(2), SEGMENT, (b, levels, a) => {
    const widths = levelWidths(a);
    const nm = a.positive("nm");
    const y = lastOf(copiesV9(b, levels, widths, a.positive("nc"), 1, false));
    return [
      b.concat([y, masksV9(b, "cv4", levels, widths, nm)]),
      proto(b.at("proto"), levels[0]!, widths[0]!, a.int("npr"), nm, false),
    ];
  }),
  DSegment: joining(widthsLastScaled(2), SEGMENT, (b, levels, a) => {
    const widths = levelWidths(a);
    const nm = a.positive("nm");
    const [heads, headWidths] = [levels.slice(0, -1), widths.slice(0, -1)];
    const y = lastOf(copiesV9(b, heads, headWidths, a.positive("nc"), 1, true));
    return [
      b.concat([y, masksV9(b, "cv4", heads, headWidths, nm)]),
      unit(b.at("proto"), levels.at(-1)!, widths.at(-1)!, nm),
    ];
  }),
  DualDSegment: joining(widthsLastScaled(2), SEGMENT, (b, levels, a) => {
    const widths = levelWidths(a);
    const nm = a.positive("nm");
    const [heads, headWidths] = [levels.slice(0, -2), widths.slice(0, -2)];
    const half = Math.floor(heads.length / 2);
    const y = lastOf(copiesV9(b, heads, headWidths, a.positive("nc"), 2, true));
    masksV9(b, "cv6", heads.slice(0, half), headWidths.slice(0, half), nm);
    const masks = masksV9(b, "cv7", heads.slice(half), headWidths.slice(half), nm);
    unit(b.at("proto"), levels.at(-2)!, widths.at(-2)!, nm);
    return [b.concat([y, masks]), unit(b.at("proto2"), levels.at(-1)!, widths.at(-1)!, nm)];
  }),
  Panoptic: joining(widthsLastScaled(2), "nc, sem_nc=93, nm=32, npr=256, ch=[]", (b, levels, a) => {
    const widths = levelWidths(a);
    const [nc, nm, quarter] = [a.positive("nc"), a.positive("nm"), Math.floor(widths[0]! / 4)];
    const y = lastOf(copiesV9(b, levels, widths, nc, 1, false));
    const semantic = unit(b.at("uconv.0"), levels[0]!, widths[0]!, quarter, { k: 3 });
    const wide = b.conv("uconv.1", semantic, quarter, a.int("sem_nc") + nc, { bias: true });
    return [
      b.concat([y, masksV9(b, "cv4", levels, widths, nm)]),
      proto(b.at("proto"), levels[0]!, widths[0]!, a.int("npr"), nm, false),
      b.one("Upsample", "uconv.2", [wide], { scale_factor: 2, mode: "bilinear" }),
    ];
  }),
};

/** yolov13's depthwise-separable bottleneck. */
function separableBottleneck(
  b: Block,
  x: Wire,
  width: number,
  shortcut: boolean,
  [k1, k2, d2]: readonly number[],
): Wire {
  const y = separable(b.at("cv1"), x, width, width, k1!);
  const z = separable(b.at("cv2"), y, width, width, k2!, d2!);
  return shortcut ? b.add2(x, z) : z;
}

function separableC3(b: Block, x: Wire, width: number, shortcut: boolean, kernels: readonly number[], e: number): Wire {
  return c3Frame(b, x, width, width, e, (m, y, hidden) =>
    chain(m, y, 2, hidden, (at, z, h) => separableBottleneck(at, z, h, shortcut, kernels)),
  );
}

const dsc3k2Rule: Rule = (row) => {
  const prepared = repeated(row);
  if (!forced(row.scaling.letter, "lx")) return prepared;
  const args = [...prepared.args];
  args[3] = { ...args[3], value: true };
  return { ...prepared, args };
};

/** HyperACE reads three maps; the width and the hyperedges follow the scale. */
const hyperRule: Rule = (row) => {
  const middle = row.sources[1]?.width;
  const { args, width } = repeated({ ...row, many: false, sources: [{ width: middle ?? 0, range: row.from.range }] });
  const rest = [...args];
  const edges = rest[3];
  const gain = row.scaling.letter === "n" ? 0.5 : row.scaling.letter === "x" ? 1.5 : 1;
  if (edges && typeof edges.value === "number") rest[3] = { ...edges, value: Math.trunc(edges.value * gain) };
  if (forced(row.scaling.letter, "lx")) rest.push({ value: false });
  return { args: rest, width, repeatsInside: true };
};

const isLarge = (row: Row): boolean => forced(row.scaling.letter, "lx");

const downsampleRule: Rule = (row) => {
  const prepared = times((r) => (isLarge(r) ? 1 : 2))(row);
  const source = row.sources[0]!;
  const args = [{ value: source.width as number }, ...row.given];
  return { ...prepared, args: isLarge(row) ? [...args, { value: false }] : args };
};

/** The hypergraph branch: a C3 frame whose middle mixes positions through learned hyperedges. */
function hyperBranch(b: Block, x: Wire, width: number, edges: number, context: string): Wire {
  const inner: Inner = (m, y, hidden) => {
    const from = context === "both" ? 2 * hidden : hidden;
    const linear = (i: number, o: number) => i * o + o;
    return m.weights("m", y, edges * hidden + linear(from, edges * hidden) + 3 * linear(hidden, hidden));
  };
  return c3Frame(b, x, width, width, 1, inner);
}

export const modulesV13: Readonly<Record<string, Module>> = {
  DSConv: unary(base, "c1, c2, k=3, s=1, p=None, d=1, bias=False", (b, x, a) =>
    separable(b, x, a.int("c1"), a.int("c2"), a.int("k"), a.positive("d"), a.int("s")),
  ),
  DSC3k2: unary(dsc3k2Rule, "c1, c2, n=1, dsc3k=False, e=0.5, g=1, shortcut=True, k1=3, k2=7, d2=1", (b, x, a) => {
    const kernels = [a.int("k1"), a.int("k2"), a.positive("d2")];
    const inner: Inner = (at, y, h) =>
      a.flag("dsc3k")
        ? separableC3(at, y, h, a.flag("shortcut"), kernels, 1)
        : separableBottleneck(at, y, h, a.flag("shortcut"), kernels);
    return c2fFrame(b, x, a.int("c1"), a.int("c2"), a.int("n"), a.number("e"), inner);
  }),
  HyperACE: joining(
    hyperRule,
    "c1, c2, n=1, num_hyperedges=8, dsc3k=True, shortcut=False, e1=0.5, e2=1, context='both', channel_adjust=True",
    (b, [fine, middle, coarse], a) => {
      const [c1, c2, n] = [a.int("c1"), a.int("c2"), a.int("n")];
      const hidden = Math.trunc(c2 * a.number("e1"));
      const maps = [
        b.avgPool("avg", fine ?? null, 2, 2),
        middle ?? null,
        b.one("Upsample", "up", [coarse ?? null], { scale_factor: 2 }),
      ];
      const fused = unit(b.at("fuse.conv_out"), b.concat(maps), (a.flag("channel_adjust") ? 4 : 3) * c1, c1);
      const [y0, y1, y2] = b.chunk(unit(b.at("cv1"), fused, c1, 3 * hidden), 3);
      const branches = ["branch1", "branch2"].map((name) =>
        hyperBranch(b.at(name), y1!, hidden, a.positive("num_hyperedges"), a.text("context")),
      );
      const parts: Wire[] = [y0!, branches[0]!, y2!];
      for (let index = 0; index < n; index++) {
        const at = b.at(`m.${index}`);
        const last = parts.at(-1)!;
        parts.push(
          a.flag("dsc3k")
            ? separableC3(at, last, hidden, a.flag("shortcut"), [3, 7, 1], 0.5)
            : separableBottleneck(at, last, hidden, a.flag("shortcut"), [3, 5, 1]),
        );
      }
      return unit(b.at("cv2"), b.concat([...parts, branches[1]!]), (4 + n) * hidden, c2);
    },
  ),
  DownsampleConv: unary(downsampleRule, "c1, channel_adjust=True", (b, x, a) => {
    const y = b.avgPool("downsample", x, 2, 2);
    return a.flag("channel_adjust") ? unit(b.at("channel_adjust"), y, a.int("c1"), 2 * a.int("c1")) : y;
  }),
  FullPAD_Tunnel: joining(first, "", (b, [x, more]) => b.add2(x ?? null, b.weights("gate", more ?? null, 1))),
};
