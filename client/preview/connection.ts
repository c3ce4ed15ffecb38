/**
 * The page's end of the line to the panel and its worker: requests with their answers, and everything that is said
 * unasked.
 */
import type { Answer, FromPage, PageMessage, Request, ToPage } from "#shared/preview/protocol.ts";

/** A request before it has its id. */
export type Question = Request extends infer R ? (R extends { readonly id: number } ? Omit<R, "id"> : never) : never;

type Said = Exclude<ToPage, Answer>;

export interface Ask {
  /** No further answer is wanted. */
  forget(): void;
}

export class Connection {
  private last = 0;
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  constructor(
    private readonly api: VsCodeApi,
    private readonly said: (message: Said) => void,
  ) {
    addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
      if (!("id" in data)) this.said(data);
      else this.waiting.get(data.id)?.(data);
    });
  }

  /** Says something that nobody answers. */
  tell(message: PageMessage, transfer: Transferable[] = []): void {
    this.api.postMessage(message, transfer);
  }

  /** Asks; every answer goes to `answered` until it is forgotten. A standing question has more than one answer. */
  ask(question: Question, answered: (answer: Answer) => void): Ask {
    const id = ++this.last;
    this.waiting.set(id, answered);
    this.api.postMessage({ ...question, id } as FromPage);
    return { forget: () => void this.waiting.delete(id) };
  }

  /** Asks once; a refusal is an error with its sentence. */
  async once(question: Question): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve) => {
      const asked = this.ask(question, (answer) => {
        asked.forget();
        resolve(answer);
      });
    });
    if (answer.kind === "refused") throw new Error(answer.message);
    return answer;
  }
}

/**
 * Questions that follow a pointer or a held key: one is under way at a time, and of those asked meanwhile only the newest
 * is kept. So the picture is never further behind than one answer, however slow they are.
 */
export class Latest {
  private busy = false;
  private next: { question: Question; answered: (answer: Answer) => void } | null = null;
  /** Counts up when what is under way is no longer wanted. */
  private era = 0;

  constructor(private readonly connection: Connection) {}

  ask(question: Question, answered: (answer: Answer) => void): void {
    this.next = { question, answered };
    if (!this.busy) this.go();
  }

  /** Answers under way are dropped, and so is what waits. */
  clear(): void {
    this.era++;
    this.next = null;
  }

  private go(): void {
    const now = this.next;
    this.next = null;
    this.busy = now !== null;
    if (!now) return;
    const era = this.era;
    const asked = this.connection.ask(now.question, (answer) => {
      asked.forget();
      if (era === this.era) now.answered(answer);
      this.go();
    });
  }
}
