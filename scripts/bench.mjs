// Runs the benchmark page in headless Chromium and prints its table.
//
//   node scripts/bench.mjs URL [cpu|gpu] [STEPS]
//
// CHROMIUM names the browser. Its flags are those of the tests: without a GPU, WebGPU is a software one.

import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const TIMEOUT_MS = 3_600_000;

const [url, device = "cpu", steps = "20"] = process.argv.slice(2);
const { args } = JSON.parse(readFileSync("webdriver.json", "utf8"))["goog:chromeOptions"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
try {
  const page = await browser.newPage();
  await page.goto(`${url}bench/bench.html?device=${device}&steps=${steps}&run`);
  // By what the page says: its Content-Security-Policy forbids what waitForFunction does.
  await page.getByText(/^(Done\.|It failed)/).waitFor({ timeout: TIMEOUT_MS });
  const text = (/** @type {string} */ selector) => page.locator(selector).innerText();
  if ((await text("#status")) !== "Done.") throw new Error(await text("#status"));
  console.log(`Chromium ${browser.version()}, ${await text("#caption")}`);
  console.table(await page.evaluate("window.benchmark"));
} finally {
  await browser.close();
}
