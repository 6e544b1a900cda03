// What goes wrong while it trains: crashes, full storage, a second tab, divergence; and a change of mind.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForTests, digitFiles, draw, losses, notice, events, probabilities, reached, says, settings, settled, text, until, useDigits } from "./support.js";

const { open, visitor } = browserForTests();
const PANIC = /panicked at|unreachable/;

/** Trains on a few digits for as long as the test wants. @param {import("playwright-core").Page} page @param {Record<string, string | number>} [fields] */
async function training(page, fields = {}) {
  await useDigits(page, { trainCount: 200, testCount: 20 });
  await settings(page, { epochs: 100, "batch-size": 20, ...fields });
  await page.locator("#train-start").click();
  await reached(page, 2);
}

/** Makes the engine of a worker panic. @param {import("playwright-core").Page} page @param {string} role */
const fault = (page, role) =>
  page.evaluate((role) => /** @type {any} */ (window).seen.workers[role].postMessage({ id: 1e9, type: "command", command: { type: "fault" } }), role);

/** What a cosine makes of a learning rate at a step. @param {number} rate @param {{step: number, totalSteps: number}} progress */
const scheduled = (rate, { step, totalSteps }) => (rate * (1 + Math.cos((Math.PI * (step - 1)) / totalSteps))) / 2;

/** Waits for another step. @param {import("playwright-core").Page} page */
async function goesOn(page) {
  const count = (await losses(page)).length;
  await until(async () => (await losses(page)).length > count, "training goes on");
}

test("a panic of the trainer is said, and training goes on from the last checkpoint", async (t) => {
  const page = await open(t, { expected: PANIC });
  await training(page);
  const kept = await until(async () => (await events(page, "checkpoint")).at(-1), "there is a checkpoint");
  await goesOn(page);
  const progress = (await events(page, "progress")).length;
  await fault(page, "trainer");
  assert.match(await notice(page, "trainer_crashed"), /^The training engine stopped: a fault in its own program\. It goes on from its last checkpoint, a few seconds back\.$/);
  const next = await until(async () => (await events(page, "progress")).slice(progress).find((_, i, all) => i > 0 && all[i].step <= all[i - 1].step), "a new engine trains");
  assert.ok(next.step > kept.step, `step ${next.step} comes after the checkpoint's ${kept.step}`);
  await goesOn(page);
  assert.ok(await page.locator("#train-pause").isEnabled());
});

test("a panic of the reader is said, and drawings are answered as before", async (t) => {
  const page = await open(t, { expected: PANIC });
  await settled(page);
  await draw(page, 7);
  const before = await probabilities(page);
  await fault(page, "reader");
  assert.match(await notice(page, "reader_crashed"), /^The engine that answers drawings stopped: a fault in its own program\. A new one was started\.$/);
  await page.locator("#pad-clear").click();
  await draw(page, 7);
  assert.deepEqual(await probabilities(page), before);
});

test("a second tab is told that the run is kept by the first, and trains for itself", async (t) => {
  const context = await visitor(t);
  const first = await open(t, { context });
  await training(first);
  const second = await open(t, { context });
  assert.match(await notice(second, "second_tab"), /^Another tab of this page is training/);
  await useDigits(second, { trainCount: 60, testCount: 10 });
  await settings(second, { epochs: 1, "batch-size": 20 });
  await second.locator("#train-start").click();
  await says(second, "train-status", /^Done/);
  await until(async () => (await second.locator(".notice").allInnerTexts()).some((text) => /this tab trains but is not kept/.test(text)), "the second tab says that it is not kept");
  await first.bringToFront();
  await goesOn(first);
});

const storage = /** @type {[string, string, string, RegExp][]} */ ([
  ["full", 'IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };', "storage_full", /storage is full.*Training goes on/],
  ["shut", 'Object.defineProperty(self, "indexedDB", { value: undefined });', "storage_unavailable", /keeps nothing here.*Training goes on/],
]);
for (const [what, stub, code, message] of storage) {
  test(`storage that is ${what} is said, and training goes on`, async (t) => {
    const page = await open(t, {
      // The worker keeps the run; scripts cannot be put into it, but a module of it can be changed.
      prepare: (page) => page.route("**/checkpoints.js", async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `${await response.text()}\n${stub}` });
      }),
    });
    await training(page);
    assert.match(await notice(page, code), message);
    await goesOn(page);
    assert.equal(await page.locator(`.notice[data-code="${code}"]`).count(), 1);
  });
}

