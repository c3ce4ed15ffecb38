/** For programs: the contract of docs/json-format.md, as one object or as one object per file and line. */
import { type Format, Separated } from "./format.ts";

export const json: Format = {
  name: "json",
  summary: "for programs: one object (docs/json-format.md)",
  layers: true,
  fixes: true,
  forPeople: false,
  begin: () => {
    const files = new Separated();
    return {
      header: '{"version":1,"files":[',
      file: ({ report }) => files.next([JSON.stringify(report)]),
      footer: () => "]}\n",
    };
  },
};

export const jsonLines: Format = {
  name: "json-lines",
  summary: "for programs: one object per file and line",
  layers: true,
  fixes: true,
  forPeople: false,
  begin: () => ({ header: "", file: ({ report }) => `${JSON.stringify(report)}\n`, footer: () => "" }),
};
