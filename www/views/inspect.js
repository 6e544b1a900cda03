// Step 5: one image of the dataset, what the network reacts to in it, and the same question for each class.

import { overlay } from "../colours.js";
import { f32 } from "../protocol.js";
import { button, byId, h, paint, say, whenChanged } from "./dom.js";
import { percent } from "./format.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../store.js").Inspected} Inspected */

/** @param {{onRandom: () => void, onTarget: (target: import("../store.js").Target) => void}} callbacks */
export function createInspectView({ onRandom, onTarget }) {
  const random = button("inspect-random");
  const box = byId("inspect", HTMLElement);
  const main = byId("inspect-image", HTMLCanvasElement);
  const caption = byId("inspect-caption", HTMLElement);
  const classes = byId("inspect-classes", HTMLElement);
  random.addEventListener("click", onRandom);

  const cells = Array.from({ length: 10 }, (_, i) => {
    const canvas = h("canvas", { width: 28, height: 28, "aria-hidden": "true" });
    const name = h("b", {}, String(i));
    const part = h("span", {});
    const ask = h("button", { type: "button", class: "thumb", "aria-pressed": "false" }, canvas, h("span", { class: "pair" }, name, part));
    ask.addEventListener("click", () => onTarget(ask.getAttribute("aria-pressed") === "true" ? "auto" : i));
    classes.append(ask);
    return { canvas, name, part, ask };
  });

  const draw = whenChanged(
    (
      /** @type {Inspected | null} */ inspected,
      /** @type {import("../store.js").Saliency} */ saliency,
      /** @type {string[] | undefined} */ names,
      /** @type {State["answerNames"]} */ answerNames,
    ) => {
      box.hidden = inspected === null;
      if (!inspected) return;
      const { look, image, label, byClass } = inspected;
      // The sample's name is the dataset's; an answer's is that of the data its weights were trained on.
      const name = (/** @type {number} */ i) => answerNames?.[i] ?? String(i);
      const { mode, opacity } = saliency;
      const target = saliency.target === "auto" ? (look?.predicted ?? null) : saliency.target;
      const bytes = target === null ? null : (byClass[target] ?? (look?.target === target ? look.saliency : null));
      paint(main, overlay(image, bytes ? f32(bytes) : null, mode, opacity));
      const sure = look && look.predicted !== null ? look.probabilities[look.predicted] : 0;
      const says = look && look.predicted !== null ? `the network says ${name(look.predicted)}, ${percent(sure)}` : "asking the network…";
      const text = `${names?.[label] ?? label} (${inspected.split === "test" ? "test" : "training"} image ${inspected.index}): ${says}.`;
      say(caption, target === null ? text : `${text} Coloured: what matters for ${name(target)}.`);
      main.setAttribute("aria-label", text);
      cells.forEach(({ canvas, name: title, part, ask }, i) => {
        const own = byClass[i];
        paint(canvas, overlay(image, own ? f32(own) : null, mode, Math.max(opacity, 0.5)));
        say(title, name(i));
        say(part, look ? percent(look.probabilities[i], look.probabilities[i] < 0.0995 ? 1 : 0) : "");
        ask.setAttribute("aria-pressed", String(target === i));
        ask.setAttribute("aria-label", `What speaks for ${name(i)}${look ? `: ${percent(look.probabilities[i])}` : ""}`);
      });
    },
  );

  /** @param {State} state */
  return (state) => {
    random.disabled = state.dataset === null || !state.ready;
    draw(state.inspected, state.saliency, state.dataset?.classNames, state.answerNames);
  };
}
