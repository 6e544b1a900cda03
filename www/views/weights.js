// Step 6: save and load; and the offer, after a reload, to go on with the last run.

import { button, byId, say, whenChanged } from "./dom.js";
import { count, moment } from "./format.js";

/** @typedef {import("../store.js").State} State */

/** @param {{onSave: () => void, onLoad: (file: File) => void, onContinue: () => void, onDiscard: () => void}} callbacks */
export function createWeightsView({ onSave, onLoad, onContinue, onDiscard }) {
  const save = button("save-weights");
  const load = byId("load-weights", HTMLInputElement);
  const status = byId("weights-status", HTMLElement);
  const offer = byId("continue-offer", HTMLElement);
  const offerText = byId("continue-text", HTMLElement);
  save.addEventListener("click", onSave);
  load.addEventListener("change", () => {
    const file = load.files?.[0];
    load.value = "";
    if (file) onLoad(file);
  });
  button("continue-run").addEventListener("click", onContinue);
  button("continue-discard").addEventListener("click", onDiscard);

  const tell = whenChanged((/** @type {string} */ text, /** @type {boolean} */ refused) => {
    say(status, text);
    status.classList.toggle("bad", refused);
    // A file may have been dropped anywhere on the page.
    if (refused) status.scrollIntoView({ block: "nearest" });
  });

  /** @param {State} state */
  return ({ ready, weights, weightsRefused, saved }) => {
    save.disabled = !ready;
    tell(weights, weightsRefused);
    offer.hidden = saved === null;
    if (saved) {
      const { title, step, totalSteps, savedAt, finished } = saved;
      const done = finished ? `all ${count(totalSteps)} steps` : `${count(step)} of ${count(totalSteps)} steps`;
      say(offerText, `This browser kept your last run: ${title}, ${done}, ${moment(savedAt)}. ${finished ? "Take up its weights again?" : "Go on from there?"}`);
    }
  };
}
