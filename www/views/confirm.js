// Asks before something is lost.

import { byId, say } from "./dom.js";

/** @returns {(text: string) => Promise<boolean>} asks; true: the visitor agrees */
export function createConfirm() {
  const dialog = byId("confirm", HTMLDialogElement);
  const text = byId("confirm-text", HTMLElement);
  return (question) => {
    say(text, question);
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  };
}
