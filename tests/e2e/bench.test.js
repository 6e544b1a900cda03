// The engine's benchmark entry, on a page of the same site, and the page that shows it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForTests, text } from "./support.js";

const { open } = browserForTests();

test("the entry trains on a fixed batch, predicts, and need not wait for the device", async (t) => {
  const page = await open(t, { path: "bench/bench.html" });
  const result = await page.evaluate(async () => {
    const { create } = await import(new URL("entry.js", document.baseURI).href);
    let state = 1;
    const random = () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5;
    const uniform = (/** @type {number} */ length, /** @type {number} */ bound) => Float32Array.from({ length }, () => 2 * bound * random());
    const weights = {
      conv1_w: uniform(288, 1 / 3), conv1_b: uniform(32, 1 / 3), conv2_w: uniform(18432, 1 / 17), conv2_b: uniform(64, 1 / 17),
      fc1_w: uniform(1179648, 1 / 96), fc1_b: uniform(128, 1 / 96), fc2_w: uniform(1280, 0.09), fc2_b: uniform(10, 0.09),
    };
    const engine = await create({ device: "cpu", weights, lr: 0.02 });
    const count = 10;
    const images = uniform(count * 784, 2);
    await engine.setBatch(images, Uint8Array.from({ length: count }, (_, i) => i), count);
    const losses = [await engine.step(), await engine.step()];
    const unread = await engine.step(false);
    losses.push(await engine.step());
    const probabilities = await engine.infer(images.slice(0, 784));
    const wrong = await engine.setBatch(images, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 10), count).then(() => null, (/** @type {any} */ error) => error.code);
    const short = await create({ device: "cpu", weights: { ...weights, fc1_w: new Float32Array(3) } }).then(() => null, (/** @type {any} */ error) => error.code);
    engine.dispose();
    return { info: engine.info, losses, unread, probabilities: Array.from(probabilities), wrong, short };
  });
  t.diagnostic(`losses ${result.losses.map((loss) => loss.toFixed(4)).join(" ")}`);
  assert.equal(result.info.device, "cpu");
  assert.ok(Math.abs(result.losses[0] - Math.log(10)) < 0.5);
  assert.ok(result.losses[1] < result.losses[0] && result.losses[2] < result.losses[1]);
  assert.equal(result.unread, undefined);
  assert.equal(result.probabilities.length, 10);
  assert.ok(Math.abs(result.probabilities.reduce((sum, value) => sum + value) - 1) < 1e-5);
  assert.equal(result.short, "weights_shape");
  assert.ok(result.wrong, "a label out of range is refused");
});

test("the benchmark page fills its table", async (t) => {
  const page = await open(t, { path: "bench/bench.html?steps=1&run" });
  await page.locator("#status", { hasText: /^(Done\.|It failed)/ }).waitFor({ timeout: 120_000 });
  assert.equal(await text(page, "status"), "Done.");
  assert.equal(await page.locator("#rows tr").count(), 3);
  assert.match(await text(page, "caption"), /^CPU/);
});
