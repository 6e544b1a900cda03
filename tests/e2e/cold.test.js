// The first visit: how long until the first answer, and how many bytes before it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { answering, browserForTests, draw, text } from "./support.js";

const { open } = browserForTests();
const LIMIT_MS = 5000; // on a busy machine; the README has what a quiet one takes
const LIMIT_BYTES = 5_000_000; // of these bundles, which are not wasm-opt's; dist's are smaller

test("the first prediction comes soon after a cold navigation, and few bytes come before it", async (t) => {
  /** @type {import("playwright-core").Request[]} */
  const fetched = [];
  const page = await open(t, {
    prepare: async (page) => {
      page.on("requestfinished", (request) => fetched.push(request));
      await page.addInitScript(() => new MutationObserver(() => {
        if (document.documentElement?.dataset.ready) Object.assign(window, { readyMs: /** @type {any} */ (window).readyMs ?? performance.now() });
      }).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready"] }));
    },
  });
  await answering(page);
  const [readyMs, startedMs] = await page.evaluate(() => [/** @type {any} */ (window).readyMs, performance.timeOrigin]);
  const before = fetched
    .filter((request) => /^http/.test(request.url()) && request.timing().startTime < startedMs + readyMs)
    .map((request) => new URL(request.url()).pathname.replace(/\/$/, "/index.html"))
    .map((path) => ({ path, body: readFileSync(new URL(`../../www${path}`, import.meta.url)) }));
  const bytes = before.reduce((sum, { body }) => sum + body.length, 0);
  const packed = before.reduce((sum, { body }) => sum + gzipSync(body).length, 0);
  t.diagnostic(`first prediction ${Math.round(readyMs)} ms after the navigation began; ${before.length} files, ${bytes} bytes, ${packed} gzipped`);
  assert.deepEqual(before.filter(({ path }) => /\/(data|pkg\/gpu)\//.test(path)), [], "data and the GPU's bundle come after it");
  assert.ok(readyMs < LIMIT_MS);
  assert.ok(packed < LIMIT_BYTES);
  assert.equal(before.filter(({ path }) => path.endsWith("cpu/glassbox_bg.wasm")).length, 1, "the bundle is fetched once");
  await draw(page, 3);
  assert.equal(await text(page, "answer"), "3");
});
