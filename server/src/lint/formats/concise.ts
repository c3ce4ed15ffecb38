/** One line per problem, as editors and grep read them: `path:line:column: severity[code]: message`. */
import { conciseLine, statisticsText } from "../frame.ts";
import { harmless } from "../style.ts";
import { tableText } from "../table.ts";
import type { Format } from "./format.ts";

export const concise: Format = {
  name: "concise",
  summary: "one line per problem",
  layers: false,
  fixes: false,
  forPeople: true,
  begin: ({ paint, statistics }) => ({
    header: "",
    file({ report, table }) {
      const title = table ? `${paint("bold", harmless(report.path))}\n\n${tableText(table, paint)}\n\n` : "";
      return title + report.problems.map((problem) => `${conciseLine(report.path, problem, paint)}\n`).join("");
    },
    footer: (tally) => (statistics ? statisticsText(tally, paint) : ""),
  }),
};
