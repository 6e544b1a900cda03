// By keyboard alone, and on a narrow screen.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answered, browserForTests, draw, notice, reached, says, settings, settled, text, useDigits } from "./support.js";

const { open } = browserForTests();

/** Presses a key some times. @param {import("playwright-core").Page} page @param {string} key @param {number} times */
async function press(page, key, times) {
  for (let i = 0; i < times; i++) await page.keyboard.press(key);
}

test("a digit is drawn, undone and cleared by keyboard", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.locator("#pad").focus();
  await page.keyboard.press("Space"); // down
  await press(page, "ArrowDown", 20);
  await page.keyboard.press("Space"); // up
  await answered(page);
  assert.equal(await text(page, "answer"), "1");
  await page.keyboard.press("Control+z");
  await answered(page);
  assert.equal(await text(page, "answer"), "–");
  // A seven: to the right, then slanting down.
  await press(page, "ArrowLeft", 7);
  await press(page, "ArrowUp", 20);
  await page.keyboard.press("Space");
  await press(page, "ArrowRight", 14);
  for (let i = 0; i < 10; i++) {
    await press(page, "ArrowDown", 2);
    await press(page, "ArrowLeft", 1);
  }
  await answered(page);
  assert.equal(await text(page, "answer"), "7");
  await page.keyboard.press("e");
  assert.equal(await page.locator("#pad-eraser").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("Escape");
  await answered(page);
  assert.equal(await text(page, "answer"), "–");
});

test("Tab leads through the page in the order of its steps, to every control", async (t) => {
  const page = await open(t);
  await useDigits(page, { trainCount: 20, testCount: 10 });
  await page.evaluate(() => {
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    window.getSelection()?.removeAllRanges();
  });
  await page.locator("body").press("Tab");
  /** @type {string[]} */
  const order = [];
  for (let i = 0; i < 200; i++) {
    const id = await page.evaluate(() => document.activeElement?.id || document.activeElement?.getAttribute("href") || document.activeElement?.tagName || "");
    if (id === "BODY") break;
    order.push(id);
    await page.keyboard.press("Tab");
  }
  const wanted = ["pad", "pad-clear", "pad-undo", "pad-eraser", "pad-brush", "saliency-opacity", "saliency-mode", "saliency-target",
    "data-load-mnist", "data-load-fashion", "data-load-synthetic", "data-files", "explore-split", "explore-class",
    "preset", "learning-rate", "epochs", "batch-size", "train-start", "test-run", "inspect-random", "save-weights", "load-weights"];
  assert.deepEqual(order.filter((id) => wanted.includes(id)), wanted);
  assert.equal(order[0], "#draw", "first comes the way past the header");
});

test("a focused control is seen to be focused", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.locator("#pad-clear").focus();
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const { name, shown } = await page.evaluate(() => {
      const element = /** @type {HTMLElement} */ (document.activeElement);
      // A file picker is hidden behind its label, which is outlined in its place.
      const seen = element.classList.contains("visually-hidden") ? /** @type {HTMLElement} */ (document.querySelector(`label[for="${element.id}"]`)) : element;
      const { outlineStyle, boxShadow } = getComputedStyle(seen);
      return { name: element.id || element.outerHTML.slice(0, 80), shown: outlineStyle !== "none" || boxShadow !== "none" };
    });
    assert.ok(shown, name);
  }
});

test("on a narrow screen nothing has to be scrolled sideways, whatever is shown", async (t) => {
  const page = await open(t, { as: { viewport: { width: 390, height: 844 }, hasTouch: true } });
  /** @param {string} what */
  const fits = async (what) => {
    const { width, wide } = await page.evaluate(() => ({
      width: document.documentElement.scrollWidth,
      wide: [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll")).map((element) => element.id || element.className).slice(0, 5),
    }));
    assert.ok(width <= 390, `${what}: ${width} wide, by ${wide}`);
  };
  await settled(page);
  await fits("fresh");
  await draw(page, 3);
  await fits("drawn");
  await useDigits(page, { trainCount: 60, testCount: 20 });
  await settings(page, { epochs: 1, "batch-size": 20 });
  await page.locator("#train-start").click();
  await reached(page, 1);
  await fits("training");
  await says(page, "train-status", /^Done/);
  await page.locator("#confusion td button:enabled").first().click();
  await page.locator("#cell-images .thumb").first().waitFor();
  await fits("tested");
  await page.locator("#inspect-random").click();
  await says(page, "inspect-caption", /the network says/);
  await page.locator("details.depth, details.more").evaluateAll((all) => all.forEach((details) => (/** @type {HTMLDetailsElement} */ (details).open = true)));
  await fits("all unfolded");
});

test("a finger draws", async (t) => {
  const page = await open(t, { as: { viewport: { width: 390, height: 844 }, hasTouch: true } });
  await settled(page);
  const box = await page.locator("#pad").boundingBox();
  assert.ok(box);
  const client = await page.context().newCDPSession(page);
  const touch = (/** @type {string} */ type, /** @type {number[][]} */ points) => client.send("Input.dispatchTouchEvent", { type: /** @type {any} */ (type), touchPoints: points.map(([x, y]) => ({ x: box.x + x * box.width, y: box.y + y * box.height })) });
  const scrolled = await page.evaluate(() => scrollY);
  await touch("touchStart", [[0.5, 0.2]]);
  for (let y = 0.25; y < 0.8; y += 0.05) await touch("touchMove", [[0.5, y]]);
  await touch("touchEnd", []);
  await answered(page);
  assert.equal(await text(page, "answer"), "1");
  assert.equal(await page.evaluate(() => scrollY), scrolled, "the page stays where it is");
});

test("on a phone what the network sees is on the screen beside the pad", async (t) => {
  const page = await open(t, { as: { viewport: { width: 390, height: 664 }, hasTouch: true } });
  await settled(page);
  await draw(page, 3);
  await page.locator("#pad-frame").evaluate((pad) => scrollBy(0, pad.getBoundingClientRect().top - 64));
  for (const id of ["pad-frame", "net-input", "answer"]) {
    const box = await page.locator(`#${id}`).boundingBox();
    assert.ok(box && box.y >= 0 && box.y + box.height <= 664, `${id}: ${JSON.stringify(box)}`);
  }
});

for (const viewport of [{ width: 390, height: 664 }, { width: 1280, height: 640 }]) {
  test(`a notice never lies over the pad, on a window of ${viewport.width} × ${viewport.height}`, async (t) => {
    const page = await open(t, { as: { viewport }, prepare: (page) => page.route("**/data/mnist/**", (route) => route.fulfill({ status: 404 })), expected: /Failed to load resource/ });
    await settled(page);
    await notice(page, "synthetic_data");
    for (let y = 0; y <= 400; y += 40) {
      await page.evaluate((y) => scrollTo(0, y), y);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      const covered = await page.evaluate(() => {
        const pad = /** @type {HTMLElement} */ (document.getElementById("pad-frame")).getBoundingClientRect();
        return [...document.querySelectorAll(".notice")].some((notice) => {
          const box = notice.getBoundingClientRect();
          return box.width > 0 && box.left < pad.right && box.right > pad.left && box.top < pad.bottom && box.bottom > pad.top;
        });
      });
      assert.ok(!covered, `scrolled by ${y}`);
    }
  });
}
