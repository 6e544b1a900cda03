// The page's state: what each event makes of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MOST_POINTS, PRESETS, configIsNew, createStore, initialState, newLearningRate, presetOf, reduce, runGoesOn, runIsLive, upToStep,
  withLosses,
} from "../../www/store.js";

const dataset = {
  id: "mnist", title: "MNIST", classNames: [..."0123456789"], mean: 0.1307, std: 0.3081, trainCount: 60_000, testCount: 10_000,
};
const run = {
  config: PRESETS.quick, model: { name: "lecture", parameters: 1_199_882, layers: [] },
  stepsPerEpoch: 10, totalSteps: 30, epoch: 0, step: 0, trainCount: 640, validationCount: 0,
};
const progress = (/** @type {number} */ step, /** @type {number[]} */ losses, /** @type {object} */ more = {}) => ({
  type: /** @type {const} */ ("progress"),
  progress: {
    phase: /** @type {const} */ ("train"), epoch: 1, epochs: 3, step, totalSteps: 30, stepsPerEpoch: 10, losses,
    runningLoss: losses.at(-1) ?? null, learningRate: 0.001, imagesPerSecond: 100, elapsedMs: 10, remainingMs: 20,
    evaluated: 0, evaluateTotal: 0, ...more,
  },
});
const epochEnd = (/** @type {number} */ epoch) => ({
  type: /** @type {const} */ ("epochEnd"), epoch, step: epoch * 10, trainLoss: 0.2, validationLoss: null,
  validationAccuracy: null, testLoss: 0.1, testAccuracy: 0.97, elapsedMs: 1000,
});
const look = (/** @type {number} */ predicted) => ({
  empty: false, image: new Uint8Array(784), logits: Array(10).fill(0), probabilities: Array(10).fill(0.1), predicted,
  target: predicted, saliency: null, elapsedMs: 5,
});
/** @param {import("../../www/store.js").Action[]} actions */
const after = (...actions) => actions.reduce(reduce, initialState());

