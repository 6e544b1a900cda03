// Trains one engine on MNIST and reports its accuracy on test images over seconds of training.
//
// The clock runs while batches are put together, handed over and learnt from, the first step with
// what it compiles included; it stands while the net is tested. Every engine sees the same images in
// the same order.

import { loadSplit, moved, normalised } from "./mnist.js";
import { makeWeights, random } from "./net.js";

const TEST_BATCH = 100;
/** The device is waited for at least this often, so that what is queued is bounded. */
const WAIT_EVERY_MS = 400;
const STEPS_QUEUED = 10;

/**
 * What the learning rate is multiplied by, by the part of the time that has passed: engines of any speed go down the
 * same curve, and all end at 0.
 * @type {Record<string, (done: number) => number>}
 */
const FACTORS = { linear: (done) => 1 - done, cosine: (done) => (1 + Math.cos(Math.PI * Math.min(1, done))) / 2 };

/** Image numbers in a new order each epoch, without a last batch that is not full. @param {number} count @param {number} batch */
function* batches(count, batch) {
  const next = random(3);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (;;) {
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let at = 0; at + batch <= count; at += batch) yield order.slice(at, at + batch);
  }
}

/**
 * The share of right answers among the first `count` test images.
 * @param {any} net
 * @param {{pixels:Uint8Array, labels:Uint8Array}} test
 * @param {number} count
 */
async function accuracyOf(net, { pixels, labels }, count) {
  let right = 0;
  for (let at = 0; at < count; at += TEST_BATCH) {
    const probabilities = await net.infer(normalised(pixels, Array.from({ length: TEST_BATCH }, (_, i) => at + i)));
    for (let i = 0; i < TEST_BATCH; i++) {
      const row = probabilities.subarray(i * 10, i * 10 + 10);
      if (row.indexOf(Math.max(...row)) === labels[at + i]) right++;
    }
  }
  return right / count;
}

/** @param {any} options */
export async function run({ entry, batch, optimizer, learningRate, momentum, schedule, shift, threads, device, seconds, images, times }) {
  const [train, test, { create }] = await Promise.all([loadSplit("train"), loadSplit("t10k"), import(entry)]);
  const net = await create({ weights: makeWeights(), optimizer, lr: learningRate, momentum, threads, device });
  const order = batches(train.labels.length, batch);
  const shifts = random(4);
  let clockMs = 0;
  let steps = 0;
  let stepMs = Infinity;
  let loss = NaN;

  /** Trains until the clock says so. @param {number} untilMs */
  async function trainUntil(untilMs) {
    while (clockMs < untilMs) {
      const began = performance.now();
      const queued = Math.max(1, Math.min(STEPS_QUEUED, Math.floor(Math.min(WAIT_EVERY_MS, untilMs - clockMs) / stepMs)));
      for (let i = 1; i <= queued; i++) {
        const indices = order.next().value;
        if (FACTORS[schedule]) await net.setLearningRate(learningRate * Math.max(1e-3, FACTORS[schedule](clockMs / 1000 / seconds)));
        const images = shift ? normalised(moved(train.pixels, indices, shifts), indices.map((_, j) => j)) : normalised(train.pixels, indices);
        await net.setBatch(images, Uint8Array.from(indices, (index) => train.labels[index]), batch);
        const got = await net.step(i === queued);
        if (i === queued) loss = got;
      }
      const tookMs = performance.now() - began;
      clockMs += tookMs;
      // The first step compiles, and says nothing about the next.
      stepMs = steps === 0 ? Infinity : tookMs / queued;
      steps += queued;
    }
  }

  const points = [];
  const add = async (/** @type {number} */ count) => {
    const point = { seconds: clockMs / 1000, steps, accuracy: await accuracyOf(net, test, count), images: count, loss };
    points.push(point);
    await window.report(point);
    return point;
  };
  for (const time of times.filter((/** @type {number} */ time) => time < seconds)) {
    if (clockMs < time * 1000) {
      await trainUntil(time * 1000);
      // A long step may have passed the end, where all images are taken.
      if (clockMs < seconds * 1000) await add(images);
    }
  }
  await trainUntil(seconds * 1000);
  const last = await add(test.labels.length);
  return { info: net.info, points, last, imagesPerSecond: (steps * batch * 1000) / clockMs };
}
