/** Diagnostics as an editor wants them: the rules' answers with the user's severities and a link to each rule's page. */
import type { FindingCode, Range } from "#shared/ops/finding.ts";
import { type RuleLevel, type RuleSettings, severityOf } from "#shared/settings.ts";
import type { Analysis } from "../analysis.ts";
import { docsUrl } from "../rules/index.ts";
import type { Diagnostic, RelatedPlace, Severity } from "../rules/rule.ts";

export interface Problem {
  readonly diagnostic: Diagnostic;
  readonly code: FindingCode;
  /** The rule's page. */
  readonly href: string;
  readonly severity: Severity;
  readonly range: Range;
  readonly message: string;
  readonly related: readonly RelatedPlace[];
  /** Dead code fades. */
  readonly unnecessary: boolean;
  /** Index into Graph.layers, or null. */
  readonly layer: number | null;
}

/** In text order; rules that are set to `off` are left out. */
export function problems(analysis: Analysis, levels: RuleSettings): readonly Problem[] {
  const found: Problem[] = [];
  for (const diagnostic of analysis.diagnostics) {
    const { code, range, message, related, tag, layer } = diagnostic;
    const level = levelOf(diagnostic, levels);
    if (level === "off") continue;
    found.push({
      diagnostic,
      code,
      href: docsUrl(code),
      severity: level,
      range,
      message,
      related,
      unnecessary: tag === "unnecessary",
      layer,
    });
  }
  return found.sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
}

function levelOf({ code, severity }: Diagnostic, levels: RuleSettings): RuleLevel {
  return (Object.hasOwn(levels, code) ? severityOf(levels[code]!) : undefined) ?? severity;
}

/** An analysis without what the user does not want to hear, so that no fix is refused for it. */
export function heard<T extends Analysis | null>(analysis: T, levels: RuleSettings): T {
  return analysis && { ...analysis, diagnostics: analysis.diagnostics.filter((one) => levelOf(one, levels) !== "off") };
}
