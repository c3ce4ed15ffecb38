/**
 * A small WebAssembly assembler: kernels are written as modules while the program runs, each for one geometry.
 *
 * An expression is an instruction with its operands, which nest as calls nest. A `FunctionWriter` takes the statements:
 * assignments, stores, loops; it writes their bytes. Nothing is optimised here, which is V8's work; only additions of
 * nothing and multiplications by one are left out, so that generators need no special cases.
 *
 *     f.range(i, 0, n, 1, () => f.set(sum, f32x4.add(sum, v128.load(address, 16))));
 *
 * Source: WebAssembly Core Specification 3.0, chapter 5 (binary format) and the relaxed SIMD instructions in it.
 */

export type ValueType = "i32" | "f32" | "v128";

/** A variable of a function. */
export class Local {
  constructor(
    readonly type: ValueType,
    readonly index: number,
  ) {}
}

/** An instruction with the operands that it takes from the stack. */
export class Code {
  /** @param immediates unsigned numbers behind the opcode's bytes. */
  constructor(
    readonly opcode: readonly number[],
    readonly operands: readonly Operand[],
    readonly immediates: readonly number[] = [],
  ) {}
}

/** A value: a variable, an expression, or an i32 constant. */
export type Operand = Local | Code | number;

const TYPE: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** Bytes that are being written. */
class Bytes {
  private space = new Uint8Array(256);
  private length = 0;

  byte(value: number): void {
    if (this.length === this.space.length) {
      const larger = new Uint8Array(4 * this.length);
      larger.set(this.space);
      this.space = larger;
    }
    this.space[this.length++] = value;
  }

  bytes(values: ArrayLike<number>): void {
    for (let at = 0; at < values.length; at++) this.byte(values[at]!);
  }

  /** LEB128. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.byte(rest | 0x80);
    this.byte(rest);
  }

  /** LEB128 of 32 bits. */
  signed(value: number): void {
    let rest = value | 0;
    for (; rest < -0x40 || rest > 0x3f; rest >>= 7) this.byte(rest | 0x80);
    this.byte(rest & 0x7f);
  }

  text(value: string): void {
    this.unsigned(value.length);
    for (const letter of value) this.byte(letter.charCodeAt(0));
  }

  /** Writes something with its length before it. */
  sized(content: Bytes): void {
    this.unsigned(content.length);
    this.bytes(content.written);
  }

  get written(): Uint8Array<ArrayBuffer> {
    return this.space.subarray(0, this.length);
  }
}

/** The bytes of a SIMD opcode. */
function simd(opcode: number): number[] {
  return opcode < 0x80 ? [0xfd, opcode] : [0xfd, (opcode & 0x7f) | 0x80, opcode >>> 7];
}

type Unary = (a: Operand) => Code;
type Binary = (a: Operand, b: Operand) => Code;
type Ternary = (a: Operand, b: Operand, c: Operand) => Code;

const unary =
  (opcode: readonly number[]): Unary =>
  (a) =>
    new Code(opcode, [a]);
const binary =
  (opcode: readonly number[]): Binary =>
  (a, b) =>
    new Code(opcode, [a, b]);
const ternary =
  (opcode: readonly number[]): Ternary =>
  (a, b, c) =>
    new Code(opcode, [a, b, c]);

/** Behind an opcode that touches memory: an alignment hint of 4 bytes, a constant byte offset, maybe a lane. */
function place(offset: number, ...lane: readonly number[]): number[] {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= 2 ** 32) throw new RangeError(`an offset of ${offset}`);
  return [2, offset, ...lane];
}

/** A load, given the address and a constant byte offset. */
const load =
  (opcode: readonly number[]) =>
  (address: Operand, offset = 0): Code =>
    new Code(opcode, [address], place(offset));

/** Floats as their bytes. */
const bytesOf = (...values: readonly number[]) => new Uint8Array(new Float32Array(values).buffer);

const I32 = { add: binary([0x6a]), sub: binary([0x6b]), mul: binary([0x6c]), div: binary([0x6e]), rem: binary([0x70]) };

