/**
 * `check --stdin-jsonl`: one model per line in, one report per line out, in order and without end, for programs that make
 * models by the million. A line that is no model is answered like any other.
 */
import { resolve } from "node:path";
import type { Configs } from "../config/resolve.ts";
import type { Outcome, Setup, Task } from "./checker.ts";
import { toStdout } from "./outputs.ts";
import { shownPath, slashed } from "./paths.ts";
import { GROUP, inOrder } from "./pool.ts";

/** A longer line is refused, so that no input can fill the memory. */
const MAX_LINE_BYTES = 64 << 20;
const FLUSH_LENGTH = 64 * 1024;
const LINE_FEED = 10;

export interface LinesRequest {
  readonly setup: Setup;
  readonly configs: Configs;
  readonly jobs: number;
  /** What a line is called that says no path; the ending decides between YAML and JSON. */
  readonly filename: string;
  readonly cwd: string;
}

/** A line of the input: a task, or what is wrong with it. */
interface Line {
  /** As given; undefined where the line says none. */
  readonly id: unknown;
  readonly task: Task | null;
  readonly error: string | null;
}

/** Answers every line of `input` until it ends. */
export async function checkLines(input: AsyncIterable<Buffer>, request: LinesRequest): Promise<void> {
  const read = lineReader(request);
  const groups = async function* () {
    for await (const lines of splitLines(input)) {
      for (let start = 0; start < lines.length; start += GROUP) yield lines.slice(start, start + GROUP).map(read);
    }
  };
  const out = new Flow();
  for await (const [line, outcome] of inOrder(groups(), ({ task }) => task, request.setup, request.jobs)) {
    await out.write(`${answer(line, outcome)}\n`);
  }
  await out.flush();
}

function answer({ id, task, error }: Line, outcome: Outcome | null): string {
  const named = { ...(id === undefined ? {} : { id }), ...(task ? { path: task.path } : {}) };
  if (outcome?.kind === "checked") return JSON.stringify({ ...named, ...outcome.checked.report });
  const why = outcome === null ? error : outcome.kind === "unreadable" ? outcome.why : "this is no model";
  return JSON.stringify({ ...named, error: why });
}

function lineReader({ configs, filename, cwd }: LinesRequest): (line: string | null) => Line {
  const taskOf = (path: string, text: string): Task => {
    const file = resolve(cwd, path);
    return { path: shownPath(file, cwd), file: null, text, config: configs.of(slashed(file)).config };
  };
  return (line) => {
    if (line === null) return { id: undefined, task: null, error: `the line is longer than ${MAX_LINE_BYTES} bytes` };
    if (line.trim() === "") return { id: undefined, task: null, error: "the line is empty" };
    const wrapped = line.includes('"text"') ? envelope(line) : null;
    if (!wrapped) return { id: undefined, task: taskOf(filename, line), error: null };
    const path =
      wrapped.path ?? (wrapped.text.trimStart().startsWith("{") ? filename : filename.replace(/\.jsonc?$/, ".yaml"));
    return { id: wrapped.id, task: taskOf(path, wrapped.text), error: null };
  };
}

/** `{"id": …, "path": "…", "text": "…"}`, or null where the line is anything else: then it is the model itself. */
function envelope(
  line: string,
): { readonly id: unknown; readonly path: string | undefined; readonly text: string } | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { id, path, text } = value as Record<string, unknown>;
  return typeof text === "string" ? { id, path: typeof path === "string" ? path : undefined, text } : null;
}

/** The complete lines of each chunk; null for a line that is too long. A last line needs no line feed. */
async function* splitLines(input: AsyncIterable<Buffer>): AsyncGenerator<readonly (string | null)[]> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (part: Buffer) => {
    length += part.length;
    if (length > MAX_LINE_BYTES) parts = [];
    else parts.push(part);
  };
  const finish = () => {
    const line = length > MAX_LINE_BYTES ? null : Buffer.concat(parts).toString("utf8").replace(/\r$/, "");
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of input) {
    const lines: (string | null)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      take(chunk.subarray(start, end));
      lines.push(finish());
      start = end + 1;
    }
    if (start < chunk.length) take(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (length > 0) yield [finish()];
}

/** Standard output in large pieces, but never later than the program rests: whoever waits for one answer gets it. */
class Flow {
  private text = "";
  private timer: NodeJS.Immediate | null = null;

  async write(text: string): Promise<void> {
    this.text += text;
    if (this.text.length >= FLUSH_LENGTH) await this.flush();
    else this.timer ??= setImmediate(() => void this.flush());
  }

  async flush(): Promise<void> {
    if (this.timer) clearImmediate(this.timer);
    this.timer = null;
    const { text } = this;
    this.text = "";
    if (text !== "") await toStdout(text);
  }
}
