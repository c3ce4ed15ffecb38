/** The model's input as a picture, as it is or moved: where the receptive field is drawn, and what is dragged. */
import type { Variant } from "#shared/preview/protocol.ts";
import { type Connection, Latest } from "../connection.ts";
import { type Tile, tilesOf } from "./tiles.ts";

/** A picture of this many cells each way is whole, so that its size is the input's own. */
const LARGEST = 2048;

export class SamplePicture {
  private readonly latest: Latest;
  private key = "";
  /** One pixel for each cell. */
  tile: Tile | null = null;

  constructor(
    connection: Connection,
    private readonly variant: Variant,
    private readonly arrived: () => void,
  ) {
    this.latest = new Latest(connection);
  }

  /** Fetches the picture of an input; `edition` says which of its values are meant. */
  want(input: string, edition: number): void {
    const key = JSON.stringify([input, edition]);
    if (key === this.key) return;
    this.key = key;
    const tensor = { node: input, output: 0, variant: this.variant };
    const size = { from: 0, to: 1, slice: 0, width: LARGEST, height: LARGEST };
    this.latest.ask({ kind: "tiles", tensor, ...size, palette: "picture", range: "tensor" }, (answer) => {
      this.tile = answer.kind === "tiles" ? (tilesOf(answer.rgba, answer)[0] ?? null) : null;
      this.arrived();
    });
  }
}
