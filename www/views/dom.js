// Small helpers for the views: typed lookups, elements, and work that is skipped when nothing changed.

/**
 * The element with an id, of the type that is expected there.
 * @template {Element} T
 * @param {string} id
 * @param {new (...args: any[]) => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} with the id “${id}”.`);
  return element;
}

/** @param {string} id */
export const button = (id) => byId(id, HTMLButtonElement);

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null>} [attributes] null or false: left out
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * Sets the text only where it differs, so that screen readers hear changes and selections survive.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Runs `work` when one of the values is not what it was the last time.
 * @template {unknown[]} T
 * @param {(...values: T) => void} work
 * @returns {(...values: T) => void}
 */
export function whenChanged(work) {
  /** @type {T | null} */
  let last = null;
  return (...values) => {
    if (last && values.every((value, i) => Object.is(value, /** @type {T} */ (last)[i]))) return;
    last = values;
    work(...values);
  };
}

/**
 * Puts RGBA pixels on a canvas of their size.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8ClampedArray<ArrayBuffer>} rgba
 */
export function paint(canvas, rgba) {
  canvas.getContext("2d")?.putImageData(new ImageData(rgba, canvas.width), 0, 0);
}

/**
 * A greyscale 28×28 image on a canvas of its own.
 * @param {ArrayLike<number>} image 0..255
 */
export function thumbnail(image) {
  const canvas = h("canvas", { width: 28, height: 28, "aria-hidden": "true" });
  const rgba = new Uint8ClampedArray(28 * 28 * 4);
  for (let i = 0; i < 28 * 28; i++) {
    rgba[4 * i] = rgba[4 * i + 1] = rgba[4 * i + 2] = image[i];
    rgba[4 * i + 3] = 255;
  }
  paint(canvas, rgba);
  return canvas;
}

/**
 * Hands bytes to the visitor as a file.
 * @param {Uint8Array} bytes
 * @param {string} name
 */
export function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)], { type: "application/octet-stream" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const darkQuery = typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : null;

/** Whether the page is shown dark. */
export const isDark = () => darkQuery?.matches ?? false;

/** @param {() => void} listener called when the page goes dark or light */
export const onTheme = (listener) => darkQuery?.addEventListener("change", listener);
