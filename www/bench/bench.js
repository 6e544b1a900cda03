// The benchmark page: times the engine through `entry.js` and shows a table.
// `?device=gpu&steps=50&run` presses the button by itself; `window.benchmark` holds the rows then.

import { create } from "./entry.js";

/** @typedef {{work:string, medianMs:number, leastMs:number, imagesPerSecond:number}} Row */

const BATCHES = [10, 64];
const WARM_STEPS = 3;
const INFERENCES = 50;

/**
 * Seeded numbers in [0, 1), so that every run does the same work (mulberry32).
 * @param {number} seed
 */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * @param {number} length
 * @param {number} bound
 * @param {()=>number} next
 */
const uniform = (length, bound, next) => Float32Array.from({ length }, () => (next() * 2 - 1) * bound);

/** Fresh weights, uniform within PyTorch's bound of each layer. */
function freshWeights() {
  const next = random(1);
  /** @type {Record<string, Float32Array>} */
  const weights = {};
  for (const [name, fanIn, count, outputs] of /** @type {[string, number, number, number][]} */ ([["conv1", 9, 288, 32], ["conv2", 288, 18432, 64], ["fc1", 9216, 1179648, 128], ["fc2", 128, 1280, 10]])) {
    weights[`${name}_w`] = uniform(count, 1 / Math.sqrt(fanIn), next);
    weights[`${name}_b`] = uniform(outputs, 1 / Math.sqrt(fanIn), next);
  }
  return weights;
}

/**
 * @param {number} count
 * @param {()=>Promise<unknown>} work
 */
async function times(count, work) {
  const taken = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await work();
    taken.push(performance.now() - started);
  }
  return taken.sort((a, b) => a - b);
}

/**
 * @param {string} work
 * @param {number[]} sorted
 * @param {number} images
 * @returns {Row}
 */
function rowOf(work, sorted, images) {
  const medianMs = sorted[sorted.length >> 1];
  return { work, medianMs, leastMs: sorted[0], imagesPerSecond: (images * 1000) / medianMs };
}

/**
 * @param {"cpu"|"gpu"} device
 * @param {number} steps
 * @param {(text:string)=>void} say
 * @param {(row:Row)=>void} add
 */
async function measure(device, steps, say, add) {
  say("Starting the engine…");
  const engine = await create({ weights: freshWeights(), device });
  try {
    const next = random(2);
    for (const batch of BATCHES) {
      say(`Training, batch of ${batch}…`);
      await engine.setBatch(uniform(batch * 784, 1, next), Uint8Array.from({ length: batch }, (_, i) => i % 10), batch);
      await times(WARM_STEPS, () => engine.step());
      add(rowOf(`Training step, batch of ${batch}`, await times(steps, () => engine.step()), batch));
    }
    say("Predicting…");
    const image = uniform(784, 1, next);
    await times(WARM_STEPS, () => engine.infer(image));
    add(rowOf("Prediction, one image", await times(INFERENCES, () => engine.infer(image)), 1));
    return engine.info;
  } finally {
    engine.dispose();
  }
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 */
function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no #${id}`);
  return element;
}

const device = byId("device", HTMLSelectElement);
const steps = byId("steps", HTMLInputElement);
const button = byId("run", HTMLButtonElement);
const status = byId("status", HTMLElement);
const body = byId("rows", HTMLElement);

async function run() {
  button.disabled = true;
  body.replaceChildren();
  /** @type {Row[]} */
  const rows = [];
  try {
    const info = await measure(device.value === "gpu" ? "gpu" : "cpu", Math.max(1, steps.valueAsNumber || 20), (text) => (status.textContent = text), (row) => {
      rows.push(row);
      const tr = document.createElement("tr");
      for (const text of [row.work, row.medianMs.toFixed(2), row.leastMs.toFixed(2), row.imagesPerSecond.toFixed(0)]) {
        tr.append(Object.assign(document.createElement("td"), { textContent: text }));
      }
      body.append(tr);
    });
    byId("caption", HTMLElement).textContent = `${info.device.toUpperCase()} ${info.adapter}`.trim();
    status.textContent = "Done.";
  } catch (error) {
    status.textContent = `It failed: ${error instanceof Error ? error.message : error}`;
  } finally {
    button.disabled = false;
    Object.assign(window, { benchmark: rows });
  }
}

button.addEventListener("click", () => void run());
const params = new URLSearchParams(location.search);
if (params.get("device") === "gpu") device.value = "gpu";
if (params.has("steps")) steps.value = params.get("steps") ?? "";
if (params.has("run")) void run();
