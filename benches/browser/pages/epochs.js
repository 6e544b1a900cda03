// Times whole epochs of Glassbox's own run, data pipeline included, by the number of training images.

import { CLASSES, PIXELS, random } from "./net.js";

/** Evaluation after an epoch is no part of what is asked. */
const TEST_COUNT = CLASSES;
const ADVANCE_MS = 200;

/** @param {number[]} sizes @param {Uint8Array} values */
function idx(sizes, values) {
  const file = new Uint8Array(4 + sizes.length * 4 + values.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x0800 + sizes.length);
  sizes.forEach((size, i) => view.setUint32(4 + i * 4, size));
  file.set(values, 4 + sizes.length * 4);
  return file;
}

/** Images and labels as IDX files: noise costs what digits do. @param {number} count */
function files(count) {
  const next = random(count);
  return {
    images: idx([count, 28, 28], Uint8Array.from({ length: count * PIXELS }, () => next() * 256)),
    labels: idx([count], Uint8Array.from({ length: count }, (_, i) => i % CLASSES)),
  };
}

/** @param {any} options */
export async function run({ site, device, batch, counts, optimizer, learningRate, momentum, budgetMs }) {
  const { Engine } = await import(`${site}engine.js`);
  const engine = new Engine({ role: "bench", device });
  await engine.start();
  const test = files(TEST_COUNT);

  /** @param {number} count */
  async function epochMs(count) {
    const train = files(count);
    await engine.execute({ type: "loadIdx", id: "own", trainImages: train.images, trainLabels: train.labels, testImages: test.images, testLabels: test.labels });
    const config = { optimizer, learningRate, schedule: "constant", momentum, batchSize: batch, epochs: 1, seed: 1, validationFraction: 0, dropLast: true, augment: "none" };
    await engine.execute({ type: "configure", config });
    const began = performance.now();
    for (;;) {
      const events = await engine.execute({ type: "advance", budgetMs: ADVANCE_MS });
      if (events.some(({ type }) => type === "epochEnd")) return performance.now() - began;
      if (events.some(({ type }) => type === "diverged")) throw new Error("the loss is not finite");
    }
  }

  await epochMs(batch); // compiles
  const epochs = [];
  for (const images of counts) {
    const last = epochs.at(-1);
    if (last && (last.ms * images) / last.images > budgetMs) break;
    epochs.push({ images, ms: await epochMs(images) });
    await window.report(epochs.at(-1));
  }
  engine.dispose();
  return {};
}
