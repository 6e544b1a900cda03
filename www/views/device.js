// What computes, and why: the chip in the header, and a line above the training's buttons.

import { byId, say } from "./dom.js";
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

  /** @param {State} state */
  return (state) => {
    const { device } = state;
    const trainer = device?.trainer ?? null;
    box.dataset.kind = trainer ?? "starting";
    const named = device?.adapter ? ` · ${device.adapter}` : "";
    // On the CPU an adapter's name would mislead; the reason beside it says what was found.
    say(chip, trainer === "gpu" ? `GPU${named}` : trainer === "cpu" ? "CPU" : "starting…");
    const story = deviceStory(state);
    say(why, story);
    say(line, trainer === null ? "" : story);
    box.title = story;
  };
}