test("a loss that is no number stops the run, is explained, and leaves weights that answer", async (t) => {
  const page = await open(t);
  await useDigits(page, { trainCount: 200, testCount: 20 });
  await settings(page, { optimizer: "sgd", "learning-rate": 10, "batch-size": 20, epochs: 100 });
  await page.locator("#train-start").click();
  const said = await says(page, "train-status", /no longer a finite number/);
  t.diagnostic(said);
  assert.match(said, /learning rate 10\)\. The run has stopped and the last good weights are back\. Try a smaller learning rate\.$/);
  assert.ok(await page.locator("#train-pause").isDisabled());
  await draw(page, 1);
  assert.match(await text(page, "answer"), /^\d$/);
  assert.ok(Math.abs((await probabilities(page)).reduce((sum, value) => sum + value) - 1) < 1e-3);
  // A smaller rate, as was said, does not bring the dead run back: the next one is a new one.
  await settings(page, { "learning-rate": 0.01 });
  assert.match(await text(page, "train-status"), /no longer a finite number/);
  assert.equal(await text(page, "train-start"), "Train");
  await settings(page, { epochs: 1 });
  await page.locator("#train-start").click();
  await says(page, "train-status", /^Done: 1 epoch\./);
});

test("a learning rate of a million leaves finite weights in the engine", async (t) => {
  const page = await open(t);
  await settled(page);
  const { diverged, finite, predicted } = await page.evaluate(async () => {
    const { Engine } = await import(new URL("engine.js", document.baseURI).href);
    const engine = new Engine({ role: "bench", device: "cpu" });
    await engine.start();
    await engine.execute({ type: "loadSynthetic", trainCount: 60, testCount: 10, seed: 1 });
    await engine.execute({ type: "configure", config: { optimizer: "sgd", learningRate: 1e6, momentum: 0.9, batchSize: 10, epochs: 9, seed: 1, validationFraction: 0, dropLast: false } });
    let diverged = null;
    for (let i = 0; i < 60 && !diverged; i++) diverged = (await engine.execute({ type: "advance", budgetMs: 0 })).find((/** @type {any} */ { type }) => type === "diverged");
    const [{ bytes }] = await engine.execute({ type: "exportWeights", half: false });
    const start = 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const finite = new Float32Array(bytes.slice(start).buffer).every(Number.isFinite);
    const [{ predicted }] = await engine.execute({ type: "look", image: new Uint8Array(784).fill(9), target: null, saliency: false });
    engine.dispose();
    return { diverged, finite, predicted };
  });
  assert.match(diverged?.message ?? "", /learning rate 1000000/);
  assert.ok(finite);
  assert.ok(predicted >= 0);
});

test("a change that would end the run asks first; keeping it keeps the run and the setting", async (t) => {
  const page = await open(t);
  await training(page);
  const dialog = page.locator("#confirm[open]");
  for (const [field, value, was] of [["optimizer", "sgd", "adam"], ["schedule", "constant", "cosine"], ["augment", "none", "shift"], ["preset", "lecture", "custom"], ["batch-size", "32", "20"]]) {
    if (field === "batch-size") {
      await page.locator("#batch-size").fill(value);
      await page.locator("#batch-size").press("Enter");
    } else await page.locator(`#${field}`).selectOption(value);
    await dialog.waitFor();
    assert.match(await text(page, "confirm-text"), /ends the run that is under way/);
    await page.locator("#confirm-no").click();
    await dialog.waitFor({ state: "hidden" });
    assert.equal(await page.locator(`#${field}`).inputValue(), was);
    await goesOn(page);
  }
  await page.locator("#data-load-synthetic").click();
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.match(await text(page, "data-source"), /^Your own files/);
  await goesOn(page);

  await page.locator("#optimizer").selectOption("sgd");
  await page.locator("#confirm-yes").click();
  await says(page, "train-status", /^Ready to train/);
  assert.equal(await page.locator("#optimizer").inputValue(), "sgd");
});

test("the learning rate changes while it trains, and does not end the run", async (t) => {
  const page = await open(t);
  await training(page);
  await settings(page, { "learning-rate": 0.0005 });
  // The schedule goes on below the new rate.
  await until(async () => {
    const progress = (await events(page, "progress")).at(-1);
    return progress && Math.abs(progress.learningRate - scheduled(0.0005, progress)) < 1e-9;
  }, "the new learning rate is used");
  assert.ok(await page.locator("#confirm[open]").isHidden());
  await goesOn(page);
});

