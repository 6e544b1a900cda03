// Step 1: which data, and getting others.

import { sentence } from "../protocol.js";
import { button, byId, say } from "./dom.js";
import { count, megabytes } from "./format.js";

/** @typedef {import("../store.js").State} State */

/**
 * @param {{
 *   onCatalog: (id: string) => void, onSynthetic: () => void, onFiles: (files: File[]) => void,
 *   onCancel: () => void, onRetry: (id: string) => void,
 * }} callbacks
 */
export function createDataView({ onCatalog, onSynthetic, onFiles, onCancel, onRetry }) {
  const source = byId("data-source", HTMLElement);
  const choices = {
    mnist: button("data-load-mnist"),
    "fashion-mnist": button("data-load-fashion"),
    synthetic: button("data-load-synthetic"),
  };
  const files = byId("data-files", HTMLInputElement);
  const loading = byId("data-loading", HTMLElement);
  const progress = byId("data-progress", HTMLProgressElement);
  const progressText = byId("data-progress-text", HTMLElement);
  const errorBox = byId("data-error-box", HTMLElement);
  const error = byId("data-error", HTMLElement);
  const retry = button("data-retry");

  choices.mnist.addEventListener("click", () => onCatalog("mnist"));
  choices["fashion-mnist"].addEventListener("click", () => onCatalog("fashion-mnist"));
  choices.synthetic.addEventListener("click", onSynthetic);
  button("data-cancel").addEventListener("click", onCancel);
  retry.addEventListener("click", () => onRetry(retry.dataset.id ?? "mnist"));
  files.addEventListener("change", () => {
    const chosen = [...(files.files ?? [])];
    files.value = "";
    if (chosen.length) onFiles(chosen);
  });

  /** @param {State} state */
  return ({ dataset, loading: load, dataError, mnistMissing }) => {
    say(source, sourceText(dataset, load !== null, mnistMissing));
    source.dataset.id = dataset?.id ?? "";
    for (const [id, choice] of Object.entries(choices)) {
      choice.setAttribute("aria-pressed", String(dataset?.id === id));
      choice.disabled = load !== null;
    }
    say(choices.mnist, mnistMissing ? "Fetch MNIST digits" : "MNIST digits");
    choices.mnist.classList.toggle("primary", mnistMissing);

    loading.hidden = load === null;
    if (load) {
      const known = load.totalBytes > 0;
      if (known) {
        progress.max = load.totalBytes;
        progress.value = Math.min(load.receivedBytes, load.totalBytes);
      } else progress.removeAttribute("value");
      const bytes = known ? `: ${megabytes(load.receivedBytes)} of ${megabytes(load.totalBytes)}` : "…";
      say(progressText, `Loading ${NAMES[load.what] ?? load.what}${bytes}`);
    }

    errorBox.hidden = dataError === null;
    if (dataError) {
      say(error, sentence(dataError.message) + (dataset ? ` What was here before stays: ${dataset.title}.` : ""));
      retry.hidden = dataError.retry === null;
      retry.dataset.id = dataError.retry ?? "";
    }
  };
}

/** How data is called while it loads. @type {Record<string, string>} */
const NAMES = { mnist: "MNIST", "fashion-mnist": "Fashion-MNIST" };

/** @param {State["dataset"]} dataset @param {boolean} loading @param {boolean} mnistMissing */
function sourceText(dataset, loading, mnistMissing) {
  if (!dataset) return loading ? "Loading…" : "Looking for data…";
  const counts = `${count(dataset.trainCount)} images to learn from, ${count(dataset.testCount)} to test with`;
  if (dataset.id === "synthetic") {
    return `Synthetic digits made by Glassbox${mnistMissing ? " (MNIST could not be found)" : ""}: ${counts}.`;
  }
  if (dataset.id === "own") return `Your own files: ${counts}.`;
  return `${dataset.title}: ${counts}.`;
}
