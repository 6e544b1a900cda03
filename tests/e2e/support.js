// What the end-to-end tests share: the site served, a browser, a page whose faults are collected,
// and hands that draw, train and wait.
//
// Waiting is by polling the page from outside: its Content-Security-Policy forbids the eval that
// Playwright's waitForFunction needs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SITE = join(root, "www");
const POLL_MS = 50;
/** Everything on a busy machine of two cores fits into this; what takes longer says so. */
const PATIENCE_MS = 120_000;
/** A button that cannot be pressed for this long is covered or disabled. */
const ACTION_MS = 30_000;

/** WebGPU on the processor; the same flags as webdriver.json's. */
const FLAGS = JSON.parse(readFileSync(join(root, "webdriver.json"), "utf8"))["goog:chromeOptions"].args;
/** The same browser without WebGPU. */
const FLAGS_WITHOUT_WEBGPU = [...FLAGS.filter((flag) => !/webgpu|Vulkan/.test(flag)), "--disable-features=WebGPU"];

const MNIST = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"].map((name) => `data/mnist/${name}-ubyte.gz`);
/** Why a test that needs MNIST is skipped; false where it is there. */
export const withoutMnist = MNIST.every((file) => existsSync(join(SITE, file))) ? false : "www/data/mnist is not there: ./build.sh data";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** Serves www/ as `build.sh serve` does. */
async function startSite() {
  for (const bundle of ["cpu", "gpu"]) assert.ok(existsSync(join(SITE, `pkg/${bundle}/glassbox.js`)), `the ${bundle} bundle is not built: ./build.sh build`);
  const url = `http://127.0.0.1:${await freePort()}/`;
  const args = [join(root, "node_modules/http-server/bin/http-server"), SITE, "-a", "127.0.0.1", "-p", new URL(url).port, "-c-1", "-g", "-b", "-d", "false", "-s"];
  const server = spawn(process.execPath, ["--no-deprecation", ...args], { stdio: "inherit" });
  for (let tries = 0; ; tries++) {
    if (await fetch(url).then((response) => response.ok, () => false)) break;
    assert.ok(server.exitCode === null && tries < 200, "the server did not start");
    await wait(POLL_MS);
  }
  return { url, close: () => server.kill() };
}

/**
 * Serves the site and starts a browser for the tests of a file, and ends both after them.
 * @param {{webgpu?: boolean}} [options]
 */
export function browserForTests({ webgpu = true } = {}) {
  /** @type {Awaited<ReturnType<typeof startSite>>} */
  let site;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    site = await startSite();
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: webgpu ? FLAGS : FLAGS_WITHOUT_WEBGPU });
  });
  after(async () => {
    await browser?.close();
    site?.close();
  });

  /**
   * A visitor with empty storage, gone when the test ends.
   * @param {import("node:test").TestContext} t
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  async function visitor(t, options) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(ACTION_MS);
    t.after(() => context.close());
    return context;
  }

  /**
   * Opens the page for a visitor. When the test ends, anything that the page complained of fails it.
   * @param {import("node:test").TestContext} t
   * @param {object} [options]
   * @param {string} [options.path]
   * @param {import("playwright-core").BrowserContext} [options.context]
   * @param {import("playwright-core").BrowserContextOptions} [options.as]
   * @param {(page: import("playwright-core").Page) => Promise<unknown>} [options.prepare]  Before the page is opened.
   * @param {RegExp} [options.expected]  Complaints that belong to the test.
   */
  async function open(t, { path = "", context, as, prepare, expected } = {}) {
    const page = await (context ?? (await visitor(t, as))).newPage();
    const complaints = complaintsOf(page, site.url);
    await page.addInitScript(watchWorkers);
    await prepare?.(page);
    await page.goto(site.url + path);
    t.after(() => assert.deepEqual(complaints.filter((complaint) => !expected?.test(complaint)), []));
    return page;
  }
  return { open, visitor, url: () => site.url };
}

/**
 * Collects what a page must never do: errors, violations of its policy, requests to other sites.
 * @param {import("playwright-core").Page} page
 * @param {string} url
 */
