// The answer to the drawing: the class, how sure it is, ten probabilities, the time it took.

import { byId, h, say, whenChanged } from "./dom.js";

/** @typedef {import("../store.js").State} State */

/** @param {{onTarget: (target: import("../store.js").Target) => void}} callbacks */
export function createAnswerView({ onTarget }) {
  const answer = byId("answer", HTMLElement);
  const sure = byId("answer-sure", HTMLElement);
  const latency = byId("latency", HTMLElement);
  const list = byId("probabilities", HTMLElement);

  const rows = Array.from({ length: 10 }, (_, i) => {
    const name = h("span", { class: "bar-name" }, String(i));
    const fill = h("span", { class: "bar-fill" });
    const value = h("span", { class: "bar-value" }, "–");
    const ask = h(
      "button",
      { type: "button", class: "bar", "aria-pressed": "false", title: `Which pixels speak for this class?` },
      name,
      h("span", { class: "bar-track" }, fill),
      value,
    );
    const row = h("li", { "data-class": i, "data-probability": 0 }, ask);
    list.append(row);
    return { row, name, fill, value, ask };
  });
  rows.forEach(({ ask }, i) =>
    ask.addEventListener("click", () => onTarget(ask.getAttribute("aria-pressed") === "true" ? "auto" : i)),
  );

  const names = whenChanged((/** @type {string[] | null} */ classNames) => {
    rows.forEach(({ name }, i) => say(name, classNames?.[i] ?? String(i)));
    list.classList.toggle("named", classNames !== null);
  });

  const show = whenChanged(
    (
      /** @type {State["look"]} */ look,
      /** @type {State["answerNames"]} */ classNames,
      /** @type {boolean} */ ready,
    ) => {
      const shown = look && !look.empty ? look : null;
      const predicted = shown?.predicted ?? null;
      say(answer, predicted === null ? "–" : (classNames?.[predicted] ?? String(predicted)));
      answer.classList.toggle("word", predicted !== null && classNames !== null);
      answer.classList.toggle("none", predicted === null);
      const best = shown && predicted !== null ? shown.probabilities[predicted] : 0;
      say(
        sure,
        !shown
          ? ready ? "Waiting for a digit" : "Waking up…"
          : best > 0.95 ? "Quite sure" : best > 0.7 ? "Fairly sure" : best > 0.4 ? "Not sure" : "Guessing",
      );
      say(latency, shown ? `answered in ${shown.elapsedMs < 10 ? shown.elapsedMs.toFixed(1) : Math.round(shown.elapsedMs)} ms` : "");
      rows.forEach(({ row, fill, value }, i) => {
        const probability = shown ? shown.probabilities[i] : 0;
        row.dataset.probability = String(probability);
        row.classList.toggle("best", i === predicted);
        fill.style.transform = `scaleX(${probability})`;
        say(value, shown ? `${(probability * 100).toFixed(1)} %` : "–");
      });
    },
  );

  const target = whenChanged((/** @type {import("../store.js").Target} */ chosen) =>
    rows.forEach(({ ask }, i) => ask.setAttribute("aria-pressed", String(chosen === i))),
  );

  /** @param {State} state */
  return (state) => {
    names(state.answerNames);
    show(state.look, state.answerNames, state.ready);
    target(state.saliency.target);
  };
}
