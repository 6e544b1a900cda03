// Every engine on the same net, weights and data: one prediction, and training steps by batch.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isSoftware, measure, threadsOf } from "../lib/measure.mjs";
import { figure, kilobytes, printTable } from "../lib/table.mjs";
import { median } from "../pages/net.js";

/** Losses of the same training differ by rounding alone; further than this, and something else was trained. */
const TOLERANCE = 5e-3;
/** What a software GPU is granted: enough to see that it works. */
const SOFTWARE = { steps: 3, warm: 1, budget: 30, limit: 180 };
const COLD_BATCH = 10;
const LOSSES_KEPT = 8;

/**
 * Measures one peer with one number of threads in one mode.
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {import("../lib/peers.mjs").Peer} peer
 * @param {{mode:"infer"|"train"|"cold", batch:number, threads:number, entry:string, steps?:number}} what
 */
export async function measureSteps(lab, peer, { mode, batch, threads, entry, steps }) {
  const { options } = lab;
  const software = isSoftware(lab, peer);
  const capped = (/** @type {keyof typeof SOFTWARE} */ key) => (software ? Math.min(options[key], SOFTWARE[key]) : options[key]);
  const settings = {
    work: "steps",
    ...{ entry, mode, batch, threads, device: peer.kind, pipe: options.pipe, optimizer: options.optimizer },
    ...{ steps: steps ?? capped("steps"), warm: capped("warm"), budgetMs: capped("budget") * 1000, learningRate: options.learningRate },
  };
  const result = await measure(lab, settings, { limitMs: capped("limit") * 1000 });
  return { peer: peer.name, kind: peer.kind, software, mode, batch, threads: result.info?.threads ?? threads, asked: threads, ...result };
}

/** How long a step takes by that at another batch. @param {any} row @param {number} batch */
const expectedMs = (row, batch) => (row?.medianMs ? (row.medianMs * batch) / row.batch : 0);

/**
 * Training steps by batch, the small ones first; what would take too long by those is left out.
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {import("../lib/peers.mjs").Peer} peer
 * @param {{threads:number, entry:string}} what
 * @param {(row:any)=>void} add
 */
export async function measureBatches(lab, peer, what, add) {
  const limitMs = 1000 * (isSoftware(lab, peer) ? Math.min(SOFTWARE.limit, lab.options.limit) : lab.options.limit);
  let last = null;
  for (const batch of [...lab.options.batch].sort((a, b) => a - b)) {
    const ms = expectedMs(last, batch);
    // The first step, and one that is timed.
    if (2 * ms > limitMs) {
      const skipped = `about ${figure(ms / 1000)} s a step, by that at batch ${last.batch}`;
      add({ peer: peer.name, kind: peer.kind, software: isSoftware(lab, peer), mode: "train", batch, threads: what.threads, skipped });
      continue;
    }
    const row = await measureSteps(lab, peer, { ...what, mode: "train", batch });
    add(row);
    if (row.error) return;
    last = row;
  }
}

/**
 * All of one peer's rows.
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {import("../lib/peers.mjs").Peer} peer
 * @param {(row:any)=>void} add
 */
async function measurePeer(lab, peer, add) {
  const { options } = lab;
  const entry = await lab.entryOf(peer);
  for (const [i, threads] of threadsOf(lab, peer).entries()) {
    const what = { threads, entry };
    const first = await measureSteps(lab, peer, { ...what, mode: "infer", batch: 1 });
    // It took no more threads than before: those rows are there.
    if (i > 0 && !first.error && first.threads !== threads) continue;
    add(first);
    const colds = [];
    for (let run = 0; run < options.cold; run++) colds.push(await measureSteps(lab, peer, { ...what, mode: "cold", batch: COLD_BATCH }));
    const failed = colds.find((row) => row.error);
    if (failed) add(failed);
    else if (colds.length) add({ ...colds[0], count: colds.length, coldMs: median(colds.map((row) => row.coldMs)), firstMs: median(colds.map((row) => row.firstMs)) });
    await measureBatches(lab, peer, what, add);
  }
}

/**
 * Compares each row with the reference (the same training in plain JavaScript doubles), and with
 * what the others came to.
 * @param {any[]} rows
 * @param {any} expected
 * @param {any} options
 */