export const i32 = {
  add: (a: Operand, b: Operand): Operand => {
    if (typeof a === "number" && typeof b === "number") return (a + b) | 0;
    if (b === 0) return a;
    return a === 0 ? b : I32.add(a, b);
  },
  sub: (a: Operand, b: Operand): Operand => (b === 0 ? a : I32.sub(a, b)),
  mul: (a: Operand, b: Operand): Operand => {
    if (typeof a === "number" && typeof b === "number") return Math.imul(a, b);
    if (a === 0 || b === 0) return 0;
    if (b === 1) return a;
    return a === 1 ? b : I32.mul(a, b);
  },
  /** Unsigned, rounded down. */
  div: (a: Operand, b: Operand): Operand => (b === 1 ? a : I32.div(a, b)),
  /** Unsigned. */
  rem: (a: Operand, b: Operand): Operand => (b === 1 ? 0 : I32.rem(a, b)),
  /** The lesser of two unsigned numbers. */
  min: (a: Operand, b: Operand): Operand => new Code([0x1b], [a, b, i32.lt(a, b)]),
  /** Unsigned. */
  lt: binary([0x49]),
  /** Unsigned. */
  ge: binary([0x4f]),
  eq: binary([0x46]),
  ne: binary([0x47]),
  isZero: unary([0x45]),
  load: load([0x28]),
};

export const f32 = {
  constant: (value: number): Code => new Code([0x43, ...bytesOf(value)], []),
  load: load([0x2a]),
  add: binary([0x92]),
  mul: binary([0x94]),
};

export const v128 = {
  load: load(simd(0)),
  /** One float into all four lanes. */
  splat: load(simd(9)),
  /** One float into the first lane, zeros into the others. */
  loadOne: load(simd(92)),
  /** Two floats into the first lanes, zeros into the others. */
  loadTwo: load(simd(93)),
  /** `vector` with one float from memory in a lane. */
  loadLane: (address: Operand, vector: Operand, lane: number, offset = 0): Code =>
    new Code(simd(86), [address, vector], place(offset, lane)),
  and: binary(simd(78)),
  or: binary(simd(80)),
  xor: binary(simd(81)),
  /** a and not b. */
  andNot: binary(simd(79)),
  /** Bits of `a` where `mask` (the third) has ones, else of `b`. */
  select: ternary(simd(82)),
  anyTrue: unary(simd(83)),
  /** Four lanes chosen from the eight of `a` and `b`. */
  shuffle: (a: Operand, b: Operand, lanes: readonly number[]): Code => {
    const bytes = lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte));
    return new Code(simd(13), [a, b], bytes);
  },
};

export const f32x4 = {
  /** A constant in all four lanes. */
  constant: (value: number): Code => new Code([...simd(12), ...bytesOf(value, value, value, value)], []),
  splat: unary(simd(19)),
  /** One lane as an f32. */
  lane: (vector: Operand, lane: number): Code => new Code(simd(31), [vector], [lane]),
  add: binary(simd(228)),
  sub: binary(simd(229)),
  mul: binary(simd(230)),
  div: binary(simd(231)),
  /** NaN where either is; slower than `lesser`. */
  min: binary(simd(232)),
  /** NaN where either is; slower than `greater`. */
  max: binary(simd(233)),
  /** b < a ? b : a, so that a NaN in `a` stays. */
  lesser: binary(simd(234)),
  /** a < b ? b : a, so that a NaN in `a` stays. */
  greater: binary(simd(235)),
  abs: unary(simd(224)),
  neg: unary(simd(225)),
  sqrt: unary(simd(227)),
  floor: unary(simd(0x68)),
  nearest: unary(simd(0x6a)),
  eq: binary(simd(65)),
  ne: binary(simd(66)),
  lt: binary(simd(67)),
  gt: binary(simd(68)),
  le: binary(simd(69)),
  /** a·b + c, rounded once where the processor can. Relaxed SIMD. */
  fusedMultiplyAdd: ternary(simd(0x105)),
};

export const i32x4 = {
  splat: unary(simd(17)),
  add: binary(simd(174)),
  sub: binary(simd(177)),
  /** By as many bits as the second says. */
  shiftLeft: binary(simd(171)),
  /** Unsigned; by as many bits as the second says. */
  shiftRight: binary(simd(173)),
  /** Of floats, towards zero; what does not fit saturates, NaN is 0. */
  fromFloats: unary(simd(248)),
  toFloats: unary(simd(250)),
};

const STORE = { integer: [0x36], float: [0x38], vector: simd(11), one: simd(90), two: simd(91) };

/** The function of a module: its statements, in order. */
export class FunctionWriter {
  readonly parameters: readonly Local[];
  private readonly variables: ValueType[] = [];
  private readonly statements = new Bytes();

