// The chip in the header: what computes, and why.

import { byId, say } from "./dom.js";

/** @typedef {import("../store.js").State} State */

export function createDeviceView() {
  const chip = byId("device-chip", HTMLElement);
  const why = byId("device-why", HTMLElement);
  const box = byId("device", HTMLDetailsElement);

  document.addEventListener("click", (event) => {
    if (box.open && event.target instanceof Node && !box.contains(event.target)) box.open = false;
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") box.open = false;
  });

  /** @param {State} state */
  return ({ device }) => {
    const trainer = device?.trainer ?? null;
    box.dataset.kind = trainer ?? "starting";
    const named = device?.adapter ? ` · ${device.adapter}` : "";
    // On the CPU an adapter's name would mislead; the reason beside it says what was found.
    say(chip, trainer === "gpu" ? `GPU${named}` : trainer === "cpu" ? "CPU" : "starting…");
    say(
      why,
      device?.why ??
        (trainer === "gpu"
          ? "Training runs on your graphics card, by WebGPU. Answers to drawings come from the CPU, so that they do not wait for training."
          : trainer === "cpu"
            ? "Training runs on your CPU."
            : "Starting the engine…"),
    );
    box.title = why.textContent ?? "";
  };
}
