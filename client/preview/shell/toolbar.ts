/** What the model runs on and with: sample, weights, sizes; and what can be kept: exports, and the pin. */
import type { GeneratedSample } from "#shared/preview/protocol.ts";
import type { Connection, Question } from "../connection.ts";
import { el, field, iconButton, select, setAttribute, setText } from "../dom.ts";
import { GENERATED, type Model } from "../model.ts";
import type { NetworkView } from "../network/view.ts";

export class Toolbar {
  readonly element: HTMLElement;
  private readonly title = el("h1", {});
  private readonly facts = el("span", { class: "muted" });
  private readonly sample: HTMLSelectElement;
  private readonly ownSample = el("option", { value: "own", hidden: true });
  private readonly sampleSeed: HTMLInputElement;
  private readonly sampleSeedField: HTMLElement;
  private readonly input: HTMLSelectElement;
  private readonly weights: HTMLSelectElement;
  private readonly ownWeights = el("option", { value: "own", hidden: true });
  private readonly seed: HTMLInputElement;
  private readonly seedField: HTMLElement;
  private readonly report = el("button", { type: "button", class: "link", onclick: () => this.showReport() });
  private readonly sizes = el("span", { class: "sizes" });
  private readonly pin: HTMLButtonElement;
  private readonly dialog: HTMLDialogElement;
  private readonly reportText = el("div", { class: "report" });
  private sizesFor = "";
  private inputsFor = "";

  constructor(
    private readonly model: Model,
    private readonly connection: Connection,
    private readonly network: NetworkView,
    private readonly tensor: () => import("#shared/preview/protocol.ts").TensorRef | null,
  ) {
    const { choices } = model;
    this.sample = select<string>(
      "Sample",
      [...Object.entries(GENERATED), ["image", "Image file …"], ["array", "NumPy file …"]],
      (value) => this.chooseSample(value),
    );
    this.sample.prepend(this.ownSample);
    this.sampleSeed = el("input", {
      type: "number",
      min: 0,
      "aria-label": "Seed of the noise",
      onchange: () => this.chooseSample("noise"),
    });
    this.sampleSeedField = field("Seed", this.sampleSeed);
    this.input = select<string>("Input that the sample goes to", [], () => model.changed());
    this.weights = select<string>(
      "Weights",
      [
        ["seeded", "Seeded"],
        ["weights", "Weight file …"],
        ["weightFolder", "Folder of .npy …"],
      ],
      (value) => {
        if (value === "seeded") this.useSeed();
        else if (value !== "own") connection.tell({ kind: "pick", what: value as "weights", input: null });
        model.changed();
      },
    );
    this.weights.prepend(this.ownWeights);
    this.seed = el("input", {
      type: "number",
      min: 0,
      "aria-label": "Seed of the weights",
      onchange: () => this.useSeed(),
    });
    this.seedField = field("Seed", this.seed);
    const exports = select<string>(
      "Export",
      [
        ["", "Export …"],
        ["png", "Maps of the layer as PNG"],
        ["svg", "Maps of the layer as SVG"],
        ["npy", "Tensor of the layer as .npy"],
        ["diagram-png", "Network as PNG"],
        ["diagram-svg", "Network as SVG"],
        ["markdown", "Layer table as Markdown"],
        ["csv", "Layer table as CSV"],
      ],
      (value) => {
        exports.value = "";
        void this.export(value);
      },
    );
    exports.className = "export";
    this.pin = iconButton("pin", "Stay with this file", () => connection.tell({ kind: "pin", pinned: !model.pinned }));
    this.dialog = el(
      "dialog",
      { "aria-label": "Sample and weights" },
      this.reportText,
      el("form", { method: "dialog" }, el("button", { class: "primary" }, "Close")),
    );
    this.sampleSeed.value = String(Object.values(choices.samples)[0]?.seed ?? 0);
    this.element = el(
      "header",
      { class: "toolbar" },
      el("div", { class: "name" }, this.title, this.facts),
      el(
        "div",
        { class: "controls" },
        field("Sample", this.sample),
        this.input,
        this.sampleSeedField,
        field("Weights", this.weights),
        this.seedField,
        this.report,
        this.sizes,
      ),
      el("div", { class: "actions" }, exports, this.pin),
      this.dialog,
    );
  }

  update(): void {
    const { diagram, title, pinned, weights, samples } = this.model;
    setText(this.title, diagram?.name ?? title ?? "");
    const facts = diagram ? `${diagram.parameters} parameters · ${diagram.macs} MACs` : "";
    setText(this.facts, facts);
    this.facts.title = facts;
    setAttribute(this.pin, "aria-pressed", String(pinned));
    this.updateInputs();
    const input = this.chosenInput();
    const report = samples.get(input ?? "");
    const known = report !== undefined && Object.hasOwn(GENERATED, report.name);
    if (report && !known) setText(this.ownSample, report.name);
    if (report) this.sample.value = known ? report.name : "own";
    this.sampleSeedField.hidden = this.sample.value !== "noise";
    const seed = weights && /^seed (\d+)$/.exec(weights.source)?.[1];
    const seeded = !weights || seed !== undefined;
    if (weights && !seeded) setText(this.ownWeights, weights.source);
    this.weights.value = seeded ? "seeded" : "own";
    this.seedField.hidden = !seeded;
    if (document.activeElement !== this.seed) this.seed.value = seed ?? "";
    const problems = (weights?.mismatched.length ?? 0) + (weights?.missing.length ?? 0);
    const trouble = problems + [...samples.values()].filter(({ problem }) => problem !== null).length;
    this.report.hidden = !report && !weights;
    const matched = seeded ? "Report" : `${weights.matched} matched${problems ? `, ${problems} not` : ""}`;
    setText(this.report, matched);
    setAttribute(this.report, "class", trouble > 0 ? "link alarming" : "link");
    this.updateSizes();
    if (this.dialog.open) this.writeReport();
  }

