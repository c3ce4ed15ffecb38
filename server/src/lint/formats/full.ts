/** For people at a terminal: the table of layers where it is asked for, and each problem with its line of the file. */
import { framed, statisticsText, summary } from "../frame.ts";
import { harmless } from "../style.ts";
import { tableText } from "../table.ts";
import type { Format } from "./format.ts";

export const full: Format = {
  name: "full",
  summary: "each problem with its line of the file (the default)",
  layers: false,
  fixes: true,
  forPeople: true,
  begin: ({ paint, statistics }) => ({
    header: "",
    file({ report, lines, table }) {
      const title = table ? `${paint("bold", harmless(report.path))}\n\n${tableText(table, paint)}\n\n` : "";
      return title + report.problems.map((problem) => `${framed(report.path, problem, lines, paint)}\n\n`).join("");
    },
    footer(tally) {
      const counts = statistics ? statisticsText(tally, paint) : "";
      return tally.files === 0 ? "" : `${counts}${summary(tally, paint)}\n`;
    },
  }),
};
