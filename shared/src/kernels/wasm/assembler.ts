/**
 * A small WebAssembly assembler: kernels are written as modules while the program runs, each for one geometry.
 *
 * An expression is the list of bytes that leaves its value on the stack (`Code`); expressions nest as calls nest. A
 * `FunctionWriter` takes the statements: assignments, stores, loops. Nothing is optimised here, which is V8's work; only
 * additions of nothing and multiplications by one are left out, so that generators need no special cases.
 *
 *     f.range(i, 0, n, 1, () => f.set(sum, f32x4.add(sum, v128.load(address, 16))));
 *
 * Source: WebAssembly Core Specification 3.0, chapter 5 (binary format) and the relaxed SIMD instructions in it.
 */

export type ValueType = "i32" | "f32" | "v128";

/** Instructions that leave one value on the stack. */
export type Code = readonly number[];

/** A variable of a function. */
export class Local {
  constructor(
    readonly type: ValueType,
    readonly index: number,
  ) {}
}

/** A value: a variable, an expression, or an i32 constant. */
export type Operand = Local | Code | number;

const TYPE: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of 32 bits. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function code(value: Operand): Code {
  if (value instanceof Local) return [0x20, ...unsigned(value.index)];
  return typeof value === "number" ? [0x41, ...signed(value)] : value;
}

function instruction(opcode: readonly number[], ...operands: readonly Operand[]): Code {
  return [...operands.flatMap(code), ...opcode];
}

const simd = (opcode: number, ...rest: readonly number[]) => [0xfd, ...unsigned(opcode), ...rest];

/** What stands behind an opcode that touches memory: an alignment hint of 4 bytes, and a constant byte offset. */
function memoryArgument(offset: number): number[] {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= 2 ** 32) throw new RangeError(`an offset of ${offset}`);
  return [2, ...unsigned(offset)];
}

export const i32 = {
  add: (a: Operand, b: Operand): Operand => {
    if (typeof a === "number" && typeof b === "number") return (a + b) | 0;
    if (b === 0) return a;
    return a === 0 ? b : instruction([0x6a], a, b);
  },
  sub: (a: Operand, b: Operand): Operand => (b === 0 ? a : instruction([0x6b], a, b)),
  mul: (a: Operand, b: Operand): Operand => {
    if (typeof a === "number" && typeof b === "number") return Math.imul(a, b);
    if (a === 0 || b === 0) return 0;
    if (b === 1) return a;
    return a === 1 ? b : instruction([0x6c], a, b);
  },
  /** Unsigned, rounded down. */
  div: (a: Operand, b: Operand): Operand => (b === 1 ? a : instruction([0x6e], a, b)),
  /** Unsigned. */
  rem: (a: Operand, b: Operand): Operand => (b === 1 ? 0 : instruction([0x70], a, b)),
  /** The lesser of two unsigned numbers. */
  min: (a: Operand, b: Operand): Operand => instruction([0x1b], a, b, instruction([0x49], a, b)),
  lt: (a: Operand, b: Operand): Code => instruction([0x49], a, b),
  ge: (a: Operand, b: Operand): Code => instruction([0x4f], a, b),
  eq: (a: Operand, b: Operand): Code => instruction([0x46], a, b),
  ne: (a: Operand, b: Operand): Code => instruction([0x47], a, b),
  load: (address: Operand, offset = 0): Code => instruction([0x28, ...memoryArgument(offset)], address),
};

export const f32 = {
  constant: (value: number): Code => [0x43, ...new Uint8Array(new Float32Array([value]).buffer)],
  load: (address: Operand, offset = 0): Code => instruction([0x2a, ...memoryArgument(offset)], address),
  add: (a: Operand, b: Operand): Code => instruction([0x92], a, b),
  mul: (a: Operand, b: Operand): Code => instruction([0x94], a, b),
};

