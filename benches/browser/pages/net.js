// The same work for everyone: one net, its first weights, a fixed batch; all of it seeded.

export const CLASSES = 10;
export const PIXELS = 784;

/** Seeded numbers in [0, 1) (mulberry32). @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A batch that can be learnt: a pattern for each class, and noise, within [-1.5, 1.5).
 * @param {number} count
 * @param {number} [seed]
 */
export function makeBatch(count, seed = 1) {
  const next = random(seed);
  const pattern = Float32Array.from({ length: CLASSES * PIXELS }, next);
  const x = new Float32Array(count * PIXELS);
  const y = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = Math.floor(next() * CLASSES);
    for (let j = 0; j < PIXELS; j++) x[i * PIXELS + j] = 3 * (0.6 * pattern[y[i] * PIXELS + j] + 0.4 * next() - 0.5);
  }
  return { x, y };
}

/**
 * Names, shapes and fan-in. Convolutions are in PyTorch's layout; dense ones are [in, out], their
 * rows in the order (channel, row, column).
 * @type {[string, number[], number][]}
 */
const PARAMETERS = [
  ["conv1_w", [32, 1, 3, 3], 9],
  ["conv1_b", [32], 9],
  ["conv2_w", [64, 32, 3, 3], 288],
  ["conv2_b", [64], 288],
  ["fc1_w", [9216, 128], 9216],
  ["fc1_b", [128], 9216],
  ["fc2_w", [128, 10], 128],
  ["fc2_b", [10], 128],
];

/** Fresh weights, uniform within 1/√fan-in, as PyTorch has them for these layers. @param {number} [seed] */
export function makeWeights(seed = 2) {
  const next = random(seed);
  /** @type {Record<string, Float32Array>} */
  const weights = {};
  for (const [name, shape, fanIn] of PARAMETERS) {
    const bound = 1 / Math.sqrt(fanIn);
    weights[name] = Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => (2 * next() - 1) * bound);
  }
  return weights;
}

/**
 * For libraries that put channels last: convolutions as [row, column, in, out], and fc1's rows in
 * the order (row, column, channel).
 * @param {Record<string, Float32Array>} weights
 */
export function channelsLast(weights) {
  /** @param {Float32Array} from @param {number} outputs @param {number} inputs */
  const convolution = (from, outputs, inputs) => {
    const to = new Float32Array(from.length);
    for (let o = 0; o < outputs; o++) for (let i = 0; i < inputs; i++) for (let k = 0; k < 9; k++) to[(k * inputs + i) * outputs + o] = from[(o * inputs + i) * 9 + k];
    return to;
  };
  const dense = new Float32Array(weights.fc1_w.length);
  for (let channel = 0; channel < 64; channel++) {
    for (let place = 0; place < 144; place++) {
      const row = channel * 144 + place;
      dense.set(weights.fc1_w.subarray(row * 128, (row + 1) * 128), (place * 64 + channel) * 128);
    }
  }
  return { ...weights, conv1_w: convolution(weights.conv1_w, 32, 1), conv2_w: convolution(weights.conv2_w, 64, 32), fc1_w: dense };
}

/** @param {Uint8Array} labels */
export function oneHot(labels) {
  const out = new Float32Array(labels.length * CLASSES);
  labels.forEach((label, i) => (out[i * CLASSES + label] = 1));
  return out;
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
