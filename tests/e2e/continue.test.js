// A run goes on where it was: after a reload, and to the bit on the CPU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { answering, browserForTests, downloaded, losses, events, reached, says, settings, settled, text, until, useDigits } from "./support.js";

const { open } = browserForTests();

/**
 * Runs six steps on an engine of its own in the page, handed over to a new engine after some of them.
 * @param {import("playwright-core").Page} page
 * @param {"sgd" | "adam"} optimizer
 * @param {number | null} handOver
 */
const sixSteps = (page, optimizer, handOver) =>
  page.evaluate(
    async ({ optimizer, handOver }) => {
      const { Engine } = await import(new URL("engine.js", document.baseURI).href);
      const begin = async () => {
        const engine = new Engine({ role: "bench", device: "cpu" });
        await engine.start();
        await engine.execute({ type: "loadSynthetic", trainCount: 60, testCount: 10, seed: 3 });
        return engine;
      };
      let engine = await begin();
      await engine.execute({ type: "configure", config: { optimizer, learningRate: optimizer === "sgd" ? 0.05 : 0.001, momentum: 0.9, batchSize: 20, epochs: 2, seed: 5, validationFraction: 0, dropLast: false } });
      /** @type {number[]} */
      const losses = [];
      while (losses.length < 6) {
        // As little as it can do: a step.
        for (const event of await engine.execute({ type: "advance", budgetMs: 0 })) if (event.type === "progress") losses.push(...event.losses);
        if (losses.length !== handOver) continue;
        handOver = null;
        const [{ bytes }] = await engine.execute({ type: "exportCheckpoint" });
        engine.dispose();
        engine = await begin();
        await engine.execute({ type: "importCheckpoint", bytes });
      }
      const [{ bytes }] = await engine.execute({ type: "exportWeights", half: false });
      engine.dispose();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return { losses, weights: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") };
    },
    { optimizer, handOver },
  );

for (const optimizer of /** @type {const} */ (["sgd", "adam"])) {
  test(`${optimizer}: the same seed gives the same losses and weights to the bit, in one go or handed over in an epoch or between two`, async (t) => {
    const page = await open(t);
    await answering(page);
    const whole = await sixSteps(page, optimizer, null);
    t.diagnostic(whole.losses.map((loss) => loss.toFixed(4)).join(" "));
    assert.equal(whole.losses.length, 6);
    assert.ok(whole.losses[5] < whole.losses[0]);
    assert.deepEqual(await sixSteps(page, optimizer, null), whole);
    assert.deepEqual(await sixSteps(page, optimizer, 2), whole);
    assert.deepEqual(await sixSteps(page, optimizer, 3), whole);
  });
}

test("after a reload in the middle of training the page offers to go on, and ends with the weights of a run that never stopped", async (t) => {
  // Twice as long as it takes until a checkpoint is kept, on two cores.
  const epochs = 30;
  const steps = epochs * 10;
  const page = await open(t);
  await useDigits(page, { trainCount: 200, testCount: 40 });
  await settings(page, { epochs, "batch-size": 20, seed: 7 });
  await page.locator("#train-start").click();
  await says(page, "train-status", new RegExp(`^Done: ${epochs} epochs`));
  const whole = readFileSync((await downloaded(page, "save-weights")).path);
  const before = await events(page, "checkpoint");

  await page.locator("#train-start").click(); // again
  const kept = await until(async () => (await events(page, "checkpoint")).slice(before.length).find(({ step }) => step > 0), "a checkpoint is kept");
  assert.ok(kept.step < steps, "it is reloaded in the middle");
  await page.reload();
  await page.locator("#continue-offer").waitFor();
  assert.match(await text(page, "continue-text"), new RegExp(`^This browser kept your last run: Your own files, \\d+ of ${steps} steps, today at \\d\\d:\\d\\d\\. Go on from there\\?$`));
  await settled(page);
  await page.locator("#continue-run").click();
  await says(page, "train-status", new RegExp(`^Done: ${epochs} epochs`));
  assert.match(await text(page, "data-source"), /^Your own files: 200 /);
  assert.deepEqual(await page.locator("#epoch-table tbody th").allInnerTexts(), Array.from({ length: epochs }, (_, i) => `${i + 1}`), "the epochs before the reload are there too");
  const rest = await losses(page);
  assert.ok(rest.length > 0 && rest.length <= steps - kept.step, `${rest.length} steps were made after the reload`);
  assert.ok(await page.locator("#continue-offer").isHidden());
  const continued = readFileSync((await downloaded(page, "save-weights")).path);
  assert.ok(whole.equals(continued), "the weights are the same to the bit");
});

test("a paused run is offered after a reload; discarding it is for good", async (t) => {
  const page = await open(t);
  await useDigits(page, { trainCount: 200, testCount: 40 });
  await settings(page, { "batch-size": 20 });
  await page.locator("#train-start").click();
  await reached(page, 2);
  await page.locator("#train-pause").click();
  const step = (await says(page, "train-status", /^Paused at step/)).match(/step (\d+)/)?.[1];
  await page.reload();
  await page.locator("#continue-offer").waitFor();
  assert.match(await text(page, "continue-text"), new RegExp(` ${step} of 20 steps`));
  await page.locator("#continue-discard").click();
  await page.locator("#continue-offer").waitFor({ state: "hidden" });
  await settled(page);
  await page.reload();
  await settled(page);
  assert.ok(await page.locator("#continue-offer").isHidden());
});
