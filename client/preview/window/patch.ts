/** A picture of a part of a plane, fetched as it is needed; the last one stays until the next one is there. */
import type { PaletteName } from "#shared/preview/palette.ts";
import type { TensorRef } from "#shared/preview/protocol.ts";
import { type Connection, Latest } from "../connection.ts";
import { tilesOf } from "../maps/tiles.ts";
import type { Picture } from "./sheet.ts";

export class Patch {
  private readonly latest: Latest;
  private key = "";
  private of = "";
  picture: Picture | null = null;

  constructor(
    connection: Connection,
    private readonly arrived: () => void,
  ) {
    this.latest = new Latest(connection);
  }

  /** @param part in cells; the picture has a pixel for each. */
  want(
    tensor: TensorRef,
    plane: number,
    slice: number,
    part: Omit<Picture, "tile">,
    palette: PaletteName | "auto",
  ): void {
    const of = JSON.stringify([tensor, plane, slice, palette]);
    const key = JSON.stringify([of, part]);
    if (key === this.key) return;
    this.key = key;
    if (of !== this.of) this.picture = null;
    this.of = of;
    const { width, height } = part;
    const question = { kind: "tiles", tensor, from: plane, to: plane + 1, slice, part, width, height } as const;
    this.latest.ask({ ...question, palette, range: "tensor" }, (answer) => {
      const tile = answer.kind === "tiles" ? tilesOf(answer.rgba, answer)[0] : undefined;
      if (tile && of === this.of) this.picture = { tile, ...part };
      this.arrived();
    });
  }

  /** The values behind it changed. */
  stale(): void {
    this.key = "";
  }
}
