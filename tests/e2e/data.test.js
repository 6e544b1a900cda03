// Data that does not come, or is not what it should be.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { browserForTests, digitFiles, draw, idx, notice, reached, says, settled, text, until, useDigits, withoutMnist } from "./support.js";

const { open } = browserForTests();
const IMAGES = "t10k-images-idx3-ubyte.gz";
const REFUSED = /Failed to load resource/;

/** Answers a file of MNIST in the site's place. @param {import("playwright-core").Page} page @param {(route: import("playwright-core").Route) => unknown} answer */
const breakFile = (page, answer) => page.route(`**/data/mnist/${IMAGES}`, answer);
const whole = () => readFileSync(new URL(`../../www/data/mnist/${IMAGES}`, import.meta.url));
/** @param {Buffer} body */
const instead = (body) => (/** @type {import("playwright-core").Route} */ route) => route.fulfill({ body, contentType: "application/gzip" });

test("without MNIST on the site the page says so and trains on its own digits; no other site is asked", async (t) => {
  const page = await open(t, { expected: REFUSED, prepare: (page) => page.route("**/data/mnist/**", (route) => route.fulfill({ status: 404 })) });
  await settled(page);
  assert.match(await notice(page, "synthetic_data"), /MNIST is not on this site \(.*404.*\).*digits that it draws itself/);
  assert.equal(await text(page, "data-source"), "Synthetic digits made by Glassbox (MNIST could not be found): 20,000 images to learn from, 2,000 to test with.");
  await draw(page, 3);
  assert.equal(await text(page, "answer"), "3");
  await page.locator("#train-start").click();
  await reached(page, 3);
  await page.locator("#train-stop").click();
  await says(page, "train-status", /^Stopped at step/);
});

const broken = /** @type {[string, (route: import("playwright-core").Route) => unknown, RegExp][]} */ ([
  ["answers 404", (route) => route.fulfill({ status: 404 }), /answered 404/],
  ["breaks off", (route) => route.abort("connectionreset"), /could not be fetched/],
  ["is cut short", (route) => instead(whole().subarray(0, -1000))(route), /has 1647877 bytes; 1648877 are expected/],
  ["has a wrong byte", (route) => instead(flipped())(route), /damaged or another file: its SHA-256 is \w+…, expected \w+…/],
  ["is a web page", (route) => route.fulfill({ body: "<!doctype html>", contentType: "text/html" }), /a web page in its place/],
]);

function flipped() {
  const bytes = whole();
  bytes[bytes.length >> 1] ^= 1;
  return bytes;
}

for (const [what, answer, message] of broken) {
  test(`a data file that ${what}: a clear message, what was there stays, a retry works`, { skip: withoutMnist }, async (t) => {
    const page = await open(t, {
      expected: /Failed to load resource|request: https:/,
      prepare: async (page) => {
        await page.route(/^https:/, (route) => route.fulfill({ status: 503 })); // the mirrors
        await breakFile(page, answer);
      },
    });
    await settled(page);
    assert.equal(await page.locator("html").getAttribute("data-data"), "synthetic");
    assert.match(await notice(page, "synthetic_data"), message);
    await page.locator("#data-load-mnist").click();
    await page.locator("#data-error-box").waitFor();
    const said = await text(page, "data-error");
    t.diagnostic(said);
    assert.match(said, message, "the site's own cause comes first");
    for (const mirror of ["ossci-datasets.s3.amazonaws.com", "storage.googleapis.com"]) assert.ok(said.includes(`${mirror} (the server answered 503`), mirror);
    assert.match(said, /What was here before stays: Synthetic digits/);
    await page.unroute(`**/data/mnist/${IMAGES}`);
    await page.locator("#data-retry").click();
    await page.locator('#data-source[data-id="mnist"]').waitFor();
    assert.ok(await page.locator("#data-error-box").isHidden());
  });
}

test("a second visit has MNIST without a network", { skip: withoutMnist }, async (t) => {
  const page = await open(t, { expected: REFUSED });
  await page.locator('#data-source[data-id="mnist"]').waitFor();
  await page.route("**/data/**", (route) => route.abort());
  await page.reload();
  await page.locator('#data-source[data-id="mnist"]').waitFor();
});