function complaintsOf(page, url) {
  /** @type {string[]} */
  const complaints = [];
  page.on("console", (message) => {
    const from = message.location().url;
    if (withoutMnist && from.startsWith(`${url}data/mnist/`)) return; // it is said to be missing
    if (message.type() === "error" || /Content Security Policy/i.test(message.text())) complaints.push(`console: ${message.text()} (${from})`);
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) complaints.push(`request: ${request.url()}`);
  });
  return complaints;
}

/**
 * Runs in the page before its scripts: keeps the workers by their role, the drawings that are not yet
 * answered, and all events, answered or posted.
 */
function watchWorkers() {
  const seen = { workers: /** @type {Record<string, Worker>} */ ({}), looks: new Set(), events: /** @type {any[]} */ ([]), listeners: /** @type {Function[]} */ ([]) };
  /** An event without its bulk. @param {any} event */
  const light = (event) => Object.fromEntries(Object.entries(event).filter(([, value]) => !(value instanceof Uint8Array)));
  Object.assign(window, { seen });
  window.Worker = class extends Worker {
    /** @param {ConstructorParameters<typeof Worker>} args */
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        seen.looks.delete(data.id);
        seen.events.push(...(data.events ?? (data.event ? [data.event] : [])).map(light));
        for (const listener of seen.listeners) listener("answer", data);
      });
    }
    /** @param {any} message @param {any} [transfer] */
    postMessage(message, transfer) {
      if (message.type === "start") seen.workers[message.role] = this;
      if (message.command?.type === "look") seen.looks.add(message.id);
      for (const listener of seen.listeners) listener("request", message);
      super.postMessage(message, transfer);
    }
  };
}

/**
 * Polls until something is so, and gives it.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {string} what
 * @param {number} [patienceMs]
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(ask, what, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `in ${patienceMs / 1000} s it never came to be that ${what}`);
    await wait(POLL_MS);
  }
}

/** Waits until a mark of the page is set. @param {import("playwright-core").Page} page @param {string} mark @param {number} [timeout] */
const marked = (page, mark, timeout = PATIENCE_MS) => page.locator(`html[data-${mark}]`).waitFor({ state: "attached", timeout });

/** Waits until drawings are answered. @param {import("playwright-core").Page} page */
export const answering = (page) => marked(page, "ready");

/** Waits until there is a trainer and data. @param {import("playwright-core").Page} page @param {number} [patienceMs] */
export async function settled(page, patienceMs) {
  await marked(page, "trainer", patienceMs);
  await marked(page, "data");
}

/** @param {import("playwright-core").Page} page @param {string} id */
export const text = (page, id) => page.locator(`#${id}`).innerText();

/** Waits until an element says something. @param {import("playwright-core").Page} page @param {string} id @param {RegExp} pattern */
export async function says(page, id, pattern, patienceMs = PATIENCE_MS) {
  await page.locator(`#${id}`).filter({ hasText: pattern }).waitFor({ timeout: patienceMs });
  return text(page, id);
}

/** Waits for a notice. @param {import("playwright-core").Page} page @param {string} code */
export async function notice(page, code) {
  const shown = page.locator(`.notice[data-code="${code}"] p`).first();
  await shown.waitFor();
  return shown.innerText();
}

// ---- Drawing ----

/** Digits as strokes, in parts of the pad's side. @type {Record<number, [number, number][][]>} */
export const STROKES = {
  0: [ring(0.5, 0.5, 0.17, 0.28)],
  1: [[[0.5, 0.18], [0.5, 0.82]]],
  3: [[[0.33, 0.24], [0.46, 0.18], [0.6, 0.22], [0.63, 0.33], [0.57, 0.43], [0.46, 0.48], [0.6, 0.53], [0.67, 0.64], [0.61, 0.76], [0.48, 0.82], [0.33, 0.76]]],
  7: [[[0.3, 0.22], [0.7, 0.22], [0.45, 0.82]]],
};

/** A closed oval. @param {number} x @param {number} y @param {number} a @param {number} b @returns {[number, number][]} */
function ring(x, y, a, b) {
  return Array.from({ length: 17 }, (_, i) => [x + a * Math.sin((i / 8) * Math.PI), y - b * Math.cos((i / 8) * Math.PI)]);
}

