/** The model formats, in the order they are tried. */
import type { Dialect } from "./dialect.ts";
import { native } from "./native/native.ts";

export const dialects: readonly Dialect[] = [native];
