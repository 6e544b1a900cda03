// Step 1, below: samples by split and class, counts, mean and deviation, and the mean image of each class.

import { button, byId, h, say, thumbnail, whenChanged } from "./dom.js";
import { count } from "./format.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../store.js").Samples} Samples */

/** How many samples a page of the grid has. */
export const PAGE = 40;

/**
 * @param {{
 *   onChange: (change: Partial<State["explore"]>) => void,
 *   onInspect: (sample: {image: Uint8Array, label: number, index: number, split: import("../store.js").Split}) => void,
 * }} callbacks
 */
export function createExploreView({ onChange, onInspect }) {
  const box = byId("explore", HTMLElement);
  const grid = byId("explore-grid", HTMLElement);
  const split = byId("explore-split", HTMLSelectElement);
  const ofClass = byId("explore-class", HTMLSelectElement);
  const range = byId("explore-range", HTMLElement);
  const previous = button("explore-previous");
  const next = button("explore-next");
  const facts = byId("explore-statistics", HTMLElement);
  const means = byId("class-means", HTMLElement);
  let offset = 0;

  split.addEventListener("change", () => onChange({ split: split.value === "test" ? "test" : "train", offset: 0 }));
  ofClass.addEventListener("change", () =>
    onChange({ class: ofClass.value === "" ? null : Number(ofClass.value), offset: 0 }),
  );
  previous.addEventListener("click", () => onChange({ offset: Math.max(0, offset - PAGE) }));
  next.addEventListener("click", () => onChange({ offset: offset + PAGE }));

  const classes = whenChanged((/** @type {string[] | undefined} */ names) => {
    ofClass.replaceChildren(
      h("option", { value: "" }, "any"),
      ...(names ?? []).map((name, i) => h("option", { value: i }, name)),
    );
    box.classList.toggle("named", (names ?? []).some((name) => name.length > 2));
  });

  const samples = whenChanged((/** @type {Samples | null} */ shown, /** @type {string[] | undefined} */ names) => {
    if (!shown) {
      grid.replaceChildren();
      return;
    }
    grid.replaceChildren(
      ...shown.indices.map((index, i) => {
        const image = shown.pixels.slice(i * 784, (i + 1) * 784);
        const label = shown.labels[i];
        const name = names?.[label] ?? String(label);
        const choose = h(
          "button",
          { type: "button", class: "thumb", "aria-label": `${name}, number ${index}`, title: `${name} · number ${index}` },
          thumbnail(image),
          h("span", { "aria-hidden": "true" }, name),
        );
        choose.addEventListener("click", () => onInspect({ image, label, index, split: shown.split }));
        return choose;
      }),
    );
  });

  const statistics = whenChanged(
    (/** @type {State["statistics"]} */ shown, /** @type {string[] | undefined} */ names) => {
      if (!shown) {
        means.replaceChildren();
        say(facts, "");
        return;
      }
      say(
        facts,
        `${count(shown.count)} images; mean ${shown.mean.toFixed(4)}, deviation ${shown.std.toFixed(4)} ` +
          "(pixels from 0 to 1). The mean image of each class, and how many there are:",
      );
      means.replaceChildren(
        ...shown.classCounts.map((n, i) =>
          h(
            "figure",
            {},
            thumbnail(shown.classMeans.subarray(i * 784, (i + 1) * 784)),
            h("figcaption", {}, h("b", {}, names?.[i] ?? String(i)), h("span", {}, count(n))),
          ),
        ),
      );
    },
  );

  /** @param {State} state */
  return ({ dataset, explore, samples: shown, statistics: facts }) => {
    box.hidden = dataset === null;
    offset = explore.offset;
    classes(dataset?.classNames);
    split.value = explore.split;
    ofClass.value = explore.class === null ? "" : String(explore.class);
    const total = shown?.total ?? 0;
    say(range, shown && total ? `${count(offset + 1)}–${count(Math.min(total, offset + PAGE))} of ${count(total)}` : "");
    previous.disabled = offset === 0;
    next.disabled = offset + PAGE >= total;
    samples(shown, dataset?.classNames);
    statistics(facts, dataset?.classNames);
  };
}