/** Where a point of the pad is on the screen. @param {import("playwright-core").Page} page */
export async function padBox(page) {
  const pad = page.locator("#pad");
  // At its top nothing that sticks to the window lies over the pad.
  await page.evaluate(() => scrollTo(0, 0));
  await pad.scrollIntoViewIfNeeded();
  const box = /** @type {{x: number, y: number, width: number, height: number}} */ (await pad.boundingBox());
  return (/** @type {[number, number]} */ [x, y]) => /** @type {[number, number]} */ ([box.x + x * box.width, box.y + y * box.height]);
}

/**
 * Draws a digit on the cleared pad with the pointer, and waits for the answer to the whole of it.
 * @param {import("playwright-core").Page} page
 * @param {number} digit
 */
export async function draw(page, digit) {
  await page.locator("#pad-clear").click();
  const at = await padBox(page);
  for (const stroke of STROKES[digit]) {
    await page.mouse.move(...at(stroke[0]));
    await page.mouse.down();
    for (const point of stroke.slice(1)) await page.mouse.move(...at(point), { steps: 3 });
    await page.mouse.up();
  }
  await answered(page);
}

/** Waits until every drawing so far is answered and the answer is painted. @param {import("playwright-core").Page} page */
export function answered(page) {
  return page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const { looks } = /** @type {any} */ (window).seen;
    await frame(); // the ink is read, and asked about
    await frame();
    while (looks.size) await new Promise((resolve) => setTimeout(resolve, 10));
    await frame(); // the answer is painted
    await frame();
  });
}

/** The ten probabilities shown. @param {import("playwright-core").Page} page */
export const probabilities = (page) =>
  page.locator("#probabilities li").evaluateAll((items) => items.map((item) => Number(/** @type {HTMLElement} */ (item).dataset.probability)));

/** The pixels of a canvas. @param {import("playwright-core").Page} page @param {string} id @returns {Promise<number[]>} */
export const pixels = (page, id) =>
  page.locator(`#${id}`).evaluate((canvas) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
    return [.../** @type {CanvasRenderingContext2D} */ (/** @type {HTMLCanvasElement} */ (canvas).getContext("2d")).getImageData(0, 0, width, height).data];
  });

/** How many pixels of RGBA bytes are coloured, not grey. @param {number[]} rgba */
export function coloured(rgba) {
  let count = 0;
  for (let i = 0; i < rgba.length; i += 4) if (Math.max(rgba[i], rgba[i + 1], rgba[i + 2]) - Math.min(rgba[i], rgba[i + 1], rgba[i + 2]) > 24) count++;
  return count;
}

// ---- Data and training ----

/** An IDX file of unsigned bytes. @param {number[]} dimensions @param {Uint8Array} bytes */
export function idx(dimensions, bytes) {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt32BE(0x0800 + dimensions.length);
  dimensions.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([header, bytes]);
}

/** Files for a file picker. @param {Record<string, Buffer>} buffers */
const filesOf = (buffers) => Object.entries(buffers).map(([name, buffer]) => ({ name, mimeType: "application/octet-stream", buffer }));

/**
 * A few of the crate's own digits, as the four files of a dataset.
 * @param {import("playwright-core").Page} page
 * @param {{trainCount: number, testCount: number, seed?: number}} counts
 */
export async function digitFiles(page, { trainCount, testCount, seed = 1 }) {
  const splits = await page.evaluate(
    async ({ trainCount, testCount, seed }) => {
      const { Engine } = await import(new URL("engine.js", document.baseURI).href);
      const engine = new Engine({ role: "bench", device: "cpu" });
      await engine.start();
      await engine.execute({ type: "loadSynthetic", trainCount, testCount, seed });
      const splits = [];
      for (const [split, count] of [["train", trainCount], ["test", testCount]]) {
        const [{ pixels, labels }] = await engine.execute({ type: "samples", split, class: null, offset: 0, count });
        splits.push({ pixels: Array.from(pixels), labels, count });
      }
      engine.dispose();
      return splits;
    },
    { trainCount, testCount, seed },
  );
  return filesOf(
    Object.fromEntries(
      splits.flatMap(({ pixels, labels, count }, i) => [
        [`${["train", "t10k"][i]}-images-idx3-ubyte`, idx([count, 28, 28], Uint8Array.from(pixels))],
        [`${["train", "t10k"][i]}-labels-idx1-ubyte`, idx([count], Uint8Array.from(labels))],
      ]),
    ),
  );
}

