// The main job, on whatever device: train, draw, see why, save, come back, load.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { answering, coloured, downloaded, draw, losses, pixels, probabilities, says, settings, text, until } from "./support.js";

/** Tests the weights of the moment. @param {import("playwright-core").Page} page @param {number} patienceMs */
export async function testAccuracy(page, patienceMs) {
  const before = await text(page, "test-accuracy");
  await page.locator("#test-run").click();
  const result = await until(async () => {
    const now = await text(page, "test-accuracy");
    return now !== before && /right of/.test(now) && now;
  }, "the test has a result", patienceMs);
  return Number(result.match(/^([\d.]+) %/)?.[1]) / 100;
}

/**
 * Trains with some settings on the data at hand. Answers the losses, and the accuracy before and after.
 * @param {import("playwright-core").Page} page
 * @param {Record<string, string | number>} fields
 * @param {number} [patienceMs]
 */
export async function train(page, fields, patienceMs = 120_000) {
  await settings(page, fields);
  const before = await testAccuracy(page, patienceMs);
  await page.locator("#train-start").click();
  const said = await says(page, "train-status", /^Done/, patienceMs);
  return { losses: await losses(page), before, after: Number(said.match(/gets ([\d.]+) %/)?.[1]) / 100 };
}

/**
 * Draws digits, which are answered rightly, and looks at the last one's saliency.
 * @param {import("playwright-core").Page} page
 * @param {number[]} digits
 */
export async function drawAndSeeWhy(page, digits) {
  for (const digit of digits) {
    await draw(page, digit);
    assert.equal(await text(page, "answer"), String(digit));
  }
  const last = digits[digits.length - 1];
  assert.equal(await page.locator("#probabilities li.best").getAttribute("data-class"), String(last));
  const own = await pixels(page, "net-input");
  assert.ok(coloured(own) > 20, "the overlay has colours");
  const other = String((last + 1) % 10);
  await page.locator("#saliency-target").selectOption(other);
  await until(async () => (await page.locator("#net-input").getAttribute("aria-label"))?.endsWith(`matter for ${other} coloured`), "the other class is explained");
  assert.notDeepEqual(await pixels(page, "net-input"), own);
  await page.locator("#saliency-mode").selectOption("signed");
  assert.ok(await until(async () => coloured(await pixels(page, "net-input")), "the signed overlay has colours"));
  await page.locator("#saliency-opacity").fill("0");
  await until(async () => coloured(await pixels(page, "net-input")) === 0, "without opacity the image is grey");
}

/**
 * Saves the weights, comes back to the page, loads them, and draws the same: the answer is the same.
 * @param {import("playwright-core").Page} page
 * @param {number} digit
 */
export async function saveAndLoad(page, digit) {
  await draw(page, digit);
  const before = await probabilities(page);
  const { name, path } = await downloaded(page, "save-weights");
  assert.equal(name, "glassbox-weights.safetensors");
  await page.reload();
  await answering(page);
  await draw(page, digit);
  const shipped = await probabilities(page);
  assert.ok(shipped.some((value, i) => Math.abs(value - before[i]) > 1e-4), "the page's own weights answer otherwise");
  await page.locator("#load-weights").setInputFiles({ name, mimeType: "application/octet-stream", buffer: readFileSync(path) });
  await says(page, "weights-status", /^Loaded 1,199,882 parameters/);
  await draw(page, digit);
  const after = await probabilities(page);
  before.forEach((value, i) => assert.ok(Math.abs(value - after[i]) < 1e-5, `class ${i}: ${value} was saved, ${after[i]} loaded`));
}
