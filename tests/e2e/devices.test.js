// Where the page trains, and that it says why.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForTests, draw, says, settled, text, useDigits } from "./support.js";

const software = browserForTests();
const without = browserForTests({ webgpu: false });

/** @param {import("playwright-core").Page} page */
async function learnsAndAnswers(page) {
  await useDigits(page, { trainCount: 128, testCount: 20 });
  await page.locator("#train-start").click();
  await says(page, "train-status", /^Done/);
  assert.match(await text(page, "train-accuracy"), /^\d/);
}

test("without WebGPU the page says so, answers drawings and trains on the CPU", async (t) => {
  const page = await without.open(t);
  await settled(page);
  assert.equal(await text(page, "device-chip"), "CPU");
  assert.match(await text(page, "train-device"), /^This browser has (no WebGPU|WebGPU but offers no graphics adapter here), so training runs on the CPU\.$/);
  await draw(page, 7);
  assert.equal(await text(page, "answer"), "7");
  await learnsAndAnswers(page);
});

test("?device=gpu without WebGPU falls back to the CPU, and says why", async (t) => {
  const page = await without.open(t, { path: "?device=gpu", expected: /./ });
  await settled(page);
  assert.equal(await text(page, "device-chip"), "CPU");
  assert.match(await text(page, "train-device"), /^The GPU could not be used, so training runs on the CPU: this browser has (no WebGPU|WebGPU but offers no graphics adapter here)\.$/);
});

test("a software adapter counts as no GPU, and that is said", async (t) => {
  const page = await software.open(t);
  await settled(page);
  assert.equal(await text(page, "device-chip"), "CPU");
  assert.match(await text(page, "train-device"), /software one, slower than training on the CPU directly\. \?device=gpu uses it all the same\.$/);
});

test("?device=cpu is obeyed", async (t) => {
  const page = await software.open(t, { path: "?device=cpu" });
  await settled(page);
  assert.match(await text(page, "train-device"), /asks for the CPU \(\?device=cpu\)/);
});