test("a chosen schedule is trained with: the page's own falls to 0, the lecture's stays", async (t) => {
  const page = await open(t);
  await useDigits(page, { trainCount: 60, testCount: 10 });
  await settings(page, { "batch-size": 10 });
  const run = async () => {
    const before = (await events(page, "progress")).length;
    await page.locator("#train-start").click();
    await until(async () => (await events(page, "progress")).slice(before).at(-1)?.step === 12, "it is trained to the end");
    await says(page, "train-status", /^Done: 2 epochs/);
    return (await events(page, "progress")).slice(before).filter(({ losses }) => losses.length > 0);
  };
  assert.deepEqual([await page.locator("#schedule").inputValue(), await page.locator("#augment").inputValue()], ["cosine", "shift"]);
  const falling = await run();
  assert.ok(falling.length > 1);
  for (const progress of falling) assert.ok(Math.abs(progress.learningRate - scheduled(0.001, progress)) < 1e-9, `step ${progress.step}: ${progress.learningRate}`);
  assert.ok(falling.at(-1).learningRate < 0.0001);
  assert.match(await text(page, "train-detail"), /learning rate 0\.00\d+/);
  await page.locator("#preset").selectOption("lecture");
  await until(async () => (await page.locator("#schedule").inputValue()) === "constant", "the lecture's settings are in the form");
  assert.equal(await page.locator("#augment").inputValue(), "none");
  assert.ok((await run()).every(({ learningRate }) => learningRate === 0.001));
  const ofTrainer = (await events(page, "run")).filter(({ trainCount }) => trainCount === 60);
  assert.deepEqual(ofTrainer.at(-1).config, { optimizer: "sgd", learningRate: 0.001, schedule: "constant", momentum: 0.9, batchSize: 10, epochs: 2, seed: 1, validationFraction: 0, dropLast: false, augment: "none" });
});

test("what cannot be used is not trained with: the form says why, and Train waits", async (t) => {
  const page = await open(t);
  await useDigits(page, { trainCount: 60, testCount: 10 });
  await settings(page, { "learning-rate": 1000000, schedule: "constant", "batch-size": 20 });
  // Another setting puts the form right again; a wrong one that is the last stays and is refused.
  await until(async () => (await page.locator("#learning-rate").inputValue()) === "0.001", "the learning rate is what is used");
  await settings(page, { "learning-rate": 1000000 });
  assert.equal(await says(page, "settings-wrong", /./), "Learning rate must be a number from 0.000001 to 10. What was set before stays until it is.");
  assert.ok(await page.locator("#train-start").isDisabled());
  await page.locator("#learning-rate").fill("0.002");
  assert.ok(await page.locator("#settings-wrong").isHidden());
  await page.locator("#train-start").click();
  await says(page, "train-status", /^Done/);
  assert.equal((await events(page, "progress")).at(-1).learningRate, 0.002);
});

test("what is set while a run is being set up is what is trained with", async (t) => {
  const page = await open(t);
  await settled(page);
  const files = await digitFiles(page, { trainCount: 60, testCount: 10 });
  await page.locator("#data-files").setInputFiles(files);
  await page.locator('#data-source[data-id="own"]').waitFor();
  await settings(page, { "batch-size": 30, epochs: 1, schedule: "constant", "learning-rate": 0.002 });
  await until(async () => (await events(page, "run")).some(({ trainCount }) => trainCount === 60), "there is a run on the files");
  await page.locator("#train-start").click();
  await says(page, "train-status", /^Done/);
  assert.equal(await page.locator("#batch-size").inputValue(), "30");
  const { totalSteps, learningRate } = (await events(page, "progress")).at(-1);
  assert.deepEqual([totalSteps, learningRate], [2, 0.002]);
});

test("a wrong file of weights asks nothing and ends no run, and is told once", async (t) => {
  const page = await open(t);
  await training(page);
  await page.locator("#load-weights").setInputFiles({ name: "page.safetensors", mimeType: "", buffer: Buffer.from("<!doctype html><title>Not found</title>") });
  await says(page, "weights-status", /^page\.safetensors was not loaded: /);
  assert.ok(await page.locator("#confirm[open]").isHidden());
  assert.equal(await page.locator(".notice.error").count(), 0);
  await goesOn(page);
});
