/**
 * Offsets ↔ lines and columns, for people and for other programs.
 */
import type { Range } from "#shared/ops/finding.ts";

/** Line and column count from 1, the offset from 0; columns and offsets count UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

export interface Span {
  readonly start: Position;
  readonly end: Position;
}

/** Where each line of a text starts. A line ends at LF, CR LF or CR. */
export class Lines {
  private readonly starts: readonly number[];

  constructor(private readonly text: string) {
    const starts = [0];
    for (const match of text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
    this.starts = starts;
  }

  /** The position of an offset; offsets outside the text are brought inside. */
  at(offset: number): Position {
    const inside = Math.min(Math.max(offset, 0), this.text.length);
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= inside) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: inside - this.starts[low]! + 1, offset: inside };
  }

  span(range: Range): Span {
    return { start: this.at(range.start), end: this.at(range.end) };
  }

  /** The text of a line (from 1) without its end. */
  line(number: number): string {
    const start = this.starts[number - 1];
    if (start === undefined) return "";
    return this.text.slice(start, this.starts[number] ?? this.text.length).replace(/[\r\n]+$/, "");
  }
}
