// The main job on WebGPU, here a software adapter: the shaders and each step take seconds. So it is tiny.

import assert from "node:assert/strict";
import { test } from "node:test";

import { saveAndLoad, train } from "./main-job.js";
import { answering, browserForTests, draw, measureAnswers, median, says, settled, text, useDigits } from "./support.js";

const { open } = browserForTests();
const MINUTES_MS = 60_000;

test("the forced GPU passes its check, learns, and never keeps drawings waiting", { timeout: 15 * MINUTES_MS }, async (t) => {
  const page = await open(t, { path: "?device=gpu" });
  await answering(page);
  await settled(page, 10 * MINUTES_MS);
  assert.match(await text(page, "device-chip"), /^GPU/);
  await page.locator("#device summary").click();
  assert.match(await text(page, "device-why"), /on your GPU \(.+\) by WebGPU, whose results were checked against the CPU’s/);
  await useDigits(page, { trainCount: 60, testCount: 20 });

  const waits = await measureAnswers(page);
  const training = train(page, { "batch-size": 10, epochs: 1 }, 10 * MINUTES_MS);
  let over = false;
  void training.finally(() => (over = true)).catch(() => {});
  await says(page, "train-status", /^Warming up: compiling shaders for your GPU/, 5 * MINUTES_MS);
  while (!over) await draw(page, 3); // while the shaders are compiled, and while it trains
  const { losses, after } = await training;
  const times = await waits();
  t.diagnostic(`losses ${losses.map((loss) => loss.toFixed(3)).join(" ")}; accuracy ${after}; answers: median ${median(times).toFixed(0)} ms of ${times.length}`);
  assert.equal(losses.length, 6);
  assert.ok(losses.every(Number.isFinite));
  assert.ok(Math.abs(losses[0] - Math.log(10)) < 0.3, "fresh weights guess");
  assert.ok(Number.isFinite(after));
  assert.ok(median(times) < 500);
  await saveAndLoad(page, 7);
});