  private updateInputs(): void {
    const inputs = this.model.diagram?.inputs ?? [];
    const key = JSON.stringify(inputs);
    this.input.hidden = inputs.length <= 1;
    if (key === this.inputsFor) return;
    this.inputsFor = key;
    this.input.replaceChildren(...inputs.map((id) => el("option", { value: id }, this.model.node(id)?.name ?? id)));
  }

  private chosenInput(): string | null {
    return this.input.value || (this.model.diagram?.inputs[0] ?? null);
  }

  private updateSizes(): void {
    const sizes = this.model.diagram?.sizes ?? [];
    const key = JSON.stringify(sizes);
    if (key === this.sizesFor) return;
    this.sizesFor = key;
    const assumed = sizes.some(({ from }) => from === "default");
    this.sizes.replaceChildren(
      ...sizes.map(({ name, value }) => {
        const input = el("input", {
          type: "number",
          min: 1,
          value,
          "aria-label": `Size of ${name}`,
          onchange: () => {
            const chosen = Number(input.value);
            this.model.choices.sizes[name] = chosen > 0 ? chosen : null;
            void this.ask({ kind: "sizes", sizes: { ...this.model.choices.sizes } });
          },
        });
        return field(name, input);
      }),
      ...(assumed ? [el("span", { class: "muted" }, "assumed")] : []),
    );
  }

  private chooseSample(value: string): void {
    if (value === "own") return;
    if (value === "image" || value === "array") {
      this.connection.tell({ kind: "pick", what: value, input: this.chosenInput() });
      this.model.changed();
      return;
    }
    const sample = {
      kind: "generated",
      name: value as GeneratedSample,
      seed: Number(this.sampleSeed.value) || 0,
    } as const;
    const input = this.chosenInput();
    if (input !== null) this.model.choices.samples[input] = sample;
    void this.ask({ kind: "sample", input, sample });
  }

  private useSeed(): void {
    const seed = Math.max(0, Math.round(Number(this.seed.value)) || 0);
    this.model.choices.seed = seed;
    void this.ask({ kind: "seed", seed });
    this.model.changed();
  }

  private showReport(): void {
    this.writeReport();
    this.dialog.showModal();
  }

  private writeReport(): void {
    const { samples, weights } = this.model;
    const paragraph = (text: string, alarming = false) => el("p", alarming ? { class: "alarming" } : {}, text);
    const list = (lines: readonly string[]) => el("ul", {}, ...lines.map((line) => el("li", {}, line)));
    this.reportText.replaceChildren(
      el("h2", {}, "Sample"),
      ...[...samples].flatMap(([input, { text, problem }]) => [
        paragraph(samples.size > 1 ? `${this.model.node(input)?.name ?? input}: ${text}` : text),
        ...(problem === null ? [] : [paragraph(problem, true)]),
      ]),
      el("h2", {}, "Weights"),
      ...(weights ? [list(weights.text)] : [paragraph("Seeded.")]),
      ...(weights && weights.mismatched.length > 0
        ? [
            el(
              "table",
              { class: "table" },
              el(
                "thead",
                {},
                el(
                  "tr",
                  {},
                  ...["Name", "The model has", "The file has"].map((text) => el("th", { scope: "col" }, text)),
                ),
              ),
              el(
                "tbody",
                {},
                ...weights.mismatched.map(({ name, expected, found }) =>
                  el("tr", {}, ...[name, expected, found].map((text) => el("td", { class: "code" }, text))),
                ),
              ),
            ),
          ]
        : []),
    );
  }

  private async export(what: string): Promise<void> {
    const { choices, diagram } = this.model;
    if (what === "diagram-svg" || what === "diagram-png") {
      const svg = what === "diagram-svg";
      const text = svg ? this.network.svg() : null;
      const bytes = svg ? text && new TextEncoder().encode(text).buffer : await this.network.png();
      const name = `${diagram?.name ?? "network"}.${svg ? "svg" : "png"}`;
      if (bytes) this.connection.tell({ kind: "save", name, bytes }, [bytes]);
      return;
    }
    if (what === "") return;
    const palette = choices.palette;
    await this.ask({ kind: "export", what: what as "png", tensor: this.tensor(), palette, scale: 4 });
  }

  private async ask(question: Question): Promise<void> {
    try {
      await this.connection.once(question);
    } catch (error) {
      this.model.hear({ kind: "notice", severity: "error", message: (error as Error).message });
    }
  }
}
