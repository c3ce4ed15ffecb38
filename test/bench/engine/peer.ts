/** A contestant: a process of its own, that is told what to prepare and how often to run it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface Reply {
  readonly ok: boolean;
  readonly error?: string;
  readonly unsupported?: boolean;
  readonly [part: string]: unknown;
}

/** Engines by name; `torch` is Debian's, which is asked through Python. */
export const KINDS = ["convlint", "ort-web", "tfjs-wasm", "ort-node", "torch"] as const;
export type Kind = (typeof KINDS)[number];

const SCRIPTS: Readonly<Record<Exclude<Kind, "torch">, readonly string[]>> = {
  convlint: ["engine.js"],
  "ort-web": ["onnxruntime.js", "web"],
  "tfjs-wasm": ["tfjs.js"],
  "ort-node": ["onnxruntime.js", "node"],
};

const PYTHON = "/usr/bin/python3";

export interface Places {
  /** The Node that JavaScript engines run on. */
  readonly node: string;
  /** Where the bundled workers are. */
  readonly workers: string;
  /** Where pytorch.py is. */
  readonly sources: string;
}

export class Peer {
  readonly id: string;
  /** What it said of itself when it started; null before. */
  info: Reply | null = null;
  private process: ChildProcess | null = null;
  private sent = 0;
  private readonly waiting = new Map<number, (reply: Reply) => void>();

  constructor(
    readonly kind: Kind,
    readonly threads: number,
    private readonly places: Places,
  ) {
    this.id = `${kind}@${threads}`;
  }

  private command(): readonly [string, readonly string[]] {
    if (this.kind === "torch") return [PYTHON, [join(this.places.sources, "pytorch.py")]];
    const [script, ...rest] = SCRIPTS[this.kind];
    return [this.places.node, [join(this.places.workers, script!), ...rest]];
  }

  /** Starts its process, anew if there is one. */
  async start(): Promise<Reply> {
    this.stop();
    const [program, args] = this.command();
    if (!existsSync(program)) return { ok: false, unsupported: true, error: `${program} is not there` };
    const env = { ...process.env, OMP_NUM_THREADS: String(this.threads), NODE_NO_WARNINGS: "1" };
    const child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe", "pipe"], env });
    this.process = child;
    let complaint = "";
    child.stderr!.on("data", (text) => {
      complaint = `${complaint}${text}`.slice(-300);
    });
    createInterface({ input: child.stdio[3] as Readable }).on("line", (line) => {
      const reply = JSON.parse(line) as Reply & { readonly seq: number };
      this.waiting.get(reply.seq)?.(reply);
      this.waiting.delete(reply.seq);
    });
    child.stdin!.on("error", () => {});
    child.on("exit", (status, signal) => {
      if (child !== this.process) return;
      this.process = null;
      for (const answer of this.waiting.values()) {
        answer({ ok: false, error: `its process ended with ${status ?? signal}: ${complaint}` });
      }
      this.waiting.clear();
    });
    this.info = await this.ask({ command: "init", threads: this.threads });
    return this.info;
  }

  stop(): void {
    this.process?.kill();
    this.process = null;
    this.waiting.clear();
  }

  ask(request: object): Promise<Reply> {
    const child = this.process;
    if (!child) return Promise.resolve({ ok: false, error: "its process has ended" });
    const seq = ++this.sent;
    return new Promise((resolve) => {
      this.waiting.set(seq, resolve);
      child.stdin!.write(`${JSON.stringify({ seq, ...request })}\n`);
    });
  }
}
