/**
 * Weights as kernels read them. A network has them row by row, a row for each output channel; kernels want, for each term
 * of a sum, the weights of a panel of outputs next to each other:
 *
 *     [group][panel][tap][channel][output in panel]
 *
 * The rows come into the engine's memory piece by piece, and are turned over from there while the cache still has them.
 * All weights go through the same code, whatever their sizes, because a network packs each of them once: what is
 * written for one size only would never be optimised.
 */
import type { Values } from "../values.ts";
import { type FunctionWriter, f32x4, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Core } from "./core.ts";
import type { Kernel } from "./kernel.ts";
import { transpose } from "./layout.ts";
import type { Packed } from "./packed.ts";
import { padded } from "./tensor.ts";

/** Thrown for weights with NaN or infinities: times the zeros of the padding, which kernels read, they are not zero. */
export class NotFinite extends Error {}

/** Where weights come from and how they are to lie. */
export interface Packing {
  readonly groups: number;
  /** Of one group. */
  readonly outputs: number;
  readonly channels: number;
  /** Outputs of a panel, a multiple of four; the last one of a group may be narrower. */
  readonly panel: number;
  /** In the source, group g's output o, channel c and tap t is at g·group + o·output + c·channel + taps[t]. */
  readonly from: Readonly<Record<"group" | "output" | "channel", number>>;
  readonly taps: readonly number[];
}

/** Bytes of weights that are brought in at once. */
const PIECE = 2 ** 18;

/** Floats that packed weights and biases take; outputs that are not there, up to whole vectors, have weights too. */
export function packedCounts({ groups, outputs, channels, taps }: Omit<Packing, "from" | "panel">) {
  const lanes = groups * padded(outputs);
  return { weight: lanes * channels * taps.length, bias: lanes };
}

/**
 * The packed form of a weight and a bias; it is made where the core does not remember it.
 * @param key tells apart the ways in which the same weight may be packed.
 * @throws NotFinite
 */
export function packedFor(core: Core, weight: Values, bias: Values | null, key: string, packing: Packing): Packed {
  const counts = packedCounts(packing);
  return core.packed.get(weight, bias, `${key} ${packing.groups} ${packing.panel}`, counts, (to) => {
    core.unrecorded();
    withFlag(core, (flag) => packRows(core, weight.data, packing, to.weight, flag));
    writeBias(core, to.bias, bias, packing);
  });
}

/** Writes the biases of each group, with zeros up to whole vectors; none is zeros. */
export function writeBias(
  core: Core,
  address: number,
  bias: Values | null,
  { groups, outputs }: Pick<Packing, "groups" | "outputs">,
): void {
  const lanes = padded(outputs);
  const target = core.memory.part(address, groups * lanes).fill(0);
  for (let group = 0; bias && group < groups; group++) {
    target.set(bias.data.subarray(group * outputs, (group + 1) * outputs), group * lanes);
  }
}

/**
 * Lends a number in memory that packing kernels set where they see a number that is not finite.
 * @throws NotFinite where that happened.
 */
export function withFlag(core: Core, pack: (flag: number) => void): void {
  core.withScratch(4, (flag) => {
    core.memory.integers[flag / 4] = 0;
    pack(flag);
    if (core.memory.integers[flag / 4] !== 0) throw new NotFinite();
  });
}

/**
 * Brings weights in, as many blocks at once as the cache keeps.
 * @param block floats that belong together.
 * @param pack is given the address at which the first block of all would be; only some blocks are there.
 */
export function inPieces(
  core: Core,
  data: Float32Array,
  block: number,
  pack: (source: number, firstBlock: number, endBlock: number) => void,
): void {
  const blocks = Math.ceil(data.length / block);
  const step = Math.max(1, Math.floor(PIECE / (4 * block)));
  core.withScratch(4 * Math.min(data.length, step * block), (place) => {
    for (let first = 0; first < blocks; first += step) {
      const piece = data.subarray(first * block, (first + step) * block);
      core.memory.part(place, piece.length).set(piece);
      pack(place - 4 * first * block, first, Math.min(blocks, first + step));
    }
  });
}

/** Packs a weight that is outside of the engine's memory. */
function packRows(core: Core, data: Float32Array, packing: Packing, target: number, flag: number): void {
  const { groups, outputs, from } = packing;
  // Where outputs are rows, the four that make a vector can come by themselves.
  const areRows = groups === 1 && data.length === outputs * from.output;
  const block = areRows ? 4 * from.output : data.length / groups;
  const units = areRows ? 1 : padded(outputs) / 4;
  inPieces(core, data, block, (source, first, end) => {
    pack(core, packing, { source, target, flag, first: first * units }, (end - first) * units);
  });
}

