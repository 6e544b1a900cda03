// The colour maps: even in lightness, the same for both signs, readable text on every shade.

import assert from "node:assert/strict";
import { test } from "node:test";
import { colour, contrast, css, luminance, overlay, readableOn, scaled } from "../../www/colours.js";

/** OKLab lightness (Ottosson 2020). @param {readonly number[]} rgb */
function lightness(rgb) {
  const [r, g, b] = rgb.map((x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}
const steps = Array.from({ length: 65 }, (_, i) => i / 64);

test("lightness rises with the value, or falls, all the way", () => {
  for (const [name, sign] of /** @type {const} */ ([["absolute", 1], ["dark", 1], ["light", -1]])) {
    const values = steps.map((t) => lightness(colour(name, t)) * sign);
    for (let i = 1; i < values.length; i++) assert.ok(values[i] >= values[i - 1] - 2e-3, `${name} at ${steps[i]}`);
    assert.ok(values[64] - values[0] > 0.45, name);
  }
});

test("the signed map is black at zero and as light for +x as for −x", () => {
  assert.deepEqual(colour("signed", 0), [0, 0, 0]);
  for (const t of steps) {
    assert.ok(Math.abs(lightness(colour("signed", t)) - lightness(colour("signed", -t))) < 0.02, `at ${t}`);
  }
  const [plus, minus] = [colour("signed", 0.8), colour("signed", -0.8)];
  assert.ok(plus[0] > plus[2] + 80 && minus[2] > minus[0] + 80, "orange is for, blue is against");
});

test("values outside are clamped and NaN is zero", () => {
  assert.deepEqual(colour("absolute", 7), colour("absolute", 1));
  assert.deepEqual(colour("signed", -7), colour("signed", -1));
  assert.deepEqual(colour("signed", NaN), [0, 0, 0]);
});

test("text on every shade of both table maps has a contrast of 4.5 at least", () => {
  for (const name of /** @type {const} */ (["light", "dark"])) {
    for (const t of steps) {
      const shade = colour(name, t);
      const text = readableOn(shade) === "#000" ? [0, 0, 0] : [255, 255, 255];
      assert.ok(contrast(shade, text) >= 4.5, `${name} at ${t}`);
    }
  }
});

test("contrast and luminance are WCAG's", () => {
  assert.equal(contrast([0, 0, 0], [255, 255, 255]), 21);
  assert.ok(Math.abs(contrast([119, 119, 119], [255, 255, 255]) - 4.48) < 0.01);
  assert.ok(Math.abs(luminance([255, 0, 0]) - 0.2126) < 1e-9);
  assert.equal(css([1, 2, 3]), "rgb(1 2 3)");
});

test("an attribution is scaled by its largest magnitude; zeros stay zeros", () => {
  assert.deepEqual([...scaled([-2, 0, 1], "signed")], [-1, 0, 0.5]);
  assert.deepEqual([...scaled([-2, 0, 1], "absolute")], [1, 0, 0.5]);
  assert.deepEqual([...scaled([0, 0], "signed")], [0, 0]);
});

test("the overlay is the image at 0, the legend's colours at 1, and between them halfway", () => {
  const image = [0, 255, 100];
  const saliency = [1, -1, 0];
  assert.deepEqual([...overlay(image, saliency, "signed", 0)], [0, 0, 0, 255, 255, 255, 255, 255, 100, 100, 100, 255]);
  assert.deepEqual([...overlay(image, null, "signed", 1)], [0, 0, 0, 255, 255, 255, 255, 255, 100, 100, 100, 255]);
  const full = overlay(image, saliency, "signed", 1);
  assert.deepEqual([...full.slice(0, 3)], colour("signed", 1));
  assert.deepEqual([...full.slice(4, 7)], colour("signed", -1));
  assert.deepEqual([...overlay(image, saliency, "signed", 0.5).slice(8, 11)], [50, 50, 50]);
});
