// An engine that is driven from outside, some steps or predictions at a time.

import { makeBatch, makeWeights } from "./net.js";

/** @param {any} options */
export async function run({ entry, device, threads, batch, optimizer, learningRate, momentum }) {
  const { create } = await import(entry);
  const net = await create({ weights: makeWeights(), optimizer, lr: learningRate, momentum, threads, device });
  const { x, y } = makeBatch(batch, 1);
  await net.setBatch(x, y, batch);
  const image = makeBatch(1, 7).x;
  Object.assign(window, {
    /** @param {number} count */
    async train(count) {
      for (let i = 0; i < count; i++) {
        // As in a run, each step has its own batch.
        await net.setBatch(x, y, batch);
        await net.step(i === count - 1);
      }
    },
    /** @param {number} count */
    async predict(count) {
      for (let i = 0; i < count; i++) await net.infer(image);
    },
  });
  return { info: net.info };
}