  constructor(
    readonly name: string,
    readonly types: readonly ValueType[],
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

  /** Writes a value, its operands first. */
  private emit(value: Operand): void {
    const to = this.statements;
    if (value instanceof Local) {
      to.byte(0x20);
      to.unsigned(value.index);
    } else if (typeof value === "number") {
      to.byte(0x41);
      to.signed(value);
    } else {
      for (const operand of value.operands) this.emit(operand);
      to.bytes(value.opcode);
      for (const immediate of value.immediates) to.unsigned(immediate);
    }
  }

  private bytes(...bytes: readonly number[]): void {
    this.statements.bytes(bytes);
  }

  set(variable: Local, value: Operand): void {
    this.emit(value);
    this.statements.byte(0x21);
    this.statements.unsigned(variable.index);
  }

  /** variable += amount. */
  increase(variable: Local, amount: Operand): void {
    if (amount !== 0) this.set(variable, i32.add(variable, amount));
  }

  storeFloat(address: Operand, value: Operand, offset = 0): void {
    this.emit(new Code(STORE.float, [address, value], place(offset)));
  }

  storeInteger(address: Operand, value: Operand, offset = 0): void {
    this.emit(new Code(STORE.integer, [address, value], place(offset)));
  }

  /** Stores the first `lanes` floats of a vector and touches nothing behind them. */
  storeVector(address: Operand, vector: Operand, offset = 0, lanes = 4): void {
    const operands = [address, vector];
    if (lanes === 4) this.emit(new Code(STORE.vector, operands, place(offset)));
    if (lanes === 2 || lanes === 3) this.emit(new Code(STORE.two, operands, place(offset, 0)));
    if (lanes === 1) this.emit(new Code(STORE.one, operands, place(offset, 0)));
    if (lanes === 3) this.emit(new Code(STORE.one, operands, place(offset + 8, 2)));
  }

  /** Copies `length` bytes; the ranges may overlap. */
  copy(to: Operand, from: Operand, length: Operand): void {
    this.emit(new Code([0xfc, 10, 0, 0], [to, from, length]));
  }

  /** Runs the body again and again; leaves before it once the condition is not 0. */
  private unless(condition: Operand, body: () => void): void {
    this.bytes(0x02, 0x40, 0x03, 0x40);
    this.emit(condition);
    this.bytes(0x0d, 1);
    body();
    this.bytes(0x0c, 0, 0x0b, 0x0b);
  }

  /** Runs the body with `index` from `from` up to but without `to`. */
  range(index: Local, from: Operand, to: Operand, step: number, body: () => void): void {
    this.set(index, from);
    this.unless(i32.ge(index, to), () => {
      body();
      this.increase(index, step);
    });
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
    this.unless(i32.isZero(condition), body);
  }

  /** Runs the body once, and again as long as what it returns is not 0. */
  until(body: () => Operand): void {
    this.bytes(0x03, 0x40);
    this.emit(body());
    this.bytes(0x0d, 0, 0x0b);
  }

  if(condition: Operand, then: () => void, otherwise?: () => void): void {
    this.emit(condition);
    this.bytes(0x04, 0x40);
    then();
    if (otherwise) {
      this.bytes(0x05);
      otherwise();
    }
    this.bytes(0x0b);
  }

  /** The function as the code section holds it. */
  get body(): Bytes {
    const body = new Bytes();
    body.unsigned(this.variables.length);
    for (const type of this.variables) body.bytes([1, TYPE[type]]);
    body.bytes(this.statements.written);
    body.byte(0x0b);
    return body;
  }
}

/** The memory that a module imports as `engine.memory`. */
export interface MemoryImport {
  readonly maximumPages: number;
  readonly shared: boolean;
}

/** The bytes of a module that imports a memory and exports one function, which returns nothing, by its name. */
export function assemble(f: FunctionWriter, memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const module = new Bytes();
  /** A section that holds one entry. */
  const section = (id: number, write: (to: Bytes) => void) => {
    const content = new Bytes();
    content.byte(1);
    write(content);
    module.byte(id);
    module.sized(content);
  };
  module.bytes([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  section(1, (types) => types.bytes([0x60, f.types.length, ...f.types.map((type) => TYPE[type]), 0]));
  section(2, (imports) => {
    imports.text("engine");
    imports.text("memory");
    imports.bytes([2, memory.shared ? 3 : 1, 1]);
    imports.unsigned(memory.maximumPages);
  });
  section(3, (functions) => functions.byte(0));
  section(7, (exports) => {
    exports.text(f.name);
    exports.bytes([0, 0]);
  });
  section(10, (codes) => codes.sized(f.body));
  return module.written;
}
