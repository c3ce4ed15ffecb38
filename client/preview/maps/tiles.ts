/**
 * Pictures of planes as the worker paints them, asked for as they come into sight and kept while there is room. When the
 * tensor's values change, the old pictures stay until the new ones are there, so that nothing flickers.
 */
import type { PaletteName } from "#shared/preview/palette.ts";
import type { ColourRange, TensorRef } from "#shared/preview/protocol.ts";
import type { Connection } from "../connection.ts";

export interface TileStyle {
  readonly slice: number;
  /** Of a picture, in device pixels, at most. */
  readonly width: number;
  readonly height: number;
  readonly palette: PaletteName | "auto" | "picture";
  readonly range: ColourRange;
}

export interface Tile {
  readonly image: CanvasImageSource;
  /** Of this plane in the image. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** The ends of its palette. */
  readonly least: number;
  readonly most: number;
  readonly palette: PaletteName;
}

interface Page {
  readonly version: number;
  readonly tiles: readonly Tile[];
  readonly pixels: number;
}

/** Pixels that all kept pictures may have together: 64 MB. */
const MOST_PIXELS = 16_000_000;
const PAGE_PIXELS = 500_000;
const AT_ONCE = 3;

export class Tiles {
  private readonly pages = new Map<number, Page>();
  private readonly asked = new Map<number, number>();
  private version = 0;
  private tensor: TensorRef | null = null;
  private style: TileStyle | null = null;
  private perPage = 1;

  constructor(
    private readonly connection: Connection,
    private readonly arrived: () => void,
  ) {}

  /**
   * Says what is to be seen.
   * @param fresh the values changed, or it is another tensor.
   */
  show(tensor: TensorRef, style: TileStyle, fresh: boolean): void {
    const same = JSON.stringify([tensor, style]) === JSON.stringify([this.tensor, this.style]);
    if (same && !fresh) return;
    const perPage = Math.max(1, Math.min(64, Math.floor(PAGE_PIXELS / (style.width * style.height))));
    if (JSON.stringify(tensor) !== JSON.stringify(this.tensor) || perPage !== this.perPage) this.pages.clear();
    this.version++;
    this.asked.clear();
    this.tensor = tensor;
    this.style = style;
    this.perPage = perPage;
  }

  /** The picture of a plane, if it is there. */
  get(plane: number): Tile | null {
    return this.pages.get(Math.floor(plane / this.perPage))?.tiles[plane % this.perPage] ?? null;
  }

  /** Asks for what of the planes [from, to) is missing. */
  want(from: number, to: number, all: number): void {
    const { tensor, style, version, perPage } = this;
    if (!tensor || !style) return;
    const last = Math.floor((Math.min(to, all) - 1) / perPage);
    for (let page = Math.floor(from / perPage); page <= last && this.asked.size < AT_ONCE; page++) {
      if (this.pages.get(page)?.version === version || this.asked.get(page) === version) continue;
      this.asked.set(page, version);
      const range = { from: page * perPage, to: Math.min((page + 1) * perPage, all) };
      const asked = this.connection.ask({ kind: "tiles", tensor, ...range, ...style }, (answer) => {
        asked.forget();
        if (version !== this.version) return;
        this.asked.delete(page);
        // A refused page is not asked for again until the values change.
        if (answer.kind !== "tiles") this.pages.set(page, { version, tiles: [], pixels: 0 });
        else this.keep(page, version, tilesOf(answer.rgba, answer), answer.width * answer.height);
        this.arrived();
      });
    }
  }

  private keep(page: number, version: number, tiles: readonly Tile[], pixels: number): void {
    this.pages.delete(page);
    this.pages.set(page, { version, tiles, pixels: pixels * tiles.length });
    let sum = [...this.pages.values()].reduce((total, each) => total + each.pixels, 0);
    for (const [oldest, each] of this.pages) {
      if (sum <= MOST_PIXELS || oldest === page) break;
      this.pages.delete(oldest);
      sum -= each.pixels;
    }
  }
}

interface Painted {
  readonly from: number;
  readonly to: number;
  readonly width: number;
  readonly height: number;
  readonly ranges: Float32Array;
  readonly palette: PaletteName;
}

/** Takes an answer's pixels apart: the pictures stand one under the other in one canvas. */
export function tilesOf(rgba: ArrayBuffer, { from, to, width, height, ranges, palette }: Painted): readonly Tile[] {
  const count = to - from;
  if (count <= 0 || width <= 0 || height <= 0) return [];
  // A canvas may not be of any height: the pictures go on beside.
  const perColumn = Math.max(1, Math.min(count, Math.floor(8192 / height)));
  const columns = Math.ceil(count / perColumn);
  const canvas = new OffscreenCanvas(columns * width, perColumn * height);
  const context = canvas.getContext("2d")!;
  const pixels = new Uint8ClampedArray(rgba);
  return Array.from({ length: count }, (_, index) => {
    const [x, y] = [Math.floor(index / perColumn) * width, (index % perColumn) * height];
    const part = pixels.subarray(4 * index * width * height, 4 * (index + 1) * width * height);
    context.putImageData(new ImageData(part, width, height), x, y);
    return { image: canvas, x, y, width, height, least: ranges[2 * index]!, most: ranges[2 * index + 1]!, palette };
  });
}

/** Puts a picture into a box, its pixels kept sharp. */
export function drawTile(
  context: CanvasRenderingContext2D,
  tile: Tile,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  context.imageSmoothingEnabled = false;
  context.drawImage(tile.image, tile.x, tile.y, tile.width, tile.height, x, y, w, h);
}
