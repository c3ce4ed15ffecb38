/**
 * Parameters of single modules of the YOLO family, as the real code counts them when it builds one: every module that the
 * random models of yolo.test.ts may miss. Written as the row of a model file would call it.
 */
import assert from "node:assert/strict";
import { type Analysis, analyse } from "#server/analysis.ts";
import { add, type Dim } from "#shared/shape/dim.ts";

/** Module, input channels, repeats, arguments, parameters. */
type Row = readonly [string, number, number, string, number];

/** Single input, in the builder of Ultralytics at scale n without any scaling. */
const MODULES: readonly Row[] = [
  ["Conv", 3, 1, "[16, 3, 2]", 464],
  ["Conv2", 16, 1, "[16, 32, 3]", 5_184],
  ["DWConv", 64, 1, "[64, 3]", 704],
  ["DWConv", 64, 1, "[96, 3]", 1_920],
  ["LightConv", 32, 1, "[32, 64, 5]", 3_904],
  ["GhostConv", 64, 1, "[128, 3, 2]", 38_720],
  ["RepConv", 64, 1, "[64, 64]", 41_216],
  ["RepConv", 64, 1, "[64, 64, 3, 1, 1, 1, 1, True, True]", 41_344],
  ["ConvTranspose", 64, 1, "[32]", 8_256],
  ["DWConvTranspose2d", 64, 1, "[32, 4, 2, 1]", 1_056],
  ["Focus", 3, 1, "[32, 3]", 3_520],
  ["Bottleneck", 64, 1, "[64]", 37_056],
  ["Bottleneck", 64, 1, "[128, True, 1, [3, 3], 1.0]", 221_696],
  ["BottleneckCSP", 64, 2, "[64]", 46_656],
  ["C1", 64, 2, "[128]", 303_872],
  ["C2", 64, 2, "[64]", 45_568],
  ["C2f", 64, 1, "[64]", 29_056],
  ["C2f", 128, 2, "[128]", 197_632],
  ["C3", 64, 1, "[64]", 18_816],
  ["C3", 128, 3, "[128]", 156_928],
  ["C3x", 64, 1, "[64]", 14_720],
  ["C3TR", 64, 1, "[64]", 18_848],
  ["C3Ghost", 64, 1, "[64]", 9_656],
  ["C3k2", 64, 1, "[128, False, 0.25]", 26_080],
  ["C3k2", 64, 1, "[64, False]", 19_808],
  ["C3k2", 64, 1, "[64, True]", 22_016],
  ["C3k2", 256, 1, "[256, True, 0.5, True]", 430_336],
  ["GhostBottleneck", 64, 1, "[64]", 3_440],
  ["GhostBottleneck", 32, 1, "[64, 3, 2]", 5_808],
  ["ResNetLayer", 3, 1, "[3, 64, 1, True, 1]", 9_536],
  ["ResNetLayer", 64, 1, "[64, 64, 1, False, 3]", 215_808],
  ["ResNetLayer", 256, 1, "[256, 128, 2, False, 4]", 1_219_584],
  ["SPP", 128, 1, "[128]", 41_344],
  ["SPPF", 128, 1, "[128]", 41_344],
  ["SPPELAN", 128, 1, "[128, 64]", 41_344],
  ["AConv", 64, 1, "[96]", 55_488],
  ["ADown", 64, 1, "[128]", 20_736],
  ["SCDown", 64, 1, "[128, 3, 2]", 9_856],
  ["HGStem", 3, 1, "[32, 48]", 25_248],
  ["HGBlock", 48, 6, "[48, 128, 3]", 155_072],
  ["HGBlock", 512, 6, "[192, 1024, 5, True]", 1_695_360],
  ["RepNCSPELAN4", 64, 1, "[128, 64, 32, 1]", 53_696],
  ["ELAN1", 32, 1, "[32, 32, 16]", 7_872],
  ["RepC3", 256, 3, "[256]", 2_101_248],
  ["RepC3", 512, 3, "[256, 0.5]", 657_920],
  ["CBLinear", 64, 1, "[[64, 128]]", 12_480],
  ["PSA", 256, 1, "[256]", 249_728],
  ["C2PSA", 256, 1, "[256]", 249_728],
  ["C2fPSA", 256, 1, "[256]", 282_496],
  ["C2fAttn", 128, 1, "[128, 64, 2]", 193_474],
  ["C2fCIB", 64, 1, "[64, True]", 16_192],
  ["C2fCIB", 64, 1, "[64, True, True]", 19_456],
  ["A2C2f", 128, 1, "[128, True, 4]", 98_816],
  ["A2C2f", 256, 1, "[256, True, 4, True, 1.2]", 324_964],
  ["A2C2f", 128, 1, "[128, False, -1]", 70_528],
  ["AIFI", 256, 1, "[1024, 8]", 789_760],
  ["Classify", 256, 1, "[1000]", 1_611_240],
];