export const v128 = {
  load: (address: Operand, offset = 0): Code => instruction(simd(0, ...memoryArgument(offset)), address),
  /** One float into all four lanes. */
  splat: (address: Operand, offset = 0): Code => instruction(simd(9, ...memoryArgument(offset)), address),
  /** One float into the first lane, zeros into the others. */
  loadOne: (address: Operand, offset = 0): Code => instruction(simd(92, ...memoryArgument(offset)), address),
  /** Two floats into the first lanes, zeros into the others. */
  loadTwo: (address: Operand, offset = 0): Code => instruction(simd(93, ...memoryArgument(offset)), address),
  /** `vector` with one float from memory in a lane. */
  loadLane: (address: Operand, vector: Operand, lane: number, offset = 0): Code =>
    instruction(simd(86, ...memoryArgument(offset), lane), address, vector),
  and: (a: Operand, b: Operand): Code => instruction(simd(78), a, b),
  or: (a: Operand, b: Operand): Code => instruction(simd(80), a, b),
  xor: (a: Operand, b: Operand): Code => instruction(simd(81), a, b),
  /** a and not b. */
  andNot: (a: Operand, b: Operand): Code => instruction(simd(79), a, b),
  /** Bits of `a` where `mask` has ones, else of `b`. */
  select: (a: Operand, b: Operand, mask: Operand): Code => instruction(simd(82), a, b, mask),
  anyTrue: (a: Operand): Code => instruction(simd(83), a),
  /** Four lanes chosen from the eight of `a` and `b`. */
  shuffle: (a: Operand, b: Operand, lanes: readonly number[]): Code =>
    instruction(simd(13, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte))), a, b),
};

export const f32x4 = {
  /** A constant in all four lanes. */
  constant: (value: number): Code =>
    simd(12, ...new Uint8Array(new Float32Array([value, value, value, value]).buffer)) as Code,
  splat: (value: Code | Local): Code => instruction(simd(19), value),
  /** One lane as an f32. */
  lane: (vector: Operand, lane: number): Code => instruction(simd(31, lane), vector),
  add: (a: Operand, b: Operand): Code => instruction(simd(228), a, b),
  sub: (a: Operand, b: Operand): Code => instruction(simd(229), a, b),
  mul: (a: Operand, b: Operand): Code => instruction(simd(230), a, b),
  div: (a: Operand, b: Operand): Code => instruction(simd(231), a, b),
  /** NaN where either is; slower than `lesser`. */
  min: (a: Operand, b: Operand): Code => instruction(simd(232), a, b),
  /** NaN where either is; slower than `greater`. */
  max: (a: Operand, b: Operand): Code => instruction(simd(233), a, b),
  /** b < a ? b : a, so that a NaN in `a` stays. */
  lesser: (a: Operand, b: Operand): Code => instruction(simd(234), a, b),
  /** a < b ? b : a, so that a NaN in `a` stays. */
  greater: (a: Operand, b: Operand): Code => instruction(simd(235), a, b),
  abs: (a: Operand): Code => instruction(simd(224), a),
  neg: (a: Operand): Code => instruction(simd(225), a),
  sqrt: (a: Operand): Code => instruction(simd(227), a),
  floor: (a: Operand): Code => instruction(simd(0x68), a),
  nearest: (a: Operand): Code => instruction(simd(0x6a), a),
  eq: (a: Operand, b: Operand): Code => instruction(simd(65), a, b),
  ne: (a: Operand, b: Operand): Code => instruction(simd(66), a, b),
  lt: (a: Operand, b: Operand): Code => instruction(simd(67), a, b),
  gt: (a: Operand, b: Operand): Code => instruction(simd(68), a, b),
  le: (a: Operand, b: Operand): Code => instruction(simd(69), a, b),
  /** a·b + c, rounded once where the processor can. Relaxed SIMD. */
  fusedMultiplyAdd: (a: Operand, b: Operand, c: Operand): Code => instruction(simd(0x105), a, b, c),
};

export const i32x4 = {
  splat: (value: Operand): Code => instruction(simd(17), value),
  add: (a: Operand, b: Operand): Code => instruction(simd(174), a, b),
  sub: (a: Operand, b: Operand): Code => instruction(simd(177), a, b),
  shiftLeft: (a: Operand, count: number): Code => instruction(simd(171), a, count),
  /** Unsigned. */
  shiftRight: (a: Operand, count: number): Code => instruction(simd(173), a, count),
  /** Of floats, towards zero; what does not fit saturates, NaN is 0. */
  fromFloats: (a: Operand): Code => instruction(simd(248), a),
  toFloats: (a: Operand): Code => instruction(simd(250), a),
};

/** One function of a module: its statements, in order. */
export class FunctionWriter {
  readonly parameters: readonly Local[];
  private readonly variables: ValueType[] = [];
  private readonly bytes: number[] = [];

  constructor(
    readonly name: string,
    private readonly types: readonly ValueType[],
  ) {
    this.parameters = types.map((type, index) => new Local(type, index));
  }

  local(type: ValueType): Local {
    this.variables.push(type);
    return new Local(type, this.types.length + this.variables.length - 1);
  }

  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** A new variable with a value. */
  let(type: ValueType, value: Operand): Local {
    const made = this.local(type);
    this.set(made, value);
    return made;
  }

