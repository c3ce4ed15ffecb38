/**
 * A layer's `config` as its framework wrote it: values by any of the names that Keras 1, 2 and 3 gave them.
 */
import type { Plain } from "#shared/ops/param.ts";
import { type Entry, entryOf, plain, type Tree } from "../../syntax/tree.ts";

/** A value for an operator's parameter, and where it stands. */
export interface Arg {
  readonly value: Plain;
  /** null where no single key holds it. */
  readonly entry: Entry | null;
  /** Why Keras refuses the value here; completes "must be …". */
  readonly refused?: string;
}

export class Config {
  constructor(readonly tree: Tree | undefined) {}

  /** The first of the keys that is written and not null. */
  arg(...keys: readonly string[]): Arg | undefined {
    for (const key of keys) {
      const entry = entryOf(this.tree, key);
      if (!entry || (entry.value.kind === "scalar" && entry.value.value === null)) continue;
      return { value: plain(entry.value), entry };
    }
    return undefined;
  }

  value(...keys: readonly string[]): Plain | undefined {
    return this.arg(...keys)?.value;
  }

  text(...keys: readonly string[]): string | undefined {
    const value = this.value(...keys);
    return typeof value === "string" ? value : undefined;
  }

  /** Integers per axis where they are well written; null where not (their own parameter says so). */
  integers(axes: number, ...keys: readonly string[]): readonly number[] | null {
    const value = this.value(...keys);
    const list = Array.isArray(value) ? value : new Array<Plain | undefined>(axes).fill(value);
    const good = list.length === axes && list.every((item) => typeof item === "number" && Number.isSafeInteger(item));
    return good ? (list as number[]) : null;
  }

  /** Where the channels are: `data_format`, or Keras 1's `dim_ordering`. */
  get channels(): "first" | "last" | null {
    const format = this.text("data_format", "dim_ordering");
    if (format === "channels_first" || format === "th") return "first";
    return format === "channels_last" || format === "tf" ? "last" : null;
  }
}
