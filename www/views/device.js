// What computes, and why: the chip in the header, and a line above the training's buttons.

import { byId, h, say, whenChanged } from "./dom.js";
import { deviceStory } from "./format.js";

/** @typedef {import("../store.js").State} State */

export function createDeviceView() {
  const chip = byId("device-chip", HTMLElement);
  const why = byId("device-why", HTMLElement);
  const box = byId("device", HTMLDetailsElement);
  const line = byId("train-device", HTMLElement);

  document.addEventListener("click", (event) => {
    if (box.open && event.target instanceof Node && !box.contains(event.target)) box.open = false;
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") box.open = false;
  });

  const tell = whenChanged((/** @type {string} */ story, /** @type {boolean} */ up) => {
    why.replaceChildren(...marked(story));
    line.replaceChildren(...(up ? marked(story) : []));
    box.title = story;
  });

  /** @param {State} state */
  return (state) => {
    const { device } = state;
    const trainer = device?.trainer ?? null;
    box.dataset.kind = trainer ?? "starting";
    const named = device?.adapter ? ` · ${device.adapter}` : "";
    // On the CPU an adapter's name would mislead; the reason beside it says what was found.
    say(chip, trainer === "gpu" ? `GPU${named}` : trainer === "cpu" ? "CPU" : "starting…");
    tell(deviceStory(state), trainer !== null);
  };
}

/** A text with what belongs into the page's address marked as such, and kept in one piece. @param {string} text */
const marked = (text) => text.split(/(\?device=\w+)/).map((part, i) => (i % 2 ? h("code", {}, part) : part));