test("loading can be cancelled", { skip: withoutMnist }, async (t) => {
  const page = await open(t);
  await settled(page);
  /** @type {() => void} */
  let go = () => {};
  const gate = new Promise((resolve) => (go = () => resolve(undefined)));
  await page.route("**/data/fashion-mnist/**", async (route) => {
    await gate;
    await route.abort().catch(() => {});
  });
  await page.locator("#data-load-fashion").click();
  await says(page, "data-progress-text", /^Loading Fashion-MNIST: 0\.0 MB of 30\.9 MB/);
  await page.locator("#data-cancel").click();
  await page.locator("#data-loading").waitFor({ state: "hidden" });
  assert.match(await text(page, "data-source"), /^MNIST/);
  assert.ok(await page.locator("#data-error-box").isHidden());
  go();
});

test("own files that are wrong are refused with the numbers, and the data stays", async (t) => {
  const page = await open(t);
  await useDigits(page, { trainCount: 20, testCount: 10 });
  const source = await text(page, "data-source");
  const good = Object.fromEntries((await digitFiles(page, { trainCount: 20, testCount: 10 })).map(({ name, buffer }) => [name, buffer]));
  const [trainImages, trainLabels, testImages, testLabels] = Object.keys(good);
  const change = (/** @type {string} */ name, /** @type {Buffer} */ buffer) => ({ ...good, [name]: buffer });
  const labelOf11 = Buffer.from(good[trainLabels]);
  labelOf11[8 + 3] = 11;
  const magic = Buffer.from(good[trainImages]);
  magic[2] = 9;
  for (const [what, files, message] of /** @type {[string, Record<string, Buffer>, RegExp][]} */ ([
    ["truncated", change(trainImages, good[trainImages].subarray(0, -5)), /15691|15696/],
    ["oversized", change(trainImages, Buffer.concat([good[trainImages], Buffer.alloc(3)])), /15699|15696/],
    ["wrong magic", change(trainImages, magic), /0x0*903|00 00 09 03|2307/],
    ["wrong size of images", change(trainImages, idx([20, 20, 20], new Uint8Array(8000))), /20/],
    ["label out of range", change(trainLabels, labelOf11), /11/],
    ["other number of labels", change(trainLabels, idx([19], new Uint8Array(19))), /20.*19|19.*20/],
    ["labels missing", { [trainImages]: good[trainImages] }, /1 file/],
  ])) {
    await page.locator("#data-files").setInputFiles(Object.entries(files).map(([name, buffer]) => ({ name, mimeType: "", buffer })));
    const said = await until(async () => {
      const shown = (await page.locator("#data-error-box").isVisible()) && (await page.locator("#data-loading").isHidden());
      return shown && (await text(page, "data-error"));
    }, `${what} is refused`);
    t.diagnostic(`${what}: ${said}`);
    assert.match(said, message, what);
    assert.match(said, /What was here before stays: Your own files/, what);
    assert.equal(await text(page, "data-source"), source);
    // Good files are taken, and the message goes.
    await page.locator("#data-files").setInputFiles(await digitFiles(page, { trainCount: 20, testCount: 10 }));
    await page.locator("#data-error-box").waitFor({ state: "hidden" });
  }
});

test("dropped files are taken, gzipped or not", async (t) => {
  const page = await open(t);
  await settled(page);
  const files = (await digitFiles(page, { trainCount: 20, testCount: 10 })).map(({ name, buffer }) => ({ name, bytes: [...buffer] }));
  await page.evaluate(async (files) => {
    const data = new DataTransfer();
    for (const [i, { name, bytes }] of files.entries()) {
      const plain = new Blob([Uint8Array.from(bytes)]);
      data.items.add(new File([i % 2 ? plain : await new Response(plain.stream().pipeThrough(new CompressionStream("gzip"))).blob()], name));
    }
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, files);
  await page.locator('#data-source[data-id="own"]').waitFor();
  assert.equal(await text(page, "data-source"), "Your own files: 20 images to learn from, 10 to test with.");
});
