// The main job on the CPU: load data, train, draw, see why, save, come back, load.

import assert from "node:assert/strict";
import { test } from "node:test";

import { drawAndSeeWhy, saveAndLoad, testAccuracy, train } from "./main-job.js";
import { browserForTests, losses, mean, reached, says, settled, text, useDigits, withoutMnist } from "./support.js";

const { open } = browserForTests();

test("a few digits are learnt; drawings are answered rightly, explained, and alike after saving and loading", async (t) => {
  const page = await open(t, { path: "?device=cpu" });
  await useDigits(page, { trainCount: 640, testCount: 200 });
  const { losses, before, after } = await train(page, { epochs: 4, "batch-size": 64 });
  t.diagnostic(`accuracy ${before} → ${after}, loss ${losses[0].toFixed(2)} → ${losses[losses.length - 1].toFixed(2)}`);
  assert.equal(losses.length, 40);
  assert.ok(mean(losses.slice(-10)) < 0.5 * losses[0]);
  assert.ok(before < 0.3 && after > 0.7);
  await drawAndSeeWhy(page, [1, 0, 7, 3]);
  await saveAndLoad(page, 7);
});

test("MNIST is loaded, shown and counted; twenty steps on it teach a lot", { skip: withoutMnist }, async (t) => {
  const page = await open(t, { path: "?device=cpu" });
  await settled(page);
  assert.equal(await text(page, "data-source"), "MNIST: 60,000 images to learn from, 10,000 to test with.");
  await says(page, "explore-statistics", /60,000 images; mean 0\.1307, deviation 0\.3081/);
  assert.equal(await page.locator("#explore-grid .thumb").count(), 40);
  assert.equal(await page.locator("#class-means figure").count(), 10);
  await page.locator("#train-start").click();
  await reached(page, 20);
  await page.locator("#train-pause").click();
  await says(page, "train-status", /^Paused at step \d+ of 3,750/);
  const all = await losses(page);
  assert.ok(mean(all.slice(-3)) < 0.7 * all[0]);
  const accuracy = await testAccuracy(page, 180_000);
  t.diagnostic(`${all.length} steps: ${accuracy}`);
  assert.ok(accuracy > 0.4);
});
