/** Every problem that has a proven fix, mended one after the other until none is left that can be. */
import type { FindingCode } from "#shared/ops/finding.ts";
import type { Analysis } from "../analysis.ts";
import type { Diagnostic } from "../rules/rule.ts";
import { Revision, type TextEdit } from "../syntax/edit.ts";
import { Budget, Prover } from "./prove.ts";

export interface FixedText {
  /** Of the first text. */
  readonly edits: readonly TextEdit[];
  readonly after: Analysis;
  /** What was mended, in order. */
  readonly applied: readonly { readonly code: FindingCode; readonly title: string }[];
}

/** @param unsafeToo also fixes that change what a model does. */
export function fixAll({ analysis, reanalyse }: Prover, unsafeToo: boolean): FixedText {
  const revision = new Revision(analysis.text);
  const applied: { code: FindingCode; title: string }[] = [];
  const budget = new Budget();
  let current = analysis;
  // What is safe comes first: it may say what the unsafe would only guess.
  for (const unsafe of unsafeToo ? [false, true] : [false]) {
    for (let before = -1; before < applied.length; ) {
      before = applied.length;
      const tried = new Set<string>();
      for (;;) {
        const prover = new Prover(current, reanalyse, budget);
        const next = firstFix(current.diagnostics, prover, unsafe, tried);
        if (!next) break;
        // Every fix leaves fewer problems, or fewer slips that hide some; in any case the budget ends.
        revision.apply(next.fix.edits);
        applied.push({ code: next.code, title: next.fix.title });
        current = next.fix.after;
      }
    }
  }
  return { edits: revision.edits, after: current, applied };
}

/** @param tried problems that were seen in this round, to which this adds. */
function firstFix(diagnostics: readonly Diagnostic[], prover: Prover, unsafe: boolean, tried: Set<string>) {
  for (const diagnostic of diagnostics) {
    const { code, layer, message, severity } = diagnostic;
    const key = `${code} ${layer} ${message}`;
    if (tried.has(key)) continue;
    // Nobody asks for another model because of a note.
    const isNote = severity === "information" || severity === "hint";
    const fix = prover.firstOf(diagnostic, unsafe && !isNote);
    if (fix) return { code, fix };
    tried.add(key);
  }
  return null;
}
