// Step 4: the test's result, the confusion matrix, the metrics of each class, and the images of a cell.

import { colour, css, readableOn } from "../colours.js";
import { f32 } from "../protocol.js";
import { button, byId, h, isDark, onTheme, say, thumbnail, whenChanged } from "./dom.js";
import { count, loss, percent } from "./format.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../store.js").Report} Report */

/**
 * @param {{
 *   onTest: () => void,
 *   onCell: (truth: number, predicted: number) => void,
 *   onInspect: (sample: {image: Uint8Array, label: number, index: number, split: import("../store.js").Split}) => void,
 * }} callbacks
 */
export function createTestView({ onTest, onCell, onInspect }) {
  const run = button("test-run");
  const accuracy = byId("test-accuracy", HTMLElement);
  const empty = byId("test-empty", HTMLElement);
  const result = byId("test-result", HTMLElement);
  const confusion = byId("confusion", HTMLTableElement);
  const metrics = byId("class-metrics", HTMLTableElement);
  const images = byId("cell-images", HTMLElement);
  run.addEventListener("click", onTest);
  confusion.addEventListener("click", (event) => {
    const cell = event.target instanceof Element ? event.target.closest("td") : null;
    if (cell?.dataset.truth) onCell(Number(cell.dataset.truth), Number(cell.dataset.predicted));
  });

  const table = whenChanged((/** @type {Report | null} */ report, /** @type {string[]} */ names, /** @type {boolean} */ dark) => {
    if (!report) return;
    const worst = Math.max(1, ...report.confusion.filter((_, i) => i % 11 !== 0));
    confusion.classList.toggle("named", names.some((name) => name.length > 2));
    confusion.replaceChildren(
      h("caption", {}, `${report.split === "test" ? "Test" : "Training"} images by truth (rows) and answer (columns)`),
      h(
        "thead",
        {},
        h("tr", {}, h("th", { scope: "col", class: "corner" }, h("span", {}, "truth ↓ answer →")), ...names.map((n) => h("th", { scope: "col" }, n))),
      ),
      h(
        "tbody",
        {},
        ...names.map((name, truth) => {
          const row = report.confusion.slice(truth * 10, truth * 10 + 10);
          const sum = row.reduce((a, b) => a + b, 0) || 1;
          return h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            ...row.map((n, predicted) => {
              const choose = h(
                "button",
                { type: "button", "aria-label": `${count(n)} images of ${name} taken for ${names[predicted]}`, disabled: n === 0 },
                n === 0 ? "·" : String(n),
              );
              const cell = h("td", { "data-truth": truth, "data-predicted": predicted }, choose);
              // The diagonal is shaded by the share that is right, mistakes by the most frequent mistake:
              // else one in a thousand could not be seen beside a thousand.
              const value = truth === predicted ? 0.55 + 0.45 * (n / sum) : 0.6 * Math.sqrt(n / worst);
              const shade = colour(dark ? "dark" : "light", n === 0 ? 0 : value);
              cell.style.backgroundColor = css(shade);
              cell.style.color = readableOn(shade);
              if (n === 0) cell.classList.add("zero");
              return cell;
            }),
          );
        }),
      ),
    );
    metrics.replaceChildren(
      h("caption", {}, `Macro F1: ${report.macroF1.toFixed(4)}`),
      h(
        "thead",
        {},
        h("tr", {}, ...["Class", "Precision", "Recall", "F1", "Images"].map((t, i) => h("th", { scope: "col", class: i ? "number-cell" : "" }, t))),
      ),
      h(
        "tbody",
        {},
        ...report.classes.map((m, i) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, names[i]),
            ...[percent(m.precision, 2), percent(m.recall, 2), percent(m.f1, 2), count(m.support)].map((t) =>
              h("td", { class: "number-cell" }, t),
            ),
          ),
        ),
      ),
    );
  });
  /** @type {State | null} */
  let last = null;
  onTheme(() => last && render(last));

  const chosen = whenChanged((/** @type {State["cellChoice"]} */ choice, /** @type {Report | null} */ _report, /** @type {boolean} */ _dark) => {
    for (const cell of confusion.querySelectorAll("td")) {
      const on = choice !== null && Number(cell.dataset.truth) === choice.truth && Number(cell.dataset.predicted) === choice.predicted;
      cell.classList.toggle("chosen", on);
    }
  });

  const cellImages = whenChanged((/** @type {State["cell"]} */ cell, /** @type {State["report"]} */ report, /** @type {string[]} */ names) => {
    if (!cell) {
      images.replaceChildren();
      return;
    }
    const probabilities = f32(cell.probabilities);
    const right = cell.truth === cell.predicted;
    images.classList.toggle("named", names.some((name) => name.length > 2));
    const shown = cell.indices.length;
    images.replaceChildren(
      h(
        "p",
        { class: "small" },
        `${count(cell.total)} ${cell.total === 1 ? "image" : "images"} of ${names[cell.truth]} ` +
          (right ? "recognised" : `taken for ${names[cell.predicted]}`) +
          (shown < cell.total ? `; here are ${shown}, with how sure it was:` : ", with how sure it was:"),
      ),
      h(
        "div",
        { class: "thumbs big" },
        ...cell.indices.map((index, i) => {
          const image = cell.pixels.slice(i * 784, (i + 1) * 784);
          const sure = probabilities[i * 10 + cell.predicted];
          const truth = probabilities[i * 10 + cell.truth];
          const choose = h(
            "button",
            { type: "button", class: "thumb", "aria-label": `Number ${index}: ${names[cell.predicted]} with ${percent(sure)}` },
            thumbnail(image),
            h("span", { class: "pair" }, h("b", {}, names[cell.predicted]), h("span", {}, percent(sure, 0))),
            right ? "" : h("span", { class: "pair quiet" }, h("b", {}, names[cell.truth]), h("span", {}, percent(truth, 0))),
          );
          choose.addEventListener("click", () =>
            onInspect({ image, label: cell.truth, index, split: report?.split ?? "test" }),
          );
          return choose;
        }),
      ),
    );
  });

  /** @param {State} state */
  function render(state) {
    last = state;
    const { report, dataset, training, testing, progress } = state;
    const names = dataset?.classNames ?? DIGITS;
    run.disabled = !dataset || !state.device?.trainer || training || testing;
    say(run, testing ? "Testing…" : "Test on the test set");
    const after = report && (report.step > 0 ? `after ${count(report.step)} steps` : "before the first step");
    say(
      accuracy,
      testing && progress
        ? progress.evaluateTotal ? `${count(progress.evaluated)} of ${count(progress.evaluateTotal)} images` : ""
        : report
          ? `${percent(report.accuracy, 2)} right of ${count(report.count)}, loss ${loss(report.loss)}, ${after}`
          : "",
    );
    empty.hidden = report !== null;
    result.hidden = report === null;
    table(report, names, isDark());
    chosen(state.cellChoice, report, isDark());
    cellImages(state.cell, report, names);
  }
  return render;
}

const DIGITS = Array.from({ length: 10 }, (_, i) => String(i));
