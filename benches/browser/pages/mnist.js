// MNIST as every engine here gets it: normalised as the crate's catalog has it.

import { PIXELS } from "./net.js";

const [MEAN, DEVIATION] = [0.1307, 0.3081];

/** @param {string} name */
async function unpacked(name) {
  const response = await fetch(`/data/mnist/${name}-ubyte.gz`);
  if (!response.ok) throw new Error(`${name}: the server answered ${response.status}; ./build.sh data mnist`);
  return new Uint8Array(await new Response(/** @type {ReadableStream} */ (response.body).pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

/** @param {"train"|"t10k"} split */
export async function loadSplit(split) {
  const [images, labels] = await Promise.all([unpacked(`${split}-images-idx3`), unpacked(`${split}-labels-idx1`)]);
  return { pixels: images.subarray(16), labels: labels.subarray(8) };
}

/**
 * @param {Uint8Array} pixels
 * @param {ArrayLike<number>} indices  The images wanted.
 */
export function normalised(pixels, indices) {
  const out = new Float32Array(indices.length * PIXELS);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * PIXELS;
    for (let j = 0; j < PIXELS; j++) out[i * PIXELS + j] = (pixels[from + j] / 255 - MEAN) / DEVIATION;
  }
  return out;
}