/** Packs from memory to memory: some vectors of four outputs, counted over all groups. */
export function pack(
  core: Core,
  { outputs, channels, panel, from, taps }: Omit<Packing, "groups">,
  addresses: Readonly<Record<"source" | "target" | "flag" | "first", number>>,
  units: number,
): void {
  const inBytes = (steps: readonly number[]) => steps.map((floats) => 4 * floats);
  const [group, output, channel] = inBytes([from.group, from.output, from.channel]) as [number, number, number];
  core.withIntegers(inBytes(taps), (offsets) => {
    core.run(packingKernel(units, 8 * channels * taps.length), {
      ...{ ...addresses, outputs, channels, panel, group, output, channel },
      ...{ taps: offsets, end: offsets + 4 * taps.length },
    });
  });
}

type Argument =
  | ("source" | "target" | "flag" | "first" | "outputs" | "channels" | "panel")
  | ("group" | "output" | "channel" | "taps" | "end");

/**
 * What packs. A unit is a vector of four outputs; those that are not there are copies of the last one, whose sums nobody
 * uses. Not only addresses are given to it: `first` is the first unit's number, `outputs`, `channels` and `panel` are as in
 * `Packing`, the steps `group`, `output` and `channel` are in bytes, and so are the taps in the table up to `end`.
 */
function packingKernel(units: number, work: number): Kernel<Argument> {
  return {
    key: "pack",
    addresses: [
      ...(["source", "target", "flag", "first", "outputs", "channels", "panel"] as const),
      ...(["group", "output", "channel", "taps", "end"] as const),
    ],
    ...{ units, work },
    write(
      f,
      { source, target, flag, first, outputs, channels, panel, group, output: outputStep, channel, taps, end },
      unit,
    ) {
      const vectors = f.let("i32", i32.div(i32.add(outputs, 3), 4));
      const ofGroup = f.let("i32", i32.div(i32.add(first, unit), vectors));
      const output = f.let("i32", i32.mul(i32.rem(i32.add(first, unit), vectors), 4));
      const start = f.let("i32", i32.add(source, i32.mul(ofGroup, group)));
      const rows = [0, 1, 2, 3].map((lane) => {
        const existing = i32.min(i32.add(output, lane), i32.sub(outputs, 1));
        return f.let("i32", i32.add(start, i32.mul(existing, outputStep)));
      });
      const lanes = i32.mul(vectors, 4);
      const firstOfPanel = f.let("i32", i32.mul(i32.div(output, panel), panel));
      const step = f.let("i32", i32.mul(i32.min(i32.sub(lanes, firstOfPanel), panel), 4));
      const terms = i32.mul(channels, i32.div(i32.sub(end, taps), 4));
      const before = i32.mul(i32.add(i32.mul(ofGroup, lanes), firstOfPanel), terms);
      const inPanel = i32.sub(output, firstOfPanel);
      const to = f.let("i32", i32.add(target, i32.mul(i32.add(before, inPanel), 4)));

      const finite = new FiniteCheck(f);
      const [tap, left] = [f.let("i32", taps), f.local("i32")];
      const from = f.locals("i32", 4);
      const square = f.locals("v128", 4);
      const store = (vector: Local) => {
        finite.sees(vector);
        f.storeVector(to, vector);
        f.set(to, i32.add(to, step));
      };
      f.while(i32.ne(tap, end), () => {
        for (const [lane, row] of rows.entries()) f.set(from[lane]!, i32.add(row, i32.load(tap)));
        f.set(left, channels);
        f.if(i32.eq(channel, 4), () => {
          f.while(i32.ge(left, 4), () => {
            for (const [lane, vector] of square.entries()) f.set(vector, v128.load(from[lane]!));
            transpose(f, square);
            for (const vector of square) store(vector);
            for (const each of from) f.increase(each, 16);
            f.set(left, i32.sub(left, 4));
          });
        });
        f.while(left, () => {
          f.set(square[0]!, gathered(from));
          store(square[0]!);
          for (const each of from) f.set(each, i32.add(each, channel));
          f.set(left, i32.sub(left, 1));
        });
        f.increase(tap, 4);
      });
      finite.tell(flag);
    },
  };
}

/** One number from each of four places. */
export function gathered(places: readonly Local[], offset = 0): Operand {
  return places.reduce<Operand>(
    (vector, place, lane) => (lane === 0 ? v128.loadOne(place, offset) : v128.loadLane(place, vector, lane, offset)),
    0,
  );
}

/** Notices NaN and infinities among the numbers that a unit sees. */
export class FiniteCheck {
  private readonly zero: Local;
  /** Zeros as long as all numbers have been finite, because NaN and infinities times 0 are NaN, which stays in a sum. */
  private readonly sum: Local;

  constructor(private readonly f: FunctionWriter) {
    this.zero = f.let("v128", f32x4.constant(0));
    this.sum = f.let("v128", f32x4.constant(0));
  }

  sees(vector: Operand): void {
    this.f.set(this.sum, f32x4.add(this.sum, f32x4.mul(vector, this.zero)));
  }

  /** Sets the integer at `flag` to 1 where not all were finite. */
  tell(flag: Local): void {
    this.f.if(v128.anyTrue(f32x4.ne(this.sum, this.sum)), () => this.f.storeInteger(flag, 1));
  }
}
