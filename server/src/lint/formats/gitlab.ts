/** GitLab's Code Quality report: a merge request shows what is new and what is gone, by fingerprint. */
import { fingerprints } from "../identity.ts";
import { type Format, grade, Separated } from "./format.ts";

export const gitlab: Format = {
  name: "gitlab",
  summary: "GitLab's Code Quality report",
  layers: false,
  fixes: false,
  forPeople: false,
  begin: () => {
    const items = new Separated();
    return {
      header: "[",
      file(checked) {
        const { path, problems } = checked.report;
        const prints = fingerprints(checked);
        return items.next(
          problems.map(({ code, severity, message, range }, index) =>
            JSON.stringify({
              description: message,
              check_name: code,
              fingerprint: prints[index],
              severity: grade(severity, { error: "major", warning: "minor", note: "info" }),
              location: { path, lines: { begin: range.start.line, end: range.end.line } },
            }),
          ),
        );
      },
      footer: () => "]\n",
    };
  },
};
