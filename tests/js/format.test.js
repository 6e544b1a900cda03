// Numbers and states in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState, reduce } from "../../www/store.js";
import { about, clock, count, deviceStory, loss, megabytes, moment, pageTitle, percent, refusal, trainingDetail, trainingStatus } from "../../www/views/format.js";
import { smoothed, table } from "../../www/views/curve.js";

const dataset = { id: "mnist", title: "MNIST", classNames: [..."0123456789"], mean: 0, std: 1, trainCount: 60_000, testCount: 10_000 };
const model = { name: "lecture", parameters: 1, multiplyAdds: 1, layers: [] };
const run = { config: { ...initialState().config, epochs: 3, schedule: "constant" }, model, stepsPerEpoch: 10, totalSteps: 30, epoch: 0, step: 0, trainCount: 1, validationCount: 0 };
const progress = (more) => ({
  type: "progress",
  progress: {
    phase: "train", epoch: 1, epochs: 3, step: 4, totalSteps: 30, stepsPerEpoch: 10, losses: [], runningLoss: 1.5, learningRate: 0.1,
    imagesPerSecond: 1234.5, elapsedMs: 61_000, remainingMs: 125_000, evaluated: 0, evaluateTotal: 0, ...more,
  },
});
const device = (trainer, why = null, parity = null) => ({ type: "device", trainer, adapter: "maker arch", why, parity });
const after = (...actions) => /** @type {any[]} */ (actions).reduce(reduce, initialState());
const ready = [device("gpu"), { type: "dataset", dataset }, { type: "run", run }];
const training = [...ready, { type: "training", running: true }];

test("numbers are written for people", () => {
  assert.deepEqual([count(60_000), percent(0.98765, 2), megabytes(9_912_422)], ["60,000", "98.77 %", "9.9 MB"]);
  assert.deepEqual([loss(null), loss(NaN), loss(2.3026), loss(0.01234)], ["–", "NaN", "2.303", "0.0123"]);
  assert.deepEqual([clock(61_499), clock(3_600_000), clock(0)], ["1:01", "1:00:00", "0:00"]);
  assert.deepEqual([9, 27, 80, 600, 7200].map((s) => about(s * 1000)), ["< 10 s", "≈ 25 s", "≈ 1 min", "≈ 10 min", "≈ 2.0 h"]);
  assert.match(moment(Date.now()), /^today at \d\d:\d\d$/);
  assert.match(moment(0), /1970|1969/);
  assert.equal(moment(NaN), "earlier");
});

test("the status names each phase of a run", () => {
  assert.match(trainingStatus(after()), /Starting the trainer/);
  assert.match(trainingStatus(after(device("cpu"))), /Choose data/);
  assert.equal(trainingStatus(after(...ready)), "Ready to train on your GPU.");
  assert.match(trainingStatus(after(...training)), /^Warming up: compiling shaders/);
  assert.match(trainingStatus(after(device("cpu"), ...training.slice(1))), /^Warming up: the first step on your CPU/);
  assert.match(trainingStatus(after(...training, progress({ phase: "warmup", step: 1 }))), /^Warming up/);
  assert.equal(trainingStatus(after(...training, progress())), "Training on your GPU: epoch 1 of 3.");
  assert.equal(trainingStatus(after(...training, progress({ phase: "evaluate" }))), "Testing after epoch 1 of 3…");
  const paused = [...training, progress(), { type: "training", running: false, reason: "paused" }];
  assert.equal(trainingStatus(after(...paused)), "Paused at step 4 of 30.");
  // A pause in the middle of an epoch's test is a pause; nothing is being tested.
  const inTest = [...training, progress({ phase: "evaluate", step: 10 }), { type: "training", running: false, reason: "paused" }];
  assert.equal(trainingStatus(after(...inTest)), "Paused at step 10 of 30.");
  assert.equal(trainingStatus(after(...inTest, { type: "testing", running: true })), "Testing…");
  assert.match(trainingStatus(after(...paused, { type: "training", running: false, reason: "stopped" })), /^Stopped at step 4/);
  assert.equal(trainingStatus(after(...training, progress(), { type: "training", running: false, reason: "crashed" })), "Interrupted at step 4 of 30.");
  assert.equal(trainingStatus(after(...training, progress(), { type: "diverged", step: 5, message: "Too large." })), "Too large.");
  const end = { type: "epochEnd", epoch: 3, step: 30, trainLoss: null, validationLoss: null, validationAccuracy: null, testLoss: 0, testAccuracy: 0.9912, elapsedMs: 0 };
  assert.match(trainingStatus(after(...training, progress({ step: 30 }), end, { type: "finished" })), /^Done: 3 epochs\. It gets 99\.12 %/);
});