/** Heads over 64, 128 and 256 channels: module, arguments, keys of the file, parameters; `light` class branches or not. */
const HEADS: readonly (readonly [string, string, string, number])[] = [
  ["Detect", "[nc]", "nc: 80", 897_664],
  ["Detect", "[nc]", "nc: 80\nend2end: True\nreg_max: 1", 1_175_160],
  ["v10Detect", "[nc]", "nc: 80", 929_808],
  ["Segment", "[nc, 32, 64]", "nc: 80", 1_150_432],
  ["Pose", "[nc, kpt_shape]", "nc: 1\nkpt_shape: [17, 3]", 1_035_934],
  ["OBB", "[nc, 1]", "nc: 15", 825_904],
  ["WorldDetect", "[nc, 512, False]", "nc: 80", 1_002_646],
  ["YOLOEDetect", "[nc, 512, True]", "nc: 80", 3_278_870],
  ["YOLOESegment", "[nc, 32, 64, 512, True]", "nc: 80", 3_531_638],
  ["ImagePoolingAttn", "[256]", "nc: 80", 512_000],
];

/** The same after a C3k2 row, from which on class branches are depthwise. */
const LIGHT_HEADS: typeof HEADS = [
  ["Detect", "[nc]", "nc: 80", 464_912],
  ["Detect", "[nc]", "nc: 80\nend2end: True\nreg_max: 1", 309_656],
  ["Segment", "[nc, 32, 64]", "nc: 80", 717_680],
  ["Segment26", "[nc, 32, 64]", "nc: 80\nend2end: True\nreg_max: 1", 863_656],
  ["Pose", "[nc, kpt_shape]", "nc: 1\nkpt_shape: [17, 3]", 715_294],
  ["Pose26", "[nc, kpt_shape]", "nc: 1\nkpt_shape: [17, 3]\nend2end: True\nreg_max: 1", 1_416_840],
  ["OBB", "[nc, 1]", "nc: 15", 505_264],
  ["OBB26", "[nc, 1]", "nc: 15\nend2end: True\nreg_max: 1", 390_360],
  ["YOLOEDetect", "[nc, 512, True]", "nc: 80", 2_846_118],
  ["YOLOESegment", "[nc, 32, 64, 512, True]", "nc: 80", 3_098_886],
];

const ANCHORS = "anchors: 3";

/** Modules of the other builders: what makes the file theirs, then as above. */
const FORKS: readonly (readonly [string, ...Row])[] = [
  ["C3", "Bottleneck", 64, 1, "[64]", 20_672],
  ["C3", "BottleneckCSP", 64, 2, "[64]", 30_272],
  ["C3", "CrossConv", 64, 1, "[64, 3, 1]", 24_832],
  ["C3", "C3SPP", 64, 1, "[64]", 11_104],
  ["C3", "MixConv2d", 64, 1, "[128]", 896],
  ["MP", "RepConv", 64, 1, "[128]", 82_432],
  ["MP", "RepConv", 64, 1, "[64]", 41_344],
  ["MP", "SPPCSPC", 256, 1, "[128]", 476_928],
  ["MP", "GhostSPPCSPC", 256, 1, "[128]", 250_560],
  ["MP", "Stem", 3, 1, "[64]", 15_520],
  ["MP", "DownC", 64, 1, "[128]", 45_440],
  ["MP", "BottleneckCSPA", 64, 2, "[64]", 29_184],
  ["MP", "BottleneckCSPB", 64, 2, "[64]", 99_200],
  ["MP", "BottleneckCSPC", 64, 2, "[64]", 30_272],
  ["MP", "Res", 64, 1, "[64]", 13_568],
  ["MP", "ResX", 128, 1, "[128]", 18_048],
  ["MP", "ResCSPA", 64, 1, "[64]", 11_904],
  ["MP", "RepBottleneck", 64, 1, "[64]", 22_848],
  ["MP", "RobustConv", 64, 1, "[128]", 11_712],
  ["MP", "RobustConv2", 64, 1, "[128]", 134_592],
];

