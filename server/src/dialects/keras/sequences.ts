/**
 * Layers over sequences: recurrent ones and their cells, and attention.
 */
import { get, plain, type Tree } from "../../syntax/tree.ts";
import { type Binding, fixed, type Step, step } from "./binding.ts";
import { Config } from "./config.ts";
import { windowed } from "./windows.ts";

/** @param doubled CuDNN's layers have one bias for the input and one for the state. */
export function recurrent(name: string, doubled = false): Binding {
  return (config) => [
    step(name, {
      units: config.arg("units", "output_dim"),
      return_sequences: config.arg("return_sequences"),
      return_state: config.arg("return_state"),
      use_bias: config.arg("use_bias"),
      // Written by Keras 2.1 and later; before that there was one bias.
      reset_after: doubled ? fixed(true) : (config.arg("reset_after") ?? fixed(false)),
    }),
  ];
}

/** `RNN` over one cell or several, each of which reads the states of the one before. A cell of the user's own: opaque. */
export const cells: Binding = (config) => {
  const layers = cellsIn(get(config.tree, "cell"));
  const steps = layers.flatMap((cell, index): readonly Step[] => {
    const name = /^(SimpleRNN|GRU|LSTM)Cell$/.exec(classOf(cell) ?? "")?.[1];
    if (!name) return [];
    const [read] = recurrent(name)(new Config(get(cell, "config")), undefined);
    const isLast = index === layers.length - 1;
    const sequences = isLast ? config.arg("return_sequences") : fixed(true);
    return [{ ...read!, args: { ...read!.args, return_sequences: sequences, return_state: undefined } }];
  });
  return steps.length === layers.length ? steps : [];
};

function cellsIn(cell: Tree | undefined): readonly Tree[] {
  const inner = get(get(cell, "config"), "cells");
  if (classOf(cell) === "StackedRNNCells") return inner?.kind === "list" ? inner.items : [];
  return cell ? [cell] : [];
}

/** The class of a serialised object. */
export function classOf(tree: Tree | undefined): string | null {
  const name = get(tree, "class_name");
  return name?.kind === "scalar" ? String(name.value) : null;
}

export function convLstm(axes: number): Binding {
  return (config) => [
    step(`ConvLSTM${axes}d`, {
      ...windowed(config, axes),
      out_channels: config.arg("filters", "nb_filter"),
      return_sequences: config.arg("return_sequences"),
      return_state: config.arg("return_state"),
    }),
  ];
}

/** A keyword that a layer is called with, as written in Keras 3 (`kwargs`) or before (last in a source). */
function keyword(call: Tree | undefined, name: string): unknown {
  const tree = get(get(call?.kind === "list" ? call.items[0] : call, "kwargs"), name);
  return tree && plain(tree);
}

const scores = (call: Tree | undefined) => fixed(keyword(call, "return_attention_scores") === true);

export const multiHeadAttention: Binding = (config, call) => {
  const shape = config.arg("output_shape");
  const width = Array.isArray(shape?.value) ? (shape.value.length === 1 ? shape.value[0] : undefined) : shape?.value;
  // An output of several axes is beyond the rule.
  if (shape && width === undefined) return [];
  return [
    step("MultiHeadAttention", {
      num_heads: config.arg("num_heads"),
      key_dim: config.arg("key_dim"),
      value_dim: config.arg("value_dim"),
      use_bias: config.arg("use_bias"),
      output_width: shape && { ...shape, value: width! },
      scores: scores(call),
    }),
  ];
};

export function attention(name: string): Binding {
  return (config, call) => [step(name, { scaled: config.arg("use_scale"), scores: scores(call) })];
}
