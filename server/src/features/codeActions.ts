/**
 * Quick fixes: what mends the problems at a place, each proven, and the comment that suppresses one. Only what is asked for is
 * computed, for an editor asks with every step of the cursor.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Prover } from "../fixes/prove.ts";
import { suppression } from "../fixes/suppress.ts";
import type { TextEdit } from "../syntax/edit.ts";
import type { Problem } from "./diagnostics.ts";

export interface QuickFix {
  readonly title: string;
  readonly edits: readonly TextEdit[];
  readonly problem: Problem;
  /** It is surely what was meant. */
  readonly preferred: boolean;
}

/** Problems whose fixes are looked for at once; a selection of a whole file holds more. */
const MAX_PROBLEMS = 20;

/** For the problems that touch a range. @param prover of the analysis that the problems are from. */
export function* quickFixes(
  problems: readonly Problem[],
  prover: Prover,
  range: Range,
  path: string,
): Generator<QuickFix> {
  const touched = problems
    .filter(({ range: at }) => at.start <= range.end && range.start <= at.end)
    .slice(0, MAX_PROBLEMS);
  for (const problem of touched) {
    const fixes = prover.fixesOf(problem.diagnostic);
    const isClear = fixes.filter(({ safe }) => safe).length === 1;
    for (const { title, edits, safe } of fixes)
      yield { title: capital(title), edits, problem, preferred: safe && isClear };
  }
  for (const problem of touched) {
    const edits = suppression(problem.diagnostic, prover.analysis, path);
    if (!edits || !prover.proves(edits, problem.diagnostic)) continue;
    yield { title: `Suppress ${problem.code} on this line`, edits, problem, preferred: false };
  }
}

/** Of words, not of a parameter's name. */
function capital(title: string): string {
  return /^(?:change|remove|read|input) /.test(title) ? title[0]!.toUpperCase() + title.slice(1) : title;
}
