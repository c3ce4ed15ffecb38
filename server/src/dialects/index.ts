/** The model formats, in the order they are tried. */
import type { Dialect } from "./dialect.ts";
import { keras } from "./keras/keras.ts";
import { native } from "./native/native.ts";
import { torch } from "./torch/torch.ts";
import { ultralytics } from "./ultralytics/ultralytics.ts";

export const dialects: readonly Dialect[] = [native, keras, torch, ultralytics];