/** Gives the page a few of the crate's own digits as the visitor's files. @param {import("playwright-core").Page} page @param {{trainCount: number, testCount: number, seed?: number}} counts */
export async function useDigits(page, counts) {
  await settled(page);
  await page.locator("#data-files").setInputFiles(await digitFiles(page, counts));
  await page.locator('#data-source[data-id="own"]').waitFor();
  // The run on it is set up after it is shown.
  await until(async () => (await events(page, "run")).some(({ trainCount, validationCount }) => trainCount + validationCount === counts.trainCount), "there is a run on the files");
}

/** Sets fields of the training form. @param {import("playwright-core").Page} page @param {Record<string, string | number>} fields by id */
export async function settings(page, fields) {
  const more = page.locator("#train-form details");
  if (!(await more.getAttribute("open"))) await more.evaluate((details) => (/** @type {HTMLDetailsElement} */ (details).open = true));
  for (const [id, value] of Object.entries(fields)) {
    const field = page.locator(`#${id}`);
    if ((await field.evaluate((element) => element.tagName)) === "SELECT") await field.selectOption(String(value));
    else {
      await field.fill(String(value));
      await field.press("Tab");
    }
  }
}

/** The events of a type so far. @param {import("playwright-core").Page} page @param {string} type @returns {Promise<any[]>} */
export const events = (page, type) => page.evaluate((type) => /** @type {any} */ (window).seen.events.filter((/** @type {any} */ event) => event.type === type), type);

/** Losses so far, one a step. @param {import("playwright-core").Page} page @returns {Promise<number[]>} */
export const losses = async (page) => (await events(page, "progress")).flatMap((progress) => progress.losses);

/** Waits until training has done so many steps. @param {import("playwright-core").Page} page @param {number} step @param {number} [patienceMs] */
export const reached = (page, step, patienceMs) =>
  until(async () => page.evaluate((step) => /** @type {any} */ (window).seen.events.some((/** @type {any} */ event) => event.type === "progress" && event.step >= step), step), `step ${step} is done`, patienceMs);

/** Presses a button and saves the file that comes. @param {import("playwright-core").Page} page @param {string} id */
export async function downloaded(page, id) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`#${id}`).click()]);
  return { name: download.suggestedFilename(), path: await download.path() };
}

/** @param {number[]} values */
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * From here on measures, for each move of the pointer with ink, how long it takes until an answer to
 * it is painted. Answers a function that gives the times so far, in ms.
 *
 * A question that leaves the page after the frame that follows a move holds that move: the newest
 * ink takes the place of what waits.
 * @param {import("playwright-core").Page} page
 */
export async function measureAnswers(page) {
  await page.evaluate(() => {
    const { seen } = /** @type {any} */ (window);
    /** @type {{moved: number, id: number | null}[]} */
    let open = [];
    seen.waits = [];
    document.addEventListener("pointermove", (event) => {
      if (event.buttons && /** @type {Element} */ (event.target).id === "pad") requestAnimationFrame(() => open.push({ moved: event.timeStamp, id: null }));
    }, true);
    seen.listeners.push((/** @type {string} */ what, /** @type {any} */ { id, command }) => {
      if (what === "request" && command?.type === "look") for (const move of open) move.id ??= id;
      if (what !== "answer" || !open.some((move) => move.id === id)) return;
      const answered = open.filter((move) => move.id === id);
      open = open.filter((move) => move.id !== id);
      requestAnimationFrame(() => setTimeout(() => seen.waits.push(...answered.map(({ moved }) => performance.now() - moved))));
    });
  });
  return () => /** @type {Promise<number[]>} */ (page.evaluate(() => /** @type {any} */ (window).seen.waits));
}

/** The middle one. @param {number[]} values */
export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
