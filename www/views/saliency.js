// The image as the network sees it, its saliency laid over it, and the controls and the legend of the overlay.

import { colour, overlay } from "../colours.js";
import { f32 } from "../protocol.js";
import { byId, h, paint, say, whenChanged } from "./dom.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../store.js").Saliency} Saliency */

const BLANK = new Uint8Array(28 * 28);

/** @param {{onChange: (change: Partial<Saliency>) => void}} callbacks */
export function createSaliencyView({ onChange }) {
  const canvas = byId("net-input", HTMLCanvasElement);
  const opacity = byId("saliency-opacity", HTMLInputElement);
  const mode = byId("saliency-mode", HTMLSelectElement);
  const target = byId("saliency-target", HTMLSelectElement);
  const bar = byId("legend-bar", HTMLCanvasElement);
  const [low, middle, high] = ["legend-low", "legend-middle", "legend-high"].map((id) => byId(id, HTMLElement));

  const targets = Array.from({ length: 10 }, (_, i) => h("option", { value: i }, `what speaks for ${i}?`));
  target.append(...targets);

  opacity.addEventListener("input", () => onChange({ opacity: opacity.valueAsNumber / 100 }));
  mode.addEventListener("change", () => onChange({ mode: mode.value === "signed" ? "signed" : "absolute" }));
  target.addEventListener("change", () => onChange({ target: target.value === "auto" ? "auto" : Number(target.value) }));

  const legend = whenChanged((/** @type {Saliency["mode"]} */ shown) => {
    const rgba = new Uint8ClampedArray(bar.width * 4);
    for (let i = 0; i < bar.width; i++) {
      const t = i / (bar.width - 1);
      rgba.set([...colour(shown, shown === "signed" ? 2 * t - 1 : t), 255], 4 * i);
    }
    paint(bar, rgba);
    const signed = shown === "signed";
    say(low, signed ? "against" : "does not matter");
    say(middle, signed ? "neither" : "");
    say(high, signed ? "for" : "matters most");
  });

  const draw = whenChanged(
    (/** @type {State["look"]} */ look, /** @type {Saliency} */ saliency, /** @type {State["answerNames"]} */ names) => {
      const shown = look && !look.empty ? look : null;
      const values = shown?.saliency ? f32(shown.saliency) : null;
      paint(canvas, overlay(shown?.image ?? BLANK, values, saliency.mode, saliency.opacity));
      canvas.classList.toggle("blank", shown === null);
      const name = shown?.target == null ? "" : (names?.[shown.target] ?? String(shown.target));
      canvas.setAttribute(
        "aria-label",
        shown ? `The drawing, centred on 28 by 28 pixels, with the pixels that matter for ${name} coloured` : "Nothing is drawn yet",
      );
    },
  );

  const controls = whenChanged((/** @type {Saliency} */ saliency) => {
    opacity.value = String(Math.round(saliency.opacity * 100));
    mode.value = saliency.mode;
    target.value = String(saliency.target);
  });
  const named = whenChanged((/** @type {State["answerNames"]} */ names) =>
    targets.forEach((option, i) => say(option, `what speaks for ${names?.[i] ?? i}?`)),
  );

  /** @param {State} state */
  return (state) => {
    controls(state.saliency);
    named(state.answerNames);
    legend(state.saliency.mode);
    draw(state.look, state.saliency, state.answerNames);
  };
}
