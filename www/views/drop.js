// Files dropped anywhere on the page: data, or weights. Without this the browser would leave the page to show them.

import { byId } from "./dom.js";

/** @param {{onData: (files: File[]) => void, onWeights: (file: File) => void}} callbacks */
export function createDrop({ onData, onWeights }) {
  const card = byId("data-drop", HTMLElement);

  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    card.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) card.classList.remove("over"); // it left the window
  });
  document.addEventListener("drop", (event) => {
    card.classList.remove("over");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    const weights = files.find((file) => file.name.endsWith(".safetensors"));
    if (weights) onWeights(weights);
    else onData(files);
  });
}
