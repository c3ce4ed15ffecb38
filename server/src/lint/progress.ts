/** How far a long run has come: one line on a terminal, which goes away, and nothing where there is none. */

/** A redraw oftener than this only flickers. */
const REDRAW_MS = 100;
const WIDTH = 24;

interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  private done = 0;
  private drawnAt = 0;
  private drawn = false;

  /** @param total what `step` will be called for; nothing is drawn for 0. */
  constructor(
    private readonly terminal: Terminal,
    private readonly total: number,
    private readonly now: () => number = Date.now,
  ) {}

  step(): void {
    this.done++;
    if (!this.terminal.isTTY || this.total === 0 || this.now() - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = this.now();
    this.drawn = true;
    const full = Math.floor((this.done / this.total) * WIDTH);
    this.terminal.write(`\r${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${this.done} of ${this.total} files\u001b[K`);
  }

  /** Takes the line away, before other text is written and at the end. */
  clear(): void {
    if (!this.drawn) return;
    this.drawn = false;
    this.terminal.write("\r\u001b[K");
  }
}
