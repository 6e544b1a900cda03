// What the visitor should know: errors and notices, each to be dismissed. They lie at the lower edge of the window,
// never over the drawing pad: where it reaches down to them, they go to the upper edge.

import { byId, h, whenChanged } from "./dom.js";

/** @typedef {import("../store.js").State} State */

/** @param {{onDismiss: (key: number) => void}} callbacks */
export function createNoticeView({ onDismiss }) {
  const box = byId("notice", HTMLElement);
  const pad = byId("pad-frame", HTMLElement);

  function place() {
    if (!box.childElementCount) return;
    box.classList.remove("up");
    const [own, drawing] = [box, pad].map((element) => element.getBoundingClientRect());
    const apart = own.left >= drawing.right || own.right <= drawing.left || own.top >= drawing.bottom || own.bottom <= drawing.top;
    box.classList.toggle("up", !apart);
  }
  addEventListener("scroll", place, { passive: true });
  new ResizeObserver(place).observe(box);
  new ResizeObserver(place).observe(document.documentElement);

  const show = whenChanged((/** @type {State["notices"]} */ notices) => {
    const shown = new Map([...box.children].map((child) => [child instanceof HTMLElement ? child.dataset.key : "", child]));
    box.replaceChildren(
      ...notices.map((notice) => {
        const there = shown.get(String(notice.key));
        if (there) return there;
        const close = h("button", { type: "button", class: "close", "aria-label": "Dismiss" }, "×");
        close.addEventListener("click", () => onDismiss(notice.key));
        return h(
          "div",
          { class: `notice ${notice.level}`, "data-key": notice.key, "data-code": notice.code },
          h("p", {}, notice.message),
          close,
        );
      }),
    );
    place();
  });

  /** @param {State} state */
  return ({ notices }) => show(notices);
}