  private emit(...codes: readonly (readonly number[])[]): void {
    for (const each of codes) for (const byte of each) this.bytes.push(byte);
  }

  set(variable: Local, value: Operand): void {
    this.emit(code(value), [0x21], unsigned(variable.index));
  }

  /** variable += amount. */
  increase(variable: Local, amount: Operand): void {
    if (amount !== 0) this.set(variable, i32.add(variable, amount));
  }

  storeFloat(address: Operand, value: Operand, offset = 0): void {
    this.emit(instruction([0x38, ...memoryArgument(offset)], address, value));
  }

  storeInteger(address: Operand, value: Operand, offset = 0): void {
    this.emit(instruction([0x36, ...memoryArgument(offset)], address, value));
  }

  /** Stores the first `lanes` floats of a vector and touches nothing behind them. */
  storeVector(address: Operand, vector: Operand, offset = 0, lanes = 4): void {
    if (lanes === 4) this.emit(instruction(simd(11, ...memoryArgument(offset)), address, vector));
    if (lanes === 2 || lanes === 3) this.emit(instruction(simd(91, ...memoryArgument(offset), 0), address, vector));
    if (lanes === 1) this.emit(instruction(simd(90, ...memoryArgument(offset), 0), address, vector));
    if (lanes === 3) this.emit(instruction(simd(90, ...memoryArgument(offset + 8), 2), address, vector));
  }

  /** Copies `length` bytes; the ranges may overlap. */
  copy(to: Operand, from: Operand, length: Operand): void {
    this.emit(instruction([0xfc, 10, 0, 0], to, from, length));
  }

  /** Runs the body with `index` from `from` up to but without `to`. */
  range(index: Local, from: Operand, to: Operand, step: number, body: () => void): void {
    this.set(index, from);
    this.emit([0x02, 0x40, 0x03, 0x40], i32.ge(index, to), [0x0d, 1]);
    body();
    this.increase(index, step);
    this.emit([0x0c, 0, 0x0b, 0x0b]);
  }

  /** Runs the body a fixed number of times; once is no loop. */
  repeat(count: number, body: () => void): void {
    if (count <= 0) return;
    if (count === 1) {
      body();
      return;
    }
    const left = this.let("i32", count);
    this.until(() => {
      body();
      this.set(left, i32.sub(left, 1));
      return i32.ne(left, 0);
    });
  }

  /** Runs the body as long as the condition is not 0. */
  while(condition: Operand, body: () => void): void {
    this.emit([0x02, 0x40, 0x03, 0x40], instruction([0x45], condition), [0x0d, 1]);
    body();
    this.emit([0x0c, 0, 0x0b, 0x0b]);
  }

  /** Runs the body once, and again as long as what it returns is not 0. */
  until(body: () => Operand): void {
    this.emit([0x03, 0x40]);
    this.emit(code(body()), [0x0d, 0, 0x0b]);
  }

  if(condition: Operand, then: () => void, otherwise?: () => void): void {
    this.emit(code(condition), [0x04, 0x40]);
    then();
    if (otherwise) {
      this.emit([0x05]);
      otherwise();
    }
    this.emit([0x0b]);
  }

  /** The function as the code section holds it. */
  body(): number[] {
    const locals = this.variables.flatMap((type) => [1, TYPE[type]]);
    const content = [...unsigned(this.variables.length), ...locals, ...this.bytes, 0x0b];
    return [...unsigned(content.length), ...content];
  }

  /** The function's type, without results. */
  signature(): number[] {
    return [0x60, ...unsigned(this.types.length), ...this.types.map((type) => TYPE[type]), 0];
  }
}

/** The memory that a module imports as `engine.memory`. */
export interface MemoryImport {
  readonly maximumPages: number;
  readonly shared: boolean;
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...[...value].map((letter) => letter.charCodeAt(0))];
}

/** The bytes of a module that imports a memory and exports its functions by name. */
export function assemble(functions: readonly FunctionWriter[], memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const section = (id: number, entries: readonly (readonly number[])[]) => {
    const content = [...unsigned(entries.length), ...entries.flat()];
    return [id, ...unsigned(content.length), ...content];
  };
  const limits = [memory.shared ? 3 : 1, 1, ...unsigned(memory.maximumPages)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      functions.map((f) => f.signature()),
    ),
    ...section(2, [[...text("engine"), ...text("memory"), 2, ...limits]]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      functions.map((f, index) => [...text(f.name), 0, ...unsigned(index)]),
    ),
    ...section(
      10,
      functions.map((f) => f.body()),
    ),
  ]);
}
