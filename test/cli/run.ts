/**
 * Runs the built command line in a folder of its own, as a shell would.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { dist, ensureBuilt } from "../harness/build.ts";

export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A temporary folder with files, by relative path. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "convlint-"));

  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    for (const [name, content] of Object.entries(files)) this.write(name, content);
  }

  write(name: string, content: string | Uint8Array): void {
    const file = join(this.path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /**
   * `convlint …args` in this folder, without colours unless `env` asks for them. `open` leaves standard input open, as an
   * editor does for its server.
   */
  async convlint(
    args: readonly string[],
    { stdin = "", open = false, env = {} }: { stdin?: string; open?: boolean; env?: NodeJS.ProcessEnv } = {},
  ): Promise<Run> {
    const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
    await ensureBuilt();
    const child = spawn(process.execPath, [dist("cli.js"), ...args], {
      cwd: this.path,
      env: { ...inherited, ...env },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
    child.stdin.on("error", () => {}); // It may end without reading.
    if (open) child.stdin.write(stdin);
    else child.stdin.end(stdin);
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    return { code, out, err };
  }
}

export const GOOD = `cnn: 1
input: [1, 28, 28]
layers:
  - {type: Conv2d, out_channels: 6, kernel_size: 5, padding: 2}
  - ReLU
`;

export const BAD = `cnn: 1
input: [3, 8, 8]
layers:
  - {type: Conv2d, out_channels: 4, kernel_size: 3, groups: 2}
`;

export const WARNED = `cnn: 1
input: [1, 28, 28]
layers:
  - {type: Conv2d, out_channels: 6, kernel_size: 5, stride: 2}
`;
