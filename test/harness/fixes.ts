/**
 * Literate specs of fixes: Markdown in which each fenced model is followed by a fence `fixes` with every fix that is offered,
 * its title and the lines that it changes:
 *
 *     4 error[groups-divide]
 *       unsafe groups: 1 → output 6×6
 *         -  - {type: Conv2d, out_channels: 4, kernel_size: 3, groups: 2}
 *         +  - {type: Conv2d, out_channels: 4, kernel_size: 3, groups: 1}
 *
 * The model's fence says what harness/literate.ts says; also `related`-like words: `crlf`, `bom`, `rules=code,code` for
 * optional rules. `UPDATE=1` writes the fixes anew; read the diff.
 */
import { diffLines } from "diff";
import { type Analysis, analyse } from "#server/analysis.ts";
import { Prover } from "#server/fixes/prove.ts";
import { applyEdits } from "#server/syntax/edit.ts";

export interface FixSpec {
  readonly title: string;
  readonly text: string;
  readonly path: string;
  readonly options: Parameters<typeof analyse>[2];
  /** Lines of the Markdown that the answer fills: [first, end). */
  readonly first: number;
  readonly end: number;
  readonly answer: string;
}

export function specsOf(markdown: string): FixSpec[] {
  const lines = markdown.split("\n");
  const specs: FixSpec[] = [];
  let heading = "";
  for (let at = 0; at < lines.length; at++) {
    heading = /^#+ (.*)/.exec(lines[at]!)?.[1] ?? heading;
    const open = /^```(yaml|json)(.*)/.exec(lines[at]!);
    if (!open) continue;
    const close = lines.indexOf("```", at);
    const words = open[2]!.trim().split(/\s+/);
    const word = (name: string) => words.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
    const first = lines.indexOf("```fixes", close) + 1;
    const end = lines.indexOf("```", first);
    const body = `${lines.slice(at + 1, close).join("\n")}\n`;
    specs.push({
      title: `${heading} (line ${at + 1})`,
      text: (words.includes("bom") ? "\uFEFF" : "") + (words.includes("crlf") ? body.replaceAll("\n", "\r\n") : body),
      path: words.find((one) => /^[^=]+\.\w+$/.test(one)) ?? `model.cnn.${open[1]}`,
      options: {
        input: word("input")?.split(",").map(Number) ?? null,
        scale: word("scale") ?? null,
        rules: Object.fromEntries((word("rules")?.split(",") ?? []).map((code) => [code, {}])),
      },
      first,
      end,
      answer: lines.slice(first, end).join("\n"),
    });
    at = end;
  }
  return specs;
}

/** Every fix of a model, as the fence `fixes` shows it. */
export function fixesText({ text, path, options }: Pick<FixSpec, "text" | "path" | "options">): string {
  const reanalyse = (now: string): Analysis | null => analyse(now, path, options);
  const analysis = reanalyse(text);
  if (!analysis) return "no model";
  const prover = new Prover(analysis, reanalyse);
  const shown = analysis.diagnostics.flatMap((diagnostic) => {
    const line = text.slice(0, diagnostic.range.start).split("\n").length;
    const fixes = prover
      .fixesOf(diagnostic)
      .flatMap(({ title, safe, edits }) => [
        `  ${safe ? "safe" : "unsafe"} ${title}`,
        ...changedLines(text, applyEdits(text, edits)),
      ]);
    return [`${line} ${diagnostic.severity}[${diagnostic.code}]`, ...fixes];
  });
  return shown.join("\n");
}

function changedLines(before: string, after: string): string[] {
  return diffLines(before, after).flatMap(({ added, removed, value }) =>
    added || removed
      ? value
          .replace(/\r?\n$/, "")
          .split("\n")
          .map((line) => `    ${added ? "+" : "-"} ${line.replace(/\r$/, "␍")}`)
      : [],
  );
}

export function rewrittenSpecs(markdown: string): string {
  const lines = markdown.split("\n");
  for (const spec of specsOf(markdown).reverse()) {
    const answer = fixesText(spec);
    lines.splice(spec.first, spec.end - spec.first, ...(answer === "" ? [] : answer.split("\n")));
  }
  return lines.join("\n");
}