/** Heads of the other builders over 64, 128 and 256 channels, repeated for each group of levels. */
const FORK_HEADS: readonly (readonly [string, string, number, string, number])[] = [
  ["C3", "Detect", 1, "[nc, anchors]", 115_005],
  ["C3", "Segment", 1, "[nc, anchors, 32, 64]", 234_397],
  ["MP", "IDetect", 1, "[nc, anchors]", 116_218],
  ["MP", "IBin", 1, "[nc, anchors]", 173_422],
  ["SPPELAN", "Detect", 1, "[nc]", 1_372_864],
  ["SPPELAN", "DDetect", 1, "[nc]", 1_280_704],
  ["SPPELAN", "DualDetect", 2, "[nc]", 2_745_728],
  ["SPPELAN", "DualDDetect", 2, "[nc]", 2_561_408],
  ["SPPELAN", "TripleDDetect", 3, "[nc]", 3_842_112],
  ["SPPELAN", "Segment", 1, "[nc, 32, 64]", 1_609_184],
];

function paramsOf({ graph, report }: Analysis, row: number): Dim {
  const { first, end } = graph.layers[row]!.nodes;
  let sum: Dim = 0;
  for (let id = first; id < end; id++) sum = add(sum, report.nodes[id]!.cost.params);
  return sum;
}

function check(text: string, row: number, params: number): void {
  const analysis = analyse(text, "model.yaml", { input: [3, 64, 64] });
  assert.ok(analysis);
  const known = analysis.diagnostics.filter(({ code }) => code === "opaque-layer" || code === "bad-value");
  assert.deepEqual(
    known.map(({ message }) => message),
    [],
  );
  assert.equal(paramsOf(analysis, row), params);
}

/** Rows 0 to 2 give 64, 128 and 256 channels. */
const LEVELS = "  - [-1, 1, Conv, [64, 1]]\n  - [-1, 1, Conv, [128, 1]]\n  - [-1, 1, Conv, [256, 1]]\n";

describe("YOLO modules: parameters of one module, against the real code", () => {
  for (const [name, channels, repeats, args, params] of MODULES) {
    it(`${name} ${args} on ${channels}`, () => {
      // 7 classes: a width equal to their number would stay unscaled.
      const row = `  - [-1, ${repeats}, ${name}, ${args}]\n`;
      const rows = channels === 3 ? row : `  - [-1, 1, Conv, [${channels}, 1]]\n${row}`;
      const text = `nc: 7\nscales: {n: [1.0, 1.0, 100000]}\nbackbone:\n${rows}head: []\n`;
      check(text, channels === 3 ? 0 : 1, params);
    });
  }
  for (const [name, args, keys, params] of HEADS) {
    it(`${name} ${args}, ${keys.replaceAll("\n", ", ")}`, () => {
      const text = `${keys}\nscales: {n: [1.0, 1.0, 100000]}\nbackbone:\n${LEVELS}head:\n  - [[0, 1, 2], 1, ${name}, ${args}]\n`;
      check(text, 3, params);
    });
  }
  for (const [name, args, keys, params] of LIGHT_HEADS) {
    it(`${name} ${args} after C3k2, ${keys.replaceAll("\n", ", ")}`, () => {
      const rows = `${LEVELS}  - [-1, 1, C3k2, [256, False]]\n`;
      const text = `${keys}\nscales: {n: [1.0, 1.0, 100000]}\nbackbone:\n${rows}head:\n  - [[0, 1, 2], 1, ${name}, ${args}]\n`;
      check(text, 4, params);
    });
  }
  for (const [mark, name, channels, repeats, args, params] of FORKS) {
    it(`${name} ${args} on ${channels} beside ${mark}`, () => {
      const row = `  - [-1, ${repeats}, ${name}, ${args}]\n${markRow(mark)}`;
      const rows = channels === 3 ? row : `  - [-1, 1, Conv, [${channels}, 1]]\n${row}`;
      check(`nc: 7\n${ANCHORS}\nbackbone:\n${rows}head: []\n`, channels === 3 ? 0 : 1, params);
    });
  }
  for (const [mark, name, groups, args, params] of FORK_HEADS) {
    it(`${name} ${args} of ${groups * 3} levels beside ${mark}`, () => {
      const from = Array.from({ length: groups }, () => "0, 1, 2").join(", ");
      const head = `head:\n${markRow(mark)}  - [[${from}], 1, ${name}, ${args}]\n`;
      check(`nc: 80\n${ANCHORS}\nbackbone:\n${LEVELS}${head}`, 4, params);
    });
  }
});

/** A row that only one of the builders knows. */
function markRow(mark: string): string {
  const args = { C3: "[64]", MP: "[]", SPPELAN: "[64, 32]" }[mark];
  return `  - [-1, 1, ${mark}, ${args}]\n`;
}
