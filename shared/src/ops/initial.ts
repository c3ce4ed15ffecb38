/**
 * How weights are filled before training, as data; shared/src/weights makes the numbers. Sources: torch.nn.init and each
 * layer's reset_parameters, PyTorch 1.13; keras.initializers for Keras's own layers.
 */
import type { Dim } from "../shape/dim.ts";

export type Initial =
  | { readonly kind: "constant"; readonly value: number }
  /** Uniform in ±bound. */
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly deviation: number }
  /** Uniform in ±1/√fan, where the fan is another tensor's: PyTorch's biases. */
  | { readonly kind: "by-fan"; readonly fan: Dim }
  /** kaiming_uniform_ and kaiming_normal_ for a leaky ReLU of this slope; `mode` says which fan counts. */
  | {
      readonly kind: "kaiming-uniform" | "kaiming-normal";
      readonly slope: number;
      readonly mode: "fan_in" | "fan_out";
    }
  /** xavier_uniform_ and xavier_normal_. */
  | { readonly kind: "xavier-uniform" | "xavier-normal"; readonly gain: number };

export const ZEROS: Initial = { kind: "constant", value: 0 };
export const ONES: Initial = { kind: "constant", value: 1 };
/** What PyTorch fills kernels and matrices with unless told otherwise: uniform in ±1/√fan_in. */
export const KERNEL: Initial = { kind: "kaiming-uniform", slope: Math.sqrt(5), mode: "fan_in" };
export const XAVIER: Initial = { kind: "xavier-uniform", gain: 1 };

/** Uniform in ±1/√fan. */
export function byFan(fan: Dim): Initial {
  return { kind: "by-fan", fan };
}
