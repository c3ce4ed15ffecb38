/**
 * SARIF 2.1.0, as GitHub's code scanning and other viewers read it: the rules that occur come with their documentation.
 */

import type { FindingCode } from "#shared/ops/finding.ts";
import manifest from "../../../../package.json" with { type: "json" };
import { docsUrl, rules } from "../../rules/index.ts";
import { pages } from "../../rules/pages.ts";
import type { Rule, Severity } from "../../rules/rule.ts";
import { fingerprints } from "../identity.ts";
import type { Span } from "../positions.ts";
import type { CheckedFile, ProblemReport } from "../report.ts";
import { type Format, grade, Separated } from "./format.ts";

const catalogue: readonly Rule<any>[] = Object.values(rules);
const indexOf = new Map(catalogue.map(({ code }, index) => [code as string, index]));

export const sarif: Format = {
  name: "sarif",
  summary: "SARIF 2.1.0, for GitHub's code scanning and other viewers",
  layers: false,
  fixes: true,
  forPeople: false,
  begin: () => {
    const results = new Separated();
    return {
      header: `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"tool":${JSON.stringify(tool())},"columnKind":"utf16CodeUnits","results":[`,
      file(checked) {
        const prints = fingerprints(checked);
        return results.next(
          checked.report.problems.map((problem, index) => JSON.stringify(result(problem, checked, prints[index]!))),
        );
      },
      footer: () => "]}]}\n",
    };
  },
};

function tool() {
  return {
    driver: {
      name: "ConvLint",
      semanticVersion: manifest.version,
      informationUri: docsUrl("syntax").replace(/\/blob\/.*/, ""),
      rules: catalogue.map(({ code, severity, summary }) => {
        const docs = pages[code as FindingCode].docs.trim();
        return {
          id: code,
          shortDescription: { text: summary },
          help: { text: docs, markdown: docs },
          helpUri: docsUrl(code),
          defaultConfiguration: { level: level(severity) },
        };
      }),
    },
  };
}

function result(problem: ProblemReport, { report }: CheckedFile, print: string) {
  const { code, severity, message, range, related, fixes } = problem;
  const artifactLocation = { uri: uriOf(report.path) };
  const location = (place: Span) => ({ physicalLocation: { artifactLocation, region: region(place) } });
  return {
    ruleId: code,
    ruleIndex: indexOf.get(code) ?? -1,
    level: level(severity),
    message: { text: message },
    locations: [location(range)],
    partialFingerprints: { "convlint/v1": print },
    ...(related.length > 0
      ? { relatedLocations: related.map((place) => ({ ...location(place.range), message: { text: place.message } })) }
      : {}),
    ...(fixes.length > 0
      ? {
          fixes: fixes.map(({ title, safe, edits }) => ({
            description: { text: title },
            properties: { safe },
            artifactChanges: [
              {
                artifactLocation,
                replacements: edits.map((edit) => ({
                  deletedRegion: region(edit.range),
                  insertedContent: { text: edit.newText },
                })),
              },
            ],
          })),
        }
      : {}),
  };
}

function region({ start, end }: Span) {
  return { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column };
}

function level(severity: Severity) {
  return grade(severity, { error: "error", warning: "warning", note: "note" });
}

/** A shown path as a relative URI. */
export function uriOf(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
