// The engine as a benchmark sees it: one fixed batch, one step at a time. See `bench.js` beside it
// for its use; it works on any page of the same site. Benchmarks of others take the nearest folder
// with an index.html for the site's root, so there must be none in this one.

import { adapterName, probeAdapter } from "../adapter.js";
import { Engine } from "../engine.js";
import { CodedError, bytesOf, f32, only } from "../protocol.js";

/**
 * The net's parameters in PyTorch's order. Dense ones are given as [in, out], PyTorch keeps [out, in].
 * @type {{key:string, name:string, shape:number[], dense?:boolean}[]}
 */
const PARAMETERS = [
  { key: "conv1_w", name: "conv1.weight", shape: [32, 1, 3, 3] },
  { key: "conv1_b", name: "conv1.bias", shape: [32] },
  { key: "conv2_w", name: "conv2.weight", shape: [64, 32, 3, 3] },
  { key: "conv2_b", name: "conv2.bias", shape: [64] },
  { key: "fc1_w", name: "fc1.weight", shape: [128, 9216], dense: true },
  { key: "fc1_b", name: "fc1.bias", shape: [128] },
  { key: "fc2_w", name: "fc2.weight", shape: [10, 128], dense: true },
  { key: "fc2_b", name: "fc2.bias", shape: [10] },
];

/**
 * @param {Float32Array} values  [columns, rows] of the answer
 * @param {number} rows
 * @param {number} columns
 */
function transpose(values, rows, columns) {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[row * columns + column] = values[column * rows + row];
  }
  return out;
}

/**
 * Weights as a safetensors file.
 * @param {Record<string, Float32Array>} weights
 */
export function safetensorsOf(weights) {
  /** @type {Record<string, any>} */
  const header = {};
  const parts = [];
  let offset = 0;
  for (const { key, name, shape, dense } of PARAMETERS) {
    const given = weights[key];
    const length = shape.reduce((product, size) => product * size, 1);
    if (given?.length !== length) throw new CodedError("weights_shape", `${key} has ${given?.length ?? "no"} values; ${length} are expected`);
    const values = dense ? transpose(given, shape[0], shape[1]) : given;
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + length * 4] };
    offset += length * 4;
    parts.push(bytesOf(values));
  }
  const text = JSON.stringify(header);
  // The data begins at a multiple of eight.
  const head = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const file = new Uint8Array(8 + head.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.length), true);
  file.set(head, 8);
  let at = 8 + head.length;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/**
 * Starts an engine with the weights given. `threads` is accepted for the sake of other engines:
 * this one has one thread.
 * @param {object} options
 * @param {Record<string, Float32Array>} options.weights  conv1_w, conv1_b, conv2_w, conv2_b (PyTorch's layouts), fc1_w and fc2_w as [in, out], fc1_b, fc2_b.
 * @param {"sgd"|"adam"} [options.optimizer]
 * @param {number} [options.lr]
 * @param {number} [options.momentum]
 * @param {number} [options.threads]
 * @param {"cpu"|"gpu"|null} [options.device]
 */
export async function create({ weights, optimizer = "sgd", lr = 0.01, momentum = 0.9, device }) {
  const engine = new Engine({ role: "bench", device: device === "gpu" ? "gpu" : "cpu" });
  const [started, adapter] = await Promise.all([engine.start(), device === "gpu" ? probeAdapter() : null]);
  /** @type {import("../protocol.js").Config} */
  const config = { optimizer, learningRate: lr, schedule: "constant", momentum, batchSize: 64, epochs: 1, seed: 1, validationFraction: 0, dropLast: false, augment: "none" };
  await engine.execute({ type: "configure", config });
  await engine.execute({ type: "importWeights", bytes: safetensorsOf(weights) });
  /** What was sent and not waited for. @type {Promise<unknown>} */
  let sent = Promise.resolve();

  return {
    info: { device: started.device, adapter: adapterName(adapter), version: started.version, threads: 1 },

    /**
     * Uploads the batch that every step uses.
     * @param {Float32Array} x  [n, 1, 28, 28], normalised.
     * @param {Uint8Array} y  n labels.
     * @param {number} n
     */
    async setBatch(x, y, n) {
      await sent;
      await engine.execute({ type: "holdBatch", images: bytesOf(x.slice(0, n * 784)), labels: y.slice(0, n) });
    },

    /**
     * One training step. Answers the loss before the update; with `read` false it does not wait
     * for the device, and answers nothing.
     * @param {boolean} [read]
     * @returns {Promise<number|undefined>}
     */
    async step(read = true) {
      await sent; // one message ahead at most; a failure of the last one is told here
      const step = engine.execute({ type: "stepHeld", read });
      if (read) return only(await step, "stepped").loss ?? undefined;
      sent = step;
      step.catch(() => {}); // told by the next call
      return undefined;
    },

    /** @param {number} learningRate  That of the steps from now on. */
    async setLearningRate(learningRate) {
      await sent;
      await engine.execute({ type: "setLearningRate", learningRate });
    },

    /**
     * @param {Float32Array} x  [n, 1, 28, 28], normalised; one image or more.
     * @returns {Promise<Float32Array>} ten probabilities of each
     */
    async infer(x) {
      await sent;
      return f32(only(await engine.execute({ type: "infer", images: bytesOf(x.slice()) }), "inferred").probabilities);
    },

    /** Ends the engine. */
    dispose() {
      engine.dispose();
    },
  };
}