function checkLosses(rows, expected, { optimizer, learningRate, pipe }) {
  const furthest = (/** @type {number[]} */ got, /** @type {number[]} */ right, /** @type {number} */ stride) => {
    const count = Math.min(got.length, Math.ceil(right.length / stride));
    return Math.max(...Array.from({ length: count }, (_, i) => Math.abs(got[i] - right[i * stride])));
  };
  const asExpected = learningRate === expected.learningRates[optimizer];
  for (const row of rows) {
    if (row.probabilities) row.referenceError = furthest(row.probabilities, expected.infer, 1);
    const right = asExpected && row.losses && expected[optimizer][row.batch];
    // The loss after the first step is read back every `pipe` steps.
    if (right) row.referenceError = furthest(row.losses, right, row.mode === "train" ? pipe : 1);
    if (row.mode !== "train" || !row.losses) continue;
    const same = rows.filter((other) => other.mode === "train" && other.batch === row.batch && other.losses);
    const shared = Math.min(LOSSES_KEPT, ...same.map((other) => other.losses.length));
    row.othersError = Math.max(...Array.from({ length: shared }, (_, i) => Math.abs(row.losses[i] - median(same.map((other) => other.losses[i])))));
    row.falls = row.losses.length < 2 || (row.losses.every(Number.isFinite) && row.losses.at(-1) < row.losses[0]);
  }
  for (const row of rows) if (row.losses) row.losses = row.losses.slice(0, LOSSES_KEPT);
}

/**
 * Our figure for the same work on the same kind of device, with as many threads where we have some.
 * @param {any} row
 * @param {any[]} rows
 */
function oursFor(row, rows) {
  const ours = rows.filter((other) => other.peer === `glassbox-${row.kind}` && other.mode === row.mode && other.batch === row.batch && other.medianMs && !other.onlyFirst);
  return ours.find((other) => other.threads === row.threads) ?? ours[0];
}

/** @param {any} row */
function rowText(row) {
  const work = row.mode === "infer" ? "predict 1" : row.mode === "cold" ? `cold start, batch ${row.batch}` : `step, batch ${row.batch}`;
  const name = `${row.peer}${row.software ? " (software)" : ""}`;
  const threads = row.kind === "gpu" ? "" : String(row.threads);
  if (row.error || row.skipped) return [name, threads, work, row.error ? `FAILED: ${row.error.slice(0, 60)}` : `left out: ${row.skipped}`];
  const error = Math.max(row.referenceError ?? -1, row.othersError ?? -1);
  return [
    ...[name, threads, work, `${figure(row.medianMs)}${row.onlyFirst ? "*" : ""}`, figure(row.leastMs), String(row.onlyFirst ? 0 : (row.count ?? 0))],
    ...[row.ratio ? `${figure(row.ratio)}×` : "–", figure(row.imagesPerSecond), figure(row.firstMs), figure(row.coldMs)],
    ...[`${error < 0 ? "–" : error.toExponential(0)}${row.falls === false ? ", does not fall" : ""}`, kilobytes(row.gzipBytes), figure(row.others)],
  ];
}

/** @param {import("../lib/measure.mjs").Lab} lab */
export async function run(lab) {
  const expected = JSON.parse(readFileSync(join(lab.here, "expected.json"), "utf8"));
  /** @type {any[]} */
  const rows = [];
  for (const peer of lab.peers) {
    await measurePeer(lab, peer, (row) => {
      rows.push(row);
      lab.say(`${row.peer}${row.kind === "cpu" ? ` (${row.threads} threads)` : ""}, ${row.mode} ${row.batch}: ${row.error ?? row.skipped ?? `${figure(row.medianMs ?? row.coldMs)} ms`}`);
    });
  }
  checkLosses(rows, expected, lab.options);
  for (const row of rows) {
    const ours = oursFor(row, rows);
    if (ours && row.medianMs && !row.onlyFirst) row.ratio = row.medianMs / ours.medianMs;
  }
  console.log("");
  printTable(["engine", "threads", "work", "median ms", "least ms", "n", "to ours", "images/s", "first ms", "from cold ms", "error", "kB gzip", "others"], rows.map(rowText));
  console.log(`
to ours: median beside Glassbox's on the same kind of device, with as many threads where it has them
first: the first step or prediction once the engine is up; from cold: since the navigation began
error: the losses' (probabilities') greatest distance from the reference and from the other engines' median
others: cores kept busy by other programs meanwhile; believe a row where it is near 0
* the first step alone was timed`);
  const bad = rows.filter((row) => row.error || row.falls === false || row.referenceError > TOLERANCE || row.othersError > TOLERANCE);
  for (const row of bad) console.error(`wrong: ${row.peer}, ${row.mode} ${row.batch}: ${row.error ?? `error ${row.referenceError ?? row.othersError}`}`);
  return { result: { rows }, right: bad.length === 0 };
}
