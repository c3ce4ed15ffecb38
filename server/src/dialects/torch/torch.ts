/**
 * torch modules by path: Hydra, OmegaConf and MONAI files in which `_target_: torch.nn.Sequential` holds a network.
 *
 * Files whose only networks are classes of libraries (`monai.networks.nets.UNet`) have nothing to check and stay silent.
 */
import { type Dialect, shapeText } from "../dialect.ts";
import { isTorchPadding, lower } from "./lower.ts";
import { isWidth, moduleNames } from "./modules.ts";
import { References } from "./reference.ts";

const SEQUENTIAL = /_target_["']?\s*:\s*["']?(?:torch\.)?nn\.(?:modules\.container\.)?Sequential\b/;

export const torch: Dialect = {
  name: "torch",
  words: {
    param: (_op, name) => name,
    op: (name) => name,
    dim: String,
    shape: (tensor) => shapeText(tensor, String),
    // PyTorch pads alike on both sides, knows only one kind of `same`, and wants every module's own width.
    takes: (_op, name, value) => (name === "padding" ? isTorchPadding(value) : value !== null || !isWidth(name)),
  },
  sniff: (text) => text.includes("_target_") && SEQUENTIAL.test(text),
  matches: (root) => root.kind !== "scalar",
  lower,
  writing: {
    definition: (tree, root) => new References(root).follow(tree),
    layer: (op) => ({ _target_: `torch.nn.${op}` }),
  },
  vocabulary: () => moduleNames.map((name) => `torch.nn.${name}`),
};
