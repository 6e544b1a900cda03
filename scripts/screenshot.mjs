// Makes the README's picture, docs/screenshot.png, of a page that is served:
//   node scripts/screenshot.mjs http://127.0.0.1:8000/

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const OUT = join(dirname(fileURLToPath(import.meta.url)), "../docs/screenshot.png");
/** A three: two arcs that meet in the middle, as centre, radii and angles from and to in degrees, clockwise from the right. */
const ARCS = [
  { x: 0.49, y: 0.345, rx: 0.155, ry: 0.155, from: -160, to: 95 },
  { x: 0.49, y: 0.665, rx: 0.185, ry: 0.165, from: -85, to: 155 },
];
const POINTS = 40;

const url = process.argv[2];
if (!url) throw new Error("usage: node scripts/screenshot.mjs URL");

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5, colorScheme: "light", reducedMotion: "reduce" });
await page.goto(url);
for (const mark of ["ready", "data"]) await page.locator(`html[data-${mark}]`).waitFor({ state: "attached", timeout: 120_000 });

const pad = await page.locator("#pad").boundingBox();
const stroke = ARCS.flatMap(({ x, y, rx, ry, from, to }) =>
  Array.from({ length: POINTS }, (_, i) => {
    const angle = ((from + ((to - from) * i) / (POINTS - 1)) * Math.PI) / 180;
    return [pad.x + (x + rx * Math.cos(angle)) * pad.width, pad.y + (y + ry * Math.sin(angle)) * pad.height];
  }),
);
await page.mouse.move(...stroke[0]);
await page.mouse.down();
for (const point of stroke.slice(1)) await page.mouse.move(...point);
await page.mouse.up();
await page.mouse.move(5, 5);
for (const close of await page.locator(".notice .close").all()) await close.click();
await page.waitForTimeout(2000); // the last answer comes and is painted
await page.screenshot({ path: OUT });
await browser.close();
