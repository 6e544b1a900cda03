// What the visitor should know: errors and notices, each to be dismissed.

import { byId, h, whenChanged } from "./dom.js";

/** @typedef {import("../store.js").State} State */

/** @param {{onDismiss: (key: number) => void}} callbacks */
export function createNoticeView({ onDismiss }) {
  const box = byId("notice", HTMLElement);
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
  });

  /** @param {State} state */
  return ({ notices }) => show(notices);
}