test("the details are the numbers of the moment", () => {
  assert.equal(trainingDetail(after(...training)), "");
  assert.equal(trainingDetail(after(...training, progress({ epoch: 2, step: 14 }))), "Epoch 2 of 3, step 4 of 10, running loss 1.500, 1,235 images/s, ≈ 2 min left");
  const cosine = { type: "run", run: { ...run, config: { ...run.config, schedule: "cosine" } } };
  assert.match(trainingDetail(after(...training, cosine, progress({ learningRate: 0.00085355 }))), /loss 1\.500, learning rate 0\.00085, 1,235 images/);
  assert.equal(trainingDetail(after(...training, progress({ phase: "evaluate", evaluated: 300, evaluateTotal: 10_000 }))), "300 of 10,000 images tested");
});

test("the title tells how far the training is", () => {
  assert.match(pageTitle(after()), /^Glassbox/);
  assert.match(pageTitle(after(...training)), /^0 % trained · Glassbox/);
  assert.match(pageTitle(after(...training, progress({ step: 16 }))), /^53 % trained/);
  assert.match(pageTitle(after(...training, progress(), { type: "finished" })), /^Trained ·/);
});

test("the device's story is the reason on the CPU, and the adapter on the GPU", () => {
  assert.match(deviceStory(after(device("gpu", null, { ok: true, maxRelativeError: 0 }))), /maker arch.*checked/);
  assert.equal(deviceStory(after(device("cpu", "No WebGPU."))), "No WebGPU.");
  assert.match(deviceStory(after()), /Starting/);
});

test("an epoch's accuracy stands in the chart at its last step, on a point or between two", () => {
  const history = { bin: 1, steps: [2, 4, 6], losses: [3, 2, NaN], open: { sum: 0, count: 0 } };
  const end = (step, testAccuracy) => ({ epoch: 1, step, trainLoss: 0, validationLoss: null, validationAccuracy: null, testLoss: 0, testAccuracy, elapsedMs: 0 });
  assert.deepEqual(table(history, [end(4, 0.5), end(5, 0.6), end(8, 0.75)]), [
    [2, 4, 5, 6, 8],
    [3, 2, null, null, null],
    [3, 2, null, null, null],
    [null, 50, 60, null, 75],
  ]);
});

test("the smoothed curve has less noise, the level of the losses, and no lag", () => {
  assert.deepEqual(smoothed([]), []);
  assert.deepEqual(smoothed([2]), [2]);
  assert.deepEqual(smoothed([4, 1, 4, 1, 4]).map((v) => v.toFixed(2)), ["4.00", "3.00", "2.00", "3.00", "2.50"]);
  const noisy = Array.from({ length: 1000 }, (_, i) => 2 + (i % 2 ? 1 : -1));
  assert.ok(smoothed(noisy).slice(3).every((value) => Math.abs(value - 2) < 0.2));
  // A straight fall is itself again, but for the end: a mean of the past alone would lie above it.
  const falling = Array.from({ length: 400 }, (_, i) => 4 - i / 100);
  smoothed(falling).slice(0, -20).forEach((value, i) => assert.ok(Math.abs(value - falling[i]) < 1e-9));
});

test("a setting that cannot be used is refused with what it may be", () => {
  assert.equal(
    refusal({ name: "Learning rate", min: "0.000001", max: "10", whole: false }),
    "Learning rate must be a number from 0.000001 to 10. What was set before stays until it is.",
  );
  assert.match(refusal({ name: "Epochs", min: "1", max: "1000", whole: true }), /^Epochs must be a whole number from 1 to 1000\./);
});
