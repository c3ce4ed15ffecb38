/** Checkstyle's XML, which Jenkins, reviewdog and many others read. */
import { type Format, grade } from "./format.ts";
import { xml } from "./xml.ts";

export const checkstyle: Format = {
  name: "checkstyle",
  summary: "Checkstyle XML, for Jenkins, reviewdog and others",
  layers: false,
  fixes: false,
  forPeople: false,
  begin: () => ({
    header: '<?xml version="1.0" encoding="UTF-8"?>\n<checkstyle version="4.3">\n',
    file({ report: { path, problems } }) {
      const errors = problems.map(({ code, severity, message, range: { start } }) => {
        const level = grade(severity, { error: "error", warning: "warning", note: "info" });
        return `    <error line="${start.line}" column="${start.column}" severity="${level}" message="${xml(message)}" source="convlint.${code}"/>\n`;
      });
      return `  <file name="${xml(path)}">\n${errors.join("")}  </file>\n`;
    },
    footer: () => "</checkstyle>\n",
  }),
};