/** @param {any} value */
const freeze = (value) => {
  if (value && typeof value === "object" && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
};

test("the reducer changes neither the state nor the action", () => {
  let state = freeze(initialState());
  const actions = [
    { type: "dataset", dataset }, { type: "run", run }, { type: "training", running: true }, progress(2, [2.3, 2.2]),
    epochEnd(1), { type: "notice", level: "info", code: "a", message: "b" }, { type: "config", change: { epochs: 5 } },
    { type: "finished" },
  ];
  for (const action of actions) state = freeze(reduce(state, freeze(/** @type {any} */ (action))));
  assert.equal(state.finished, true);
});

test("an unknown action leaves the very same state", () => {
  const state = initialState();
  assert.equal(reduce(state, /** @type {any} */ ({ type: "no such thing" })), state);
});

test("an answer that comes after the pad was cleared is dropped", () => {
  const drawn = after({ type: "ink", drawn: true }, { type: "look", look: look(3) });
  assert.equal(drawn.look?.predicted, 3);
  const cleared = reduce(drawn, { type: "ink", drawn: false });
  assert.equal(cleared.look, null);
  assert.equal(reduce(cleared, { type: "look", look: look(7) }).look, null);
});

test("a preset fills the settings, and a changed setting makes it custom until it is set back", () => {
  const lecture = after({ type: "preset", preset: "lecture" });
  assert.deepEqual([lecture.config.optimizer, lecture.config.batchSize, lecture.config.epochs], ["sgd", 10, 2]);
  assert.deepEqual([lecture.config.schedule, lecture.config.augment], ["constant", "none"], "the lecture's learning rate and images stay");
  const custom = reduce(lecture, { type: "config", change: { batchSize: 20 } });
  assert.equal(custom.preset, "custom");
  assert.equal(reduce(custom, { type: "config", change: { batchSize: 10 } }).preset, "lecture");
  assert.equal(reduce(lecture, { type: "config", change: { seed: 9 } }).preset, "lecture");
  assert.equal(reduce(reduce(lecture, { type: "config", change: { seed: 9 } }), { type: "preset", preset: "quick" }).config.seed, 9);
  assert.equal(presetOf(PRESETS.quick), "quick");
  assert.equal(initialState().config.schedule, "cosine", "what the page starts with falls to 0");
  for (const change of [{ schedule: /** @type {const} */ ("constant") }, { augment: /** @type {const} */ ("none") }]) {
    assert.equal(presetOf({ ...PRESETS.quick, ...change }), "custom");
  }
});

test("losses are kept with their steps", () => {
  const state = after({ type: "dataset", dataset }, { type: "run", run }, progress(3, [3, 2, 1]), progress(5, [1, 1]));
  assert.deepEqual(state.history.steps, [1, 2, 3, 4, 5]);
  assert.deepEqual(state.history.losses, [3, 2, 1, 1, 1]);
});

test("a long history is merged in pairs: bounded, in order, of the same mean", () => {
  let history = initialState().history;
  const total = MOST_POINTS * 3 + 7;
  for (let step = 0; step < total; step += 50) {
    const losses = Array.from({ length: Math.min(50, total - step) }, (_, i) => ((step + i) % 2 ? 1 : 3));
    history = withLosses(history, losses, step + losses.length);
  }
  assert.ok(history.steps.length < MOST_POINTS);
  assert.equal(history.bin, 4);
  assert.ok(history.steps.every((step, i) => i === 0 || step === history.steps[i - 1] + 4));
  assert.ok(history.losses.every((loss) => loss === 2));
  assert.equal(history.steps.at(-1), Math.floor(total / 4) * 4);
});

test("a run restored from a checkpoint keeps the curve up to its step; a new run starts an empty one", () => {
  const trained = after(
    { type: "dataset", dataset }, { type: "run", run }, progress(10, Array(10).fill(2)), epochEnd(1), progress(15, Array(5).fill(1)),
  );
  const again = reduce(trained, { type: "dataset", dataset });
  const restored = reduce(again, { type: "run", run: { ...run, step: 12, epoch: 1 } });
  assert.equal(restored.history.steps.at(-1), 12);
  assert.equal(restored.epochs.length, 1);
  assert.deepEqual(reduce(restored, progress(14, [1, 1])).history.steps.slice(-3), [12, 13, 14]);
  const fresh = reduce(restored, { type: "run", run });
  assert.equal(fresh.history.steps.length, 0);
  assert.equal(fresh.epochs.length, 0);
  assert.equal(reduce(trained, { type: "dataset", dataset: { ...dataset, id: "own" } }).history.steps.length, 0);
});

test("cutting at a later step changes nothing", () => {
  const { history } = after({ type: "run", run }, progress(3, [3, 2, 1]));
  assert.equal(upToStep(history, 3), history);
  assert.deepEqual(upToStep(history, 2).steps, [1, 2]);
});

test("a run is live from its first step until it is finished, stopped or has diverged", () => {
  const begun = after({ type: "dataset", dataset }, { type: "run", run });
  assert.equal(runIsLive(begun), false);
  const going = reduce(reduce(begun, { type: "training", running: true }), progress(1, [2]));
  assert.equal(runIsLive(going), true);
  const paused = reduce(going, { type: "training", running: false, reason: "paused" });
  assert.equal(runIsLive(paused), true);
  assert.equal(runIsLive(reduce(paused, { type: "training", running: false, reason: "stopped" })), false);
  assert.equal(runIsLive(reduce(going, { type: "finished" })), false);
  assert.equal(runIsLive(reduce(going, { type: "diverged", step: 2, message: "" })), false);
});

test("only the learning rate may differ from the run's settings without a new run", () => {
  const begun = after({ type: "dataset", dataset }, { type: "run", run });
  assert.equal(configIsNew(begun), false);
  assert.equal(configIsNew(reduce(begun, { type: "config", change: { learningRate: 0.01 } })), false);
  assert.equal(configIsNew(reduce(begun, { type: "config", change: { epochs: 7 } })), true);
  assert.equal(configIsNew(reduce(begun, { type: "config", change: { schedule: "constant" } })), true);
  assert.equal(configIsNew(reduce(begun, { type: "config", change: { augment: "none" } })), true);
  assert.equal(configIsNew(initialState()), true);
});

test("a run leaves the form as the visitor set it, even while the run was set up", () => {
  const loaded = after({ type: "dataset", dataset }, { type: "config", change: { batchSize: 20, learningRate: 0.01 } });
  const begun = reduce(loaded, { type: "run", run });
  assert.deepEqual([begun.config.batchSize, begun.config.learningRate, begun.preset], [20, 0.01, "custom"]);
  assert.equal(configIsNew(begun), true, "so that Train sets up another run");
});

test("a new learning rate is for a run that goes on, and for no other", () => {
  const begun = after({ type: "dataset", dataset }, { type: "run", run });
  assert.equal(newLearningRate(begun), null);
  const changed = reduce(begun, { type: "config", change: { learningRate: 0.01 } });
  assert.equal(newLearningRate(changed), 0.01);
  assert.equal(newLearningRate(reduce(changed, { type: "run", run: { ...run, config: changed.config } })), null, "it has it now");
  assert.equal(newLearningRate(reduce(changed, { type: "config", change: { epochs: 7 } })), null, "another run is to be set up");
  assert.equal(newLearningRate(reduce(initialState(), { type: "config", change: { learningRate: 0.01 } })), null);
  for (const end of [
    { type: "finished" }, { type: "diverged", step: 5, message: "no" }, { type: "training", running: false, reason: "stopped" },
  ]) {
    const over = reduce(changed, /** @type {any} */ (end));
    assert.deepEqual([runGoesOn(over), newLearningRate(over)], [false, null], end.type);
  }
});

test("a diverged run stays so, whatever is set, until the next one begins", () => {
  const dead = after({ type: "dataset", dataset }, { type: "run", run }, progress(5, [9]), { type: "diverged", step: 5, message: "no" });
  const advised = reduce(dead, { type: "config", change: { learningRate: 0.01 } });
  assert.equal(advised.diverged?.message, "no");
  assert.equal(runIsLive(advised), false);
  assert.equal(reduce(advised, { type: "run", run }).diverged, null);
});

test("a run that comes back brings its epochs with it", () => {
  const back = after({ type: "dataset", dataset }, { type: "run", run: { ...run, step: 25, epoch: 2 } }, epochEnd(1), epochEnd(2));
  assert.deepEqual(back.epochs.map(({ epoch }) => epoch), [1, 2]);
  const again = [{ type: /** @type {const} */ ("run"), run: { ...run, step: 25, epoch: 2 } }, epochEnd(1), epochEnd(2)].reduce(reduce, back);
  assert.deepEqual(again.epochs, back.epochs);
});

test("weights that were refused are told as such until the next word of them", () => {
  const refused = after({ type: "weights", status: "w was not loaded.", refused: true });
  assert.deepEqual([refused.weightsRefused, refused.weightsTaken], [true, 0]);
  assert.equal(reduce(refused, { type: "weights", status: "Saved." }).weightsRefused, false);
});

test("new data drops what was known of the old; a failed load keeps it", () => {
  const report = {
    split: /** @type {const} */ ("test"), epoch: 1, step: 10, count: 1, loss: 0, accuracy: 1, macroF1: 1,
    confusion: Array(100).fill(0), classes: [],
  };
  const had = after({ type: "dataset", dataset }, { type: "report", report }, { type: "loading", what: "your files" });
  const failed = reduce(had, { type: "dataError", code: "idx_magic", message: "no", retry: null });
  assert.equal(failed.dataset, dataset);
  assert.equal(failed.report, report);
  assert.equal(failed.loading, null);
  assert.equal(reduce(failed, { type: "loading", what: "mnist" }).dataError, null);
  assert.equal(reduce(failed, { type: "loading", what: null }).dataError?.code, "idx_magic");
  assert.equal(reduce(failed, { type: "dataset", dataset: { ...dataset } }).report, null);
});

test("the images of a cell that is no longer the chosen one are dropped", () => {
  const cell = { truth: 1, predicted: 7, total: 0, indices: [], pixels: new Uint8Array(), probabilities: new Uint8Array() };
  const chosen = after({ type: "chooseCell", truth: 4, predicted: 9 });
  assert.equal(reduce(chosen, { type: "cell", cell }).cell, null);
  assert.equal(reduce(chosen, { type: "cell", cell: { ...cell, truth: 4, predicted: 9 } }).cell?.truth, 4);
});

test("the same notice is not stacked, three are shown at most, and each can be dismissed", () => {
  const say = (/** @type {string} */ message) =>
    /** @type {const} */ ({ type: "notice", level: "info", code: "c", message });
  const state = after(say("a"), say("a"), say("b"), say("c"), say("d"));
  assert.deepEqual(state.notices.map((n) => n.message), ["b", "c", "d"]);
  assert.deepEqual(reduce(state, { type: "dismiss", key: state.notices[1].key }).notices.map((n) => n.message), ["b", "d"]);
});

test("MNIST is missing from the notice that says so until it is there", () => {
  const missing = after({ type: "notice", level: "info", code: "synthetic_data", message: "" });
  assert.equal(missing.mnistMissing, true);
  assert.equal(reduce(missing, { type: "dataset", dataset: { ...dataset, id: "synthetic" } }).mnistMissing, true);
  assert.equal(reduce(missing, { type: "dataset", dataset }).mnistMissing, false);
});

test("classes are named once weights trained on named classes answer, and no sooner", () => {
  const classNames = Array.from({ length: 10 }, (_, i) => `kind ${i}`);
  const before = after({ type: "dataset", dataset: { ...dataset, id: "fashion-mnist", classNames } }, { type: "run", run }, progress(1, [2]));
  assert.equal(before.answerNames, null);
  const taken = reduce(before, { type: "weights", status: "", taken: { classNames } });
  assert.equal(taken.answerNames?.[3], "kind 3");
  assert.equal(taken.weightsTaken, before.weightsTaken + 1);
  const saved = reduce(taken, { type: "weights", status: "Saved." });
  assert.deepEqual([saved.answerNames, saved.weightsTaken, saved.weights], [taken.answerNames, taken.weightsTaken, "Saved."]);
  assert.equal(reduce(saved, { type: "weights", status: "", taken: { classNames: [..."0123456789"] } }).answerNames, null);
});

test("a new report keeps the chosen cell and the images shown until theirs come; none clears both", () => {
  const report = {
    split: /** @type {const} */ ("test"), epoch: 1, step: 10, count: 1, loss: 0, accuracy: 1, macroF1: 1,
    confusion: Array(100).fill(0), classes: [],
  };
  const cell = { truth: 4, predicted: 9, total: 0, indices: [], pixels: new Uint8Array(), probabilities: new Uint8Array() };
  const had = after({ type: "report", report }, { type: "chooseCell", truth: 4, predicted: 9 }, { type: "cell", cell });
  const again = reduce(had, { type: "report", report: { ...report, epoch: 2 } });
  assert.deepEqual([again.report?.epoch, again.cellChoice, again.cell], [2, { truth: 4, predicted: 9 }, cell]);
  const none = reduce(again, { type: "report", report: null });
  assert.deepEqual([none.report, none.cellChoice, none.cell], [null, null, null]);
});

test("a test that was asked for is over with its report, or with the run that replaces it", () => {
  const report = {
    split: /** @type {const} */ ("test"), epoch: 0, step: 0, count: 1, loss: 0, accuracy: 1, macroF1: 1,
    confusion: Array(100).fill(0), classes: [],
  };
  const testing = after({ type: "testing", running: true });
  assert.equal(testing.testing, true);
  assert.equal(reduce(testing, { type: "report", report }).testing, false);
  assert.equal(reduce(testing, { type: "testing", running: false }).testing, false);
  assert.equal(reduce(testing, { type: "dataset", dataset }).testing, false);
});

test("losses that are not finite do not enter the curve", () => {
  const state = after({ type: "dataset", dataset }, { type: "run", run }, progress(3, [3, 2, 1]), progress(3, [1e9, NaN]));
  assert.deepEqual(state.history.losses, [3, 2, 1]);
});

test("the store tells its subscribers of changes only, and stops when asked", () => {
  const store = createStore(reduce, initialState());
  let told = 0;
  const stop = store.subscribe(() => told++);
  store.dispatch({ type: "ready" });
  store.dispatch(/** @type {any} */ ({ type: "no such thing" }));
  stop();
  store.dispatch({ type: "finished" });
  assert.equal(told, 1);
  assert.equal(store.getState().finished, true);
});
