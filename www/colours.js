// Colours for numbers. Every map here rises (or falls) evenly in perceived lightness and keeps its order for people
// who are colour-blind: lightness alone tells how much, hue only tells which sign.
//
//   absolute   black → purple → orange → yellow. Inferno, by Smith and van der Walt (CC0), 33 samples of it.
//   signed     blue ← black → orange. Both arms have the same OKLab lightness at the same distance from zero.
//   light/dark white → blue and near-black → blue, for table cells on a light and on a dark page (OKLab, even steps).

/** @typedef {"absolute" | "signed" | "light" | "dark"} MapName */

/** @param {string} hex six-digit colours separated by blanks */
const table = (hex) => hex.split(" ").map((colour) => [0, 2, 4].map((i) => parseInt(colour.slice(i, i + 2), 16)));

/** @type {Record<MapName, number[][]>} */
const TABLES = {
  absolute: table(
    "000004 040312 0b0724 150b37 210c4a 2f0a5b 3d0965 4a0c6b 57106e 64156e 71196e 7d1e6d 8a226a 972766 a32c61 b0315b " +
      "bc3754 c73e4c d24644 db503b e45a31 eb6628 f1731d f68013 f98e09 fb9d07 fcac11 fbbc21 f9cb35 f5db4c f2ea69 f3f68a fcffa4",
  ),
  signed: table(
    "8ecbff 6cbdff 42aeff 059ff8 0390e1 0281cb 0172b5 0164a0 02578a 014976 003c63 01304f 01243d 00182c 000d1b 00050c " +
      "000000 090300 170800 251100 351a00 452400 552e01 673800 794301 8b4f02 9e5a02 b26603 c67101 da7d01 ee8a02 fd9a2e ffb169",
  ),
  light: table(
    "f8fafd e8f0f9 d9e6f4 c9dcef bad1ea abc7e5 9cbde0 8db3db 7ea9d5 6f9fd0 6095ca 508ac5 4080bf 2e76ba 176cb4 0162aa 02589a",
  ),
  dark: table(
    "1b2025 1f2830 22303c 263848 2a4154 2e4a61 31536e 355c7c 386589 3b6e97 3f77a5 4281b3 458bc2 4995d1 4c9ee0 4fa8ef 52b3fe",
  ),
};

/**
 * The colour of a value, linear between the table's entries.
 * @param {MapName} name
 * @param {number} value 0..1; for "signed" −1..1. Values outside are clamped, NaN is taken as 0.
 * @returns {[number, number, number]} red, green, blue, 0..255, whole numbers
 */
export function colour(name, value) {
  const stops = TABLES[name];
  const number = Number.isFinite(value) ? value : 0;
  const t = Math.min(1, Math.max(0, name === "signed" ? (number + 1) / 2 : number)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(t));
  const part = t - at;
  const [low, high] = [stops[at], stops[at + 1]];
  /** @param {number} c */
  const mix = (c) => Math.round(low[c] + (high[c] - low[c]) * part);
  return [mix(0), mix(1), mix(2)];
}

/** @param {readonly number[]} rgb */
export const css = (rgb) => `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]})`;

/**
 * WCAG's relative luminance.
 * @param {readonly number[]} rgb 0..255
 */
export function luminance(rgb) {
  const [r, g, b] = rgb.map((x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/**
 * WCAG's contrast ratio of two colours, 1..21.
 * @param {readonly number[]} a
 * @param {readonly number[]} b
 */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/**
 * Black or white, whichever reads better on the colour: never under 4.5 to 1.
 * @param {readonly number[]} rgb
 */
export const readableOn = (rgb) => (contrast(rgb, [0, 0, 0]) >= contrast(rgb, [255, 255, 255]) ? "#000" : "#fff");

/**
 * An attribution scaled for colouring: divided by its largest magnitude; for "absolute", the magnitudes.
 * All zero stays all zero.
 * @param {ArrayLike<number>} values
 * @param {"absolute" | "signed"} mode
 * @returns {Float32Array}
 */
export function scaled(values, mode) {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]) || 0);
  return Float32Array.from(values, (v) => (largest ? (mode === "absolute" ? Math.abs(v) : v) / largest : 0));
}

/**
 * A greyscale image with its saliency laid over it, as RGBA.
 * @param {ArrayLike<number>} image 0..255
 * @param {ArrayLike<number> | null} saliency any scale; null: the image alone
 * @param {"absolute" | "signed"} mode
 * @param {number} opacity 0..1: at 1 only the map is seen, in the legend's colours
 * @returns {Uint8ClampedArray<ArrayBuffer>}
 */
export function overlay(image, saliency, mode, opacity) {
  const rgba = new Uint8ClampedArray(image.length * 4);
  const map = saliency ? scaled(saliency, mode) : null;
  for (let i = 0; i < image.length; i++) {
    const tint = map ? colour(mode, map[i]) : null;
    for (let c = 0; c < 3; c++) {
      rgba[4 * i + c] = tint ? image[i] * (1 - opacity) + tint[c] * opacity : image[i];
    }
    rgba[4 * i + 3] = 255;
  }
  return rgba;
}
