/**
 * `node scripts/icon.mjs` draws client/icon.png, the extension's icon: three feature maps, each smaller than the one
 * before, and the last one marked as checked. Drawn by code so that nobody needs a drawing program to change it.
 */
import { writeFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";

const SIZE = 128;
const GROUND = [30, 41, 59];
const shapes = [
  { inside: box(18, 26, 62, 102), colour: [56, 132, 216] },
  { inside: box(46, 38, 80, 90), colour: [96, 165, 236] },
  { inside: box(68, 48, 92, 80), colour: [160, 205, 250] },
  { inside: tick([76, 82], [88, 96], [112, 62], 6), colour: [74, 222, 128] },
];

/** A slanted box, the way feature maps are drawn in papers; a margin of the ground's colour sets it apart. */
function box(left, top, right, bottom) {
  const lean = (x) => (x - left) * 0.18;
  return (x, y) => x >= left && x < right && y >= top - lean(x) + 4 && y < bottom - lean(x) + 4;
}

/** Two thick strokes from a over b to c. */
function tick(a, b, c, radius) {
  const near = (x, y, [px, py], [qx, qy]) => {
    const t = ((x - px) * (qx - px) + (y - py) * (qy - py)) / ((qx - px) ** 2 + (qy - py) ** 2);
    const s = Math.min(1, Math.max(0, t));
    return Math.hypot(x - px - s * (qx - px), y - py - s * (qy - py)) <= radius;
  };
  return (x, y) => near(x, y, a, b) || near(x, y, b, c);
}

/** Inside the icon's rounded square. */
function rounded(x, y) {
  const [dx, dy] = [x, y].map((v) => Math.max(0, 22 - v, v - (SIZE - 22)));
  return Math.hypot(dx, dy) <= 22;
}

/** Red, green, blue, alpha at a point. */
function colourAt(x, y) {
  if (!rounded(x, y)) return [0, 0, 0, 0];
  return [...(shapes.findLast((shape) => shape.inside(x, y))?.colour ?? GROUND), 255];
}

/** The mean over 4 × 4 points of a pixel, which smooths the edges. */
function pixel(column, row) {
  const sum = [0, 0, 0, 0];
  for (let i = 0; i < 16; i++) {
    const [r, g, b, a] = colourAt(column + ((i % 4) + 0.5) / 4, row + (Math.floor(i / 4) + 0.5) / 4);
    for (const [k, value] of [r * a, g * a, b * a, a].entries()) sum[k] += value;
  }
  const alpha = sum[3];
  return [...sum.slice(0, 3).map((value) => (alpha ? Math.round(value / alpha) : 0)), Math.round(alpha / 16)];
}

/** One chunk of a PNG file: length, type, data, checksum. */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

const header = Buffer.alloc(13);
header.writeUInt32BE(SIZE, 0);
header.writeUInt32BE(SIZE, 4);
header.set([8, 6], 8); // 8 bits a channel, RGBA
const rows = Array.from({ length: SIZE }, (_, row) => [
  0,
  ...Array.from({ length: SIZE }, (_, x) => pixel(x, row)).flat(),
]);
const png = Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
  chunk("IHDR", header),
  chunk("tEXt", Buffer.from("Comment\0made by: node scripts/icon.mjs", "latin1")),
  chunk("IDAT", deflateSync(Buffer.from(rows.flat()), { level: 9 })),
  chunk("IEND", Buffer.alloc(0)),
]);
writeFileSync(new URL("../client/icon.png", import.meta.url), png);
