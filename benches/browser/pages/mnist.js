// MNIST as every engine here gets it: normalised as the crate's catalog has it.

import { PIXELS } from "./net.js";

const [MEAN, DEVIATION] = [0.1307, 0.3081];
const SIDE = Math.sqrt(PIXELS);

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

/**
 * Copies of images, each moved by up to a pixel along each axis, as the crate's `Augment::Shift` moves them.
 * @param {Uint8Array} pixels
 * @param {ArrayLike<number>} indices  The images wanted.
 * @param {() => number} next  Random numbers in 0..1.
 */
export function moved(pixels, indices, next) {
  const out = new Uint8Array(indices.length * PIXELS);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * PIXELS;
    const [shiftX, shiftY] = [2 * next() - 1, 2 * next() - 1];
    const [left, top] = [Math.floor(-shiftX), Math.floor(-shiftY)];
    const [rightPart, lowerPart] = [-shiftX - left, -shiftY - top];
    const pixel = (/** @type {number} */ x, /** @type {number} */ y) => (x >= 0 && x < SIDE && y >= 0 && y < SIDE ? pixels[from + y * SIDE + x] : 0);
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const [x, y] = [column + left, row + top];
        const upper = pixel(x, y) * (1 - rightPart) + pixel(x + 1, y) * rightPart;
        const lower = pixel(x, y + 1) * (1 - rightPart) + pixel(x + 1, y + 1) * rightPart;
        out[i * PIXELS + row * SIDE + column] = Math.round(upper * (1 - lowerPart) + lower * lowerPart);
      }
    }
  }
  return out;
}
