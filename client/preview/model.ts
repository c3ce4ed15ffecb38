/**
 * All that the page knows: what the worker said, and what the user chose. Whoever changes it says so with `changed`; in
 * the next frame every view draws what it says now. Data flows one way: message or key → model → views.
 */
import type { PaletteName } from "#shared/preview/palette.ts";
import type {
  Amount,
  ChosenFiles,
  Diagram,
  DiagramNode,
  GeneratedSample,
  Place,
  Sample,
  SampleReport,
  ShiftedLayer,
  ToPage,
  Variant,
  WeightsReport,
} from "#shared/preview/protocol.ts";
import { onFrame } from "./dom.ts";

export const TABS = ["maps", "window", "shift", "layers"] as const;
export type Tab = (typeof TABS)[number];

/** Samples that need no file, as they are named on screen. */
export const GENERATED: Readonly<Record<GeneratedSample, string>> = {
  digit: "Digit",
  checkerboard: "Checkerboard",
  gradient: "Gradient",
  impulse: "Impulse",
  edges: "Edges",
  noise: "Noise",
  tone: "Tone (1-D)",
  ball: "Ball (3-D)",
  zeros: "Zeros",
};

/** What the user chose; it outlives the window. */
export interface Choices {
  selected: string | null;
  /** Blocks that show what they hold. */
  open: string[];
  tab: Tab;
  palette: PaletteName | "auto";
  range: "tensor" | "plane";
  /** Of the network's half, in percent. */
  split: number;
  /** Which of the layer's outputs, or the name of a weight. */
  output: number;
  weight: string | null;
  /** Size of a map in the grid, in CSS pixels; null: as large as lets all of them be seen. */
  cell: number | null;
  /** One map on its own; null: the grid. */
  plane: number | null;
  /** In depth; null: the one in the middle. */
  slice: number | null;
  /** The value that is explained; null: the one in the middle. */
  place: Place | null;
  flipped: boolean;
  shift: { dx: number; dy: number };
  /** By input: its generated sample. */
  samples: Record<string, Extract<Sample, { kind: "generated" }>>;
  /** Of the weights; null: the worker's own. */
  seed: number | null;
  sizes: Record<string, number | null>;
  /** The model's URI, whether the panel stays with it, and the files chosen for it: by these the panel is made again. */
  file: string | null;
  pinned: boolean;
  files: ChosenFiles | null;
}

const FIRST_CHOICES: Choices = {
  selected: null,
  open: [],
  tab: "maps",
  palette: "auto",
  range: "tensor",
  split: 42,
  output: 0,
  weight: null,
  cell: null,
  plane: null,
  slice: null,
  place: null,
  flipped: false,
  shift: { dx: 0, dy: 0 },
  samples: {},
  seed: null,
  sizes: {},
  file: null,
  pinned: false,
  files: null,
};

export interface Done {
  readonly milliseconds: number;
  readonly macs: number;
  readonly bytes: number;
  readonly reused: boolean;
}

/** A run of one variant, as far as it has come. */
export interface RunState {
  phase: "running" | "asking" | "done" | "cancelled" | "stopped";
  amount: Amount | null;
  steps: number;
  index: number;
  milliseconds: number;
  /** Where it stopped, and why; or what it asks. */
  node: string | null;
  message: string | null;
  /** By id of the node. Nodes computed together have one entry each, the time at the last. */
  readonly done: Map<string, Done>;
}

export interface Shifted {
  readonly dx: number;
  readonly dy: number;
  readonly layers: ReadonlyMap<string, ShiftedLayer>;
}

export class Model {
  readonly choices: Choices;
  title = "";
  pinned = false;
  diagram: Diagram | null = null;
  /** Why there is no diagram: the text is no model. */
  noModel: string | null = null;
  /** Counts the diagrams: what was made for an older one is out of date. */
  edition = 0;
  /** Count how often the values of a variant may have changed. */
  readonly editions: Record<Variant, number> = { plain: 0, shifted: 0, flipped: 0 };
  readonly runs = new Map<Variant, RunState>();
  /** By input. */
  readonly samples = new Map<string, SampleReport & { readonly name: string }>();
  weights: WeightsReport | null = null;
  shifted: Shifted | null = null;
  notice: { readonly severity: "error" | "information"; readonly message: string } | null = null;
  private nodes: ReadonlyMap<string, DiagramNode> = new Map();
  private held: ReadonlyMap<string, readonly string[]> = new Map();

  /** @param changed called once in the frame after something changed. */
  constructor(
    kept: unknown,
    private readonly render: () => void,
    private readonly keep: (choices: Choices) => void,
  ) {
    this.choices = { ...FIRST_CHOICES, ...(typeof kept === "object" ? kept : {}) };
    this.changed = onFrame(() => {
      this.keep(this.choices);
      this.render();
    });
  }

