/** What the preview's worker stands on, and how it says that something cannot be. */
import type { Backend } from "#shared/kernels/backend.ts";
import type { Answer, WorkerEvent } from "#shared/preview/protocol.ts";

export interface Host {
  /** @param transfer buffers that are given away. */
  post(event: WorkerEvent, transfer?: readonly ArrayBuffer[]): void;
  /** Resolves once waiting messages have been received. */
  pause(): Promise<void>;
  /** Milliseconds from any moment on. */
  now(): number;
  /** Whether messages wait that make what is being computed out of date; polled in the middle of steps. */
  isInterrupted(): boolean;
  readonly backend: Backend;
}

/** What was asked for cannot be; the message is for the user. */
export class Refusal extends Error {}

/** An answer before it has its request's number. */
export type Unnumbered = Answer extends infer Each ? (Each extends Answer ? Omit<Each, "id"> : never) : never;

export interface Answered {
  readonly answer: Unnumbered;
  readonly transfer?: readonly ArrayBuffer[];
}

export const DONE: Answered = { answer: { kind: "done" } };
