/** A value of the wrong kind. */

import type { Plain } from "#shared/ops/param.ts";
import { setting } from "./mending.ts";
import { nearest, nearestOf } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";

/** Longer values say nothing in a message. */
const MAX_SHOWN = 40;

export const page: RulePage = {
  docs: `The framework refuses the value, or the format cannot read it. Where one element of a list is at fault, the mark is on
that element. The layer's own sizes are not known then; its neighbours keep theirs.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: «ten»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "padding": «"full"»}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "padding": "same"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, «Conv», [64, three]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: «three»}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
`,
    },
  },
};

export const badValue = defineRule({
  code: "bad-value",
  severity: "error",
  summary: "A value is of the wrong kind or out of range.",
  message: ({ data, at, node, words }) => {
    const name = node ? words.param(node.op.name, data.name) : data.name;
    const value = at.kind === "param" && at.index !== undefined ? element(data.value, at.index) : data.value;
    const not = value === undefined ? "" : `, not ${shown(value)}`;
    const choices = node ? [...data.expected.matchAll(/"([^"]+)"/g)].map((match) => match[1]!) : [];
    const close = typeof value === "string" ? nearest(value, choices) : null;
    const limit = typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER ? " of at most 2⁵³ − 1" : "";
    return `${name} must be ${data.expected}${limit}${not}.${close ? ` Did you mean ${close}?` : ""}`;
  },

  *fixes({ data, at, node }) {
    const index = at.kind === "param" ? at.index : undefined;
    const value = index === undefined ? data.value : element(data.value, index);
    for (const { value: meant, safe } of readings(value, data.expected)) {
      const reveals = safe ? ({ reveals: true } as const) : {};
      if (at.kind === "range" && typeof meant !== "object" && typeof meant !== "boolean" && meant !== null)
        yield { changes: [{ kind: "replace", at: at.range, value: meant }], safe, ...reveals };
      else if (at.kind === "param" && node) yield { changes: [setting(node, at.name, meant, index)], safe, ...reveals };
    }
  },
});

function element(value: Plain | undefined, index: number): Plain | undefined {
  return Array.isArray(value) ? (value[index] as Plain | undefined) : value;
}

function shown(value: Plain): string {
  if (value === null) return "empty";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

/** What a value of the wrong kind was meant to be. */
function* readings(
  value: Plain | undefined,
  expected: string,
): Iterable<{ readonly value: Plain; readonly safe: boolean }> {
  if (typeof value === "string") {
    const close = nearestOf(
      value,
      [...expected.matchAll(/"([^"]+)"/g)].map((match) => match[1]!),
    );
    for (const word of close) yield { value: word, safe: close.length === 1 };
    // A Python literal that YAML reads as text, or a number in quotes.
    const truth = /^(?:(true|yes|on)|(false|no|off))$/i.exec(value.trim());
    if (truth) yield { value: truth[1] !== undefined, safe: true };
    const numbers = value.match(/-?\d+(?:\.\d+)?/g)?.map(Number) ?? [];
    if (/^\s*-?[\d.]+\s*$/.test(value) && numbers.length === 1) yield { value: numbers[0]!, safe: true };
    if (/^\s*[([][-\d., ]+[)\]]\s*$/.test(value)) yield { value: numbers, safe: true };
  } else if (Array.isArray(value) && value.length > 0 && value.every((item) => item === value[0])) {
    yield { value: value[0]! as Plain, safe: false };
  } else if (typeof value === "number") {
    if (!Number.isInteger(value)) yield { value: Math.round(value), safe: false };
    if (value < 0) yield { value: -value, safe: false };
    if (value < 1) yield { value: 1, safe: false };
  }
}
