// The pad and its tools.

import { createDrawPad } from "../draw-pad.js";
import { button, byId } from "./dom.js";

/** @param {{onInk: (ink: import("../draw-pad.js").Ink | null) => void}} callbacks */
export function createDrawView({ onInk }) {
  const canvas = byId("pad", HTMLCanvasElement);
  const frame = byId("pad-frame", HTMLElement);
  const cursor = byId("pad-cursor", HTMLElement);
  const eraser = button("pad-eraser");
  const brush = byId("pad-brush", HTMLInputElement);

  const pad = createDrawPad(
    canvas,
    (ink) => {
      frame.classList.toggle("drawn", ink !== null);
      onInk(ink);
    },
    {
      onCursor(at) {
        cursor.hidden = at === null;
        if (!at) return;
        cursor.classList.toggle("down", at.down);
        cursor.style.left = `${at.x * 100}%`;
        cursor.style.top = `${at.y * 100}%`;
      },
      onKey: () => eraser.click(),
    },
  );

  canvas.addEventListener("pointerdown", () => frame.classList.add("drawn"));
  button("pad-clear").addEventListener("click", () => pad.clear());
  button("pad-undo").addEventListener("click", () => pad.undo());
  eraser.addEventListener("click", () => {
    const on = eraser.getAttribute("aria-pressed") !== "true";
    eraser.setAttribute("aria-pressed", String(on));
    frame.classList.toggle("erasing", on);
    pad.setErasing(on);
  });
  const setBrush = () => {
    pad.setBrush(brush.valueAsNumber / 100);
    cursor.style.setProperty("--brush", `${brush.valueAsNumber}%`);
  };
  brush.addEventListener("input", setBrush);
  setBrush();
}
