// Memory over thousands of training steps and predictions: the wasm heap, which never shrinks, so that
// what leaks is seen; and what the browser's processes hold, of which the GPU process holds the device's.

import { browserMemory } from "../lib/machine.mjs";
import { measure, mostThreads } from "../lib/measure.mjs";
import { nameOf, printTable } from "../lib/table.mjs";

const SAMPLES = 20;
const SAID_EVERY = 5;
/** What comes later than this share of the steps is growth. */
const WARM_SHARE = 0.1;
/** Flat is flat: a heap grows by 64 KiB at least. */
const FLAT_BYTES = 0;

const megabytes = (/** @type {number|null|undefined} */ bytes) => (Number.isFinite(bytes) ? (Number(bytes) / 2 ** 20).toFixed(1) : "–");

/**
 * The wasm heap of the worker that holds the engine, looked at from outside: asked again, a bundle's
 * `default` answers with the exports that it has.
 * @param {import("playwright-core").Page} page
 * @param {string} url  The bundle's.
 */
async function heapBytes(page, url) {
  const [worker] = page.workers();
  return worker.evaluate(async (url) => (await (await import(url)).default()).memory.buffer.byteLength, url);
}

/**
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {import("../lib/peers.mjs").Peer} peer
 */
async function measurePeer(lab, peer) {
  const { batch, optimizer, learningRate, momentum, steps, inferences } = lab.options;
  const threads = mostThreads(lab, peer);
  const settings = { work: "memory", entry: await lab.entryOf(peer), device: peer.kind, threads, batch: batch[0], optimizer, learningRate, momentum };
  /** @type {any[]} */
  const samples = [];
  const drive = async (/** @type {import("playwright-core").Page} */ page) => {
    const result = await page.evaluate("window.result");
    if (/** @type {any} */ (result).error) return result;
    const url = `${lab.server.origin}/${peer.site}/pkg/${peer.kind}/glassbox.js`;
    const sample = async (/** @type {string} */ work, /** @type {number} */ done) => {
      samples.push({ work, done, heapBytes: await heapBytes(page, url), processes: browserMemory() });
      const { heapBytes: heap, processes } = samples[samples.length - 1];
      if (samples.length % SAID_EVERY === 1) lab.say(`${peer.name}, ${done} ${work}: heap ${megabytes(heap)} MiB, renderer ${megabytes(processes?.renderer)}, GPU process ${megabytes(processes?.gpu)}`);
    };
    await sample("steps", 0);
    for (const [work, call, count] of /** @type {[string, string, number][]} */ ([["steps", "train", steps], ["predictions", "predict", inferences]])) {
      for (let i = 1, done = 0; i <= SAMPLES; i++) {
        const until = Math.round((count * i) / SAMPLES);
        await page.evaluate(`window.${call}(${until - done})`);
        done = until;
        await sample(work, done);
      }
    }
    return result;
  };
  const result = await measure(lab, settings, { drive });
  return { peer: peer.name, kind: peer.kind, software: false, threads: result.info?.threads ?? threads, ...result, samples };
}

/** @param {any} row */
function summary({ samples }, /** @type {number} */ steps) {
  const of = (/** @type {string} */ work) => samples.filter((/** @type {any} */ sample) => sample.work === work);
  const warm = of("steps").find((/** @type {any} */ sample) => sample.done >= steps * WARM_SHARE);
  const [trained, predicted] = [of("steps").at(-1), of("predictions").at(-1)];
  const grown = (/** @type {any} */ from, /** @type {any} */ to, /** @type {(sample:any)=>number|undefined} */ what) => (what(to) ?? NaN) - (what(from) ?? NaN);
  const heap = (/** @type {any} */ sample) => sample.heapBytes;
  return {
    startBytes: samples[0].heapBytes,
    warmBytes: warm.heapBytes,
    endBytes: predicted.heapBytes,
    trainingGrowthBytes: grown(warm, trained, heap),
    predictionGrowthBytes: grown(trained, predicted, heap),
    rendererGrowthBytes: grown(warm, predicted, (sample) => sample.processes?.renderer),
    gpuGrowthBytes: grown(warm, predicted, (sample) => sample.processes?.gpu),
  };
}

/** @param {import("../lib/measure.mjs").Lab} lab */
export async function run(lab) {
  const { steps, inferences, batch } = lab.options;
  const peers = lab.peers.filter(({ site }) => site);
  if (peers.length === 0) throw new Error("memory looks into Glassbox's own heap: --peer glassbox-cpu, glassbox-gpu");
  /** @type {any[]} */
  const rows = [];
  for (const peer of peers) {
    const row = await measurePeer(lab, peer);
    rows.push(row.error ? row : { ...row, ...summary(row, steps) });
    if (row.error) lab.say(`${peer.name}: ${row.error}`);
  }
  console.log(`\n${steps} steps of batch ${batch[0]}, then ${inferences} predictions; MiB; growth is after the first ${Math.round(steps * WARM_SHARE)} steps`);
  printTable(
    ["engine", "heap at start", "warm", "at the end", "growth in training", "in predictions", "renderer's growth", "GPU process' growth"],
    rows.map((row) => [nameOf(row), ...(row.error ? [`FAILED: ${row.error}`] : [row.startBytes, row.warmBytes, row.endBytes, row.trainingGrowthBytes, row.predictionGrowthBytes, row.rendererGrowthBytes, row.gpuGrowthBytes].map(megabytes))]),
  );
  const right = rows.every((row) => !row.error && row.trainingGrowthBytes <= FLAT_BYTES && row.predictionGrowthBytes <= FLAT_BYTES);
  if (!right) console.error("the heap is not flat");
  return { result: { rows }, right };
}