  readonly changed: () => void;

  node(id: string | null): DiagramNode | undefined {
    return id === null ? undefined : this.nodes.get(id);
  }

  get selected(): DiagramNode | undefined {
    return this.node(this.choices.selected);
  }

  get run(): RunState | undefined {
    return this.runs.get("plain");
  }

  isOpen(id: string): boolean {
    return this.choices.open.includes(id);
  }

  /** Opens or folds a block. */
  fold(id: string, open: boolean): void {
    const others = this.choices.open.filter((each) => each !== id);
    this.choices.open = open ? [...others, id] : others;
    this.changed();
  }

  /** The box that stands for a node: itself, or the outermost folded block around it. */
  visible(id: string): string {
    let shown = id;
    for (let at = this.nodes.get(id)?.parent ?? null; at !== null; at = this.nodes.get(at)?.parent ?? null) {
      if (!this.isOpen(at)) shown = at;
    }
    return shown;
  }

  /** A node that runs itself, or all of those that a block holds. */
  holding(id: string): readonly string[] {
    return this.held.get(id) ?? [id];
  }

  /** Chooses a layer; what was chosen inside the one before is let go. */
  select(id: string | null): void {
    const { choices } = this;
    if (choices.selected === id) return;
    Object.assign(choices, { selected: id, output: 0, weight: null, plane: null, slice: null, place: null });
    this.changed();
  }

  /** Takes in what the worker or the panel said unasked. */
  hear(message: ToPage): void {
    switch (message.kind) {
      case "panel":
        this.title = message.title;
        this.pinned = message.pinned;
        Object.assign(this.choices, { file: message.file, pinned: message.pinned, files: message.files });
        break;
      case "diagram":
        this.diagram = message.diagram;
        this.noModel = null;
        this.edition++;
        this.nodes = new Map(message.diagram.nodes.map((node) => [node.id, node]));
        this.held = heldBy(message.diagram);
        if (!this.selected) {
          const first = message.diagram.nodes.find(({ kind }) => kind !== "input") ?? message.diagram.nodes[0];
          this.select(first?.id ?? null);
        }
        break;
      case "noModel":
        this.diagram = null;
        this.noModel = message.message;
        this.edition++;
        break;
      case "focus":
        this.select(message.node);
        break;
      case "started":
        this.editions[message.variant]++;
        this.runs.set(message.variant, {
          phase: "running",
          amount: message.amount,
          steps: message.steps,
          index: 0,
          milliseconds: 0,
          node: null,
          message: null,
          done: new Map(),
        });
        break;
      case "progress": {
        const run = this.runs.get(message.variant);
        if (!run) break;
        run.index = message.index;
        run.steps = message.steps;
        run.milliseconds += message.milliseconds;
        run.node = message.nodes.at(-1) ?? null;
        for (const node of message.nodes) {
          const last = node === run.node;
          const { milliseconds, macs, bytes, reused } = message;
          run.done.set(node, { milliseconds: last ? milliseconds : 0, macs: last ? macs : 0, bytes, reused });
        }
        break;
      }
      case "ended": {
        const run = this.runs.get(message.variant);
        if (!run) break;
        this.editions[message.variant]++;
        run.phase = message.how;
        run.node = message.node;
        run.message = message.message;
        run.milliseconds = message.milliseconds;
        break;
      }
      case "asking": {
        const { amount, message: question } = message;
        const nothing = { steps: 0, index: 0, milliseconds: 0, node: null, done: new Map() };
        this.runs.set(message.variant, { ...nothing, phase: "asking", amount, message: question });
        break;
      }
      case "sample":
        this.editions.plain++;
        // A file's is the panel's to choose again.
        if (!Object.hasOwn(GENERATED, message.sample.name)) delete this.choices.samples[message.report.input];
        this.samples.set(message.report.input, { ...message.report, name: message.sample.name });
        break;
      case "weights":
        this.weights = message.report;
        if (!message.report.source.startsWith("seed ")) this.choices.seed = null;
        break;
      case "crashed":
        this.runs.clear();
        this.notice = { severity: "error", message: message.message };
        break;
      case "unreadable":
        this.notice = { severity: "error", message: message.message };
        break;
      case "notice":
        this.notice = { severity: message.severity, message: message.message };
        break;
      default:
        return;
    }
    this.changed();
  }
}

/** By block: the nodes in it that are no blocks, however deep. */
function heldBy({ nodes }: Diagram): ReadonlyMap<string, readonly string[]> {
  const held = new Map<string, string[]>();
  for (const { id, kind } of nodes) if (kind === "block") held.set(id, []);
  for (const { id, kind, parent } of nodes.toReversed()) {
    if (parent !== null) held.get(parent)!.push(...(kind === "block" ? held.get(id)! : [id]));
  }
  return held;
}
