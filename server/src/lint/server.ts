/**
 * `convlint server`: the language server for any editor, loaded only when it is asked for.
 */
import { type Command, Misuse } from "./arguments.ts";

const HELP = `Usage: convlint server --stdio

Runs the language server over standard input and output until the editor closes it. Set your editor to start it for
YAML and JSON files.
`;

export const serverCommand: Command = {
  summary: "the language server, for any editor that speaks LSP",
  help: HELP,
  options: { stdio: { type: "boolean" } },
  async run(args) {
    if (!args.has("stdio"))
      throw new Misuse("the server speaks over standard input and output: convlint server --stdio");
    const { startServer } = await import("../main.ts");
    startServer();
    return 0;
  },
};
