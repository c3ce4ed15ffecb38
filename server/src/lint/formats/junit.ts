/**
 * JUnit's XML, which most CI servers show as a list of tests: a suite per file, a case per problem. What does not fail the
 * run is a case that passes, with the problem as its output.
 */
import type { CheckedFile, ProblemReport } from "../report.ts";
import type { Format, FormatContext } from "./format.ts";
import { xml } from "./xml.ts";

export const junit: Format = {
  name: "junit",
  summary: "JUnit XML, for the test reports of CI servers",
  layers: false,
  fixes: false,
  forPeople: false,
  begin: ({ fails }) => ({
    header: '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="convlint">\n',
    file: (checked) => suite(checked, fails),
    footer: () => "</testsuites>\n",
  }),
};

function suite({ report: { path, problems } }: CheckedFile, fails: FormatContext["fails"]): string {
  const name = xml(path);
  const cases =
    problems.length === 0
      ? [`    <testcase name="convlint" classname="${name}" time="0"/>\n`]
      : problems.map((problem) => testcase(path, problem, fails(problem.severity)));
  const failures = problems.filter(({ severity }) => fails(severity)).length;
  return `  <testsuite name="${name}" tests="${cases.length}" failures="${failures}" errors="0" skipped="0" time="0">\n${cases.join("")}  </testsuite>\n`;
}

function testcase(path: string, { code, severity, message, range: { start } }: ProblemReport, fails: boolean): string {
  const place = `${path}:${start.line}:${start.column}`;
  const open = `    <testcase name="${xml(`${code} at ${start.line}:${start.column}`)}" classname="${xml(path)}" time="0">`;
  const told = fails
    ? `<failure type="${severity}" message="${xml(message)}">${xml(`${place}: ${message}`)}</failure>`
    : `<system-out>${xml(`${place}: ${severity}: ${message}`)}</system-out>`;
  return `${open}${told}</testcase>\n`;
}
