/** The network's layout: nothing overlaps, lines go down, and size is no trouble. */
import { deepEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import { type Box, type Layout, type Link, layOut, type Placed } from "../../client/preview/network/layout.ts";

function box(id: string, parent: string | null = null, open = false): Box {
  return { id, parent, width: 120, height: 40, open };
}

/** Pairs of boxes in the same block that lie on one another. */
function overlaps(boxes: readonly Box[], layout: Layout): string[] {
  const found: string[] = [];
  for (const [index, a] of boxes.entries()) {
    for (const b of boxes.slice(index + 1)) {
      if (a.parent === b.parent && crosses(layout.boxes.get(a.id)!, layout.boxes.get(b.id)!))
        found.push(`${a.id} ${b.id}`);
    }
  }
  return found;
}

function crosses(a: Placed, b: Placed): boolean {
  const slack = 0.01;
  return (
    a.x + slack < b.x + b.width &&
    b.x + slack < a.x + a.width &&
    a.y + slack < b.y + b.height &&
    b.y + slack < a.y + a.height
  );
}

function holds(outer: Placed, inner: Placed): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

describe("preview: layout", () => {
  it("a chain is a straight column, top to bottom", () => {
    const boxes = ["a", "b", "c"].map((id) => box(id));
    const links = [
      { from: "a", to: "b" },
      { from: "b", to: "c" },
    ];
    const layout = layOut(boxes, links);
    deepEqual(new Set([...layout.boxes.values()].map(({ x }) => x)).size, 1);
    ok(layout.boxes.get("a")!.y < layout.boxes.get("b")!.y && layout.boxes.get("b")!.y < layout.boxes.get("c")!.y);
    for (const { points } of layout.routes) ok(points.every(({ x }) => x === points[0]!.x));
  });

  it("a line that passes boxes by goes around them", () => {
    const boxes = ["in", "conv", "relu", "add"].map((id) => box(id));
    const links = [
      { from: "in", to: "conv" },
      { from: "conv", to: "relu" },
      { from: "relu", to: "add" },
      { from: "in", to: "add" },
    ];
    const layout = layOut(boxes, links);
    const shortcut = layout.routes.find(({ from, to }) => from === "in" && to === "add")!;
    for (const id of ["conv", "relu"]) {
      const { x, y, width, height } = layout.boxes.get(id)!;
      for (const point of shortcut.points) {
        ok(point.x < x || point.x > x + width || point.y < y || point.y > y + height, `the line crosses ${id}`);
      }
    }
  });

  it("an open block holds its boxes, and lines reach in through its border", () => {
    const boxes = [box("in"), box("block", null, true), box("a", "block"), box("b", "block"), box("out")];
    const links = [
      { from: "in", to: "a" },
      { from: "in", to: "b" },
      { from: "a", to: "out" },
      { from: "b", to: "out" },
    ];
    const { boxes: placed, routes } = layOut(boxes, links);
    for (const id of ["a", "b"]) ok(holds(placed.get("block")!, placed.get(id)!), `${id} is outside`);
    const ends = new Set(routes.map(({ from, to }) => `${from} ${to}`));
    deepEqual(ends, new Set(["in block", "block a", "block b", "a block", "b block", "block out"]));
  });

  it("any graph, circles among them: all is placed, nothing overlaps, what a block holds is in it", () => {
    const graphs = fc
      .record({
        count: fc.integer({ min: 1, max: 24 }),
        blocks: fc.array(fc.nat(), { maxLength: 24 }),
        links: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }),
      })
      .map(({ count, blocks, links }) => {
        const boxes: Box[] = [];
        for (let index = 0; index < count; index++) {
          // Each third box is an open block; later ones may stand in it.
          const open = boxes.filter((each) => each.open);
          const choice = (blocks[index] ?? 0) % (open.length + 1);
          boxes.push(box(`n${index}`, open[choice - 1]?.id ?? null, index % 3 === 1));
        }
        const leaves = boxes.filter((each) => !each.open);
        const joined: Link[] = links.map(([from, to]) => ({
          from: leaves[from % leaves.length]!.id,
          to: leaves[to % leaves.length]!.id,
        }));
        return { boxes, links: joined };
      });
    fc.assert(
      fc.property(graphs, ({ boxes, links }) => {
        const layout = layOut(boxes, links);
        deepEqual([...layout.boxes.keys()].sort(), boxes.map(({ id }) => id).sort());
        deepEqual(overlaps(boxes, layout), []);
        for (const { id, parent } of boxes) {
          if (parent !== null)
            ok(holds(layout.boxes.get(parent)!, layout.boxes.get(id)!), `${id} is outside ${parent}`);
        }
        for (const { x, y, width, height } of layout.boxes.values()) {
          ok(x >= 0 && y >= 0 && x + width <= layout.width + 0.01 && y + height <= layout.height + 0.01);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("a chain of ten thousand is no trouble for the stack", () => {
    const boxes = Array.from({ length: 10_000 }, (_, index) => box(`n${index}`));
    const links = boxes.slice(1).map(({ id }, index) => ({ from: `n${index}`, to: id }));
    deepEqual(layOut(boxes, links).boxes.size, 10_000);
  });
});
