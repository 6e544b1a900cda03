// Step 3: settings, the buttons of a run, and how it goes. The chart is a view of its own.

import { configIsNew, runIsLive, stepsDone } from "../store.js";
import { button, byId, h, say, whenChanged } from "./dom.js";
import { about, clock, count, loss, percent, refusal, trainingDetail, trainingStatus, warmingUp } from "./format.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../store.js").Config} Config */

/**
 * @param {{
 *   onPreset: (preset: import("../store.js").PresetName) => void,
 *   onConfig: (change: Partial<Config>) => void,
 *   onTrain: () => void, onPause: () => void, onStop: () => void, onReset: () => void,
 * }} callbacks
 */
export function createTrainView({ onPreset, onConfig, onTrain, onPause, onStop, onReset }) {
  const preset = byId("preset", HTMLSelectElement);
  const optimizer = byId("optimizer", HTMLSelectElement);
  const schedule = byId("schedule", HTMLSelectElement);
  const augment = byId("augment", HTMLSelectElement);
  /** Each number field: what it sets, and how it is written. @type {Record<string, {field: HTMLInputElement, key: keyof Config, scale: number}>} */
  const numbers = {};
  const wrong = byId("settings-wrong", HTMLElement);
  /** Fields whose values cannot be used, in the order in which they went wrong. @type {Set<HTMLInputElement>} */
  const refused = new Set();
  /** Nothing is trained while the form says what would not be used. @param {HTMLInputElement} field @param {boolean} fits */
  const judge = (field, fits) => {
    if (fits) refused.delete(field);
    else refused.add(field);
    if (last) render(last);
  };
  for (const [id, key, scale] of /** @type {[string, keyof Config, number][]} */ ([
    ["learning-rate", "learningRate", 1],
    ["momentum", "momentum", 1],
    ["batch-size", "batchSize", 1],
    ["epochs", "epochs", 1],
    ["seed", "seed", 1],
    ["validation", "validationFraction", 100],
  ])) {
    const field = byId(id, HTMLInputElement);
    numbers[id] = { field, key, scale };
    field.addEventListener("change", () => {
      const fits = field.validity.valid && !Number.isNaN(field.valueAsNumber);
      judge(field, fits);
      if (fits) onConfig({ [key]: field.valueAsNumber / scale });
    });
    field.addEventListener("input", () => {
      if (refused.has(field) && field.validity.valid) judge(field, true);
    });
  }
  preset.addEventListener("change", () =>
    onPreset(/** @type {import("../store.js").PresetName} */ (preset.value)),
  );
  optimizer.addEventListener("change", () => onConfig({ optimizer: optimizer.value === "sgd" ? "sgd" : "adam" }));
  schedule.addEventListener("change", () => onConfig({ schedule: schedule.value === "cosine" ? "cosine" : "constant" }));
  augment.addEventListener("change", () => onConfig({ augment: /** @type {Config["augment"]} */ (augment.value) }));
  byId("train-form", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());

  const [start, pause, stop, reset] = ["train-start", "train-pause", "train-stop", "train-reset"].map(button);
  start.addEventListener("click", onTrain);
  pause.addEventListener("click", onPause);
  stop.addEventListener("click", onStop);
  reset.addEventListener("click", onReset);

  const status = byId("train-status", HTMLElement);
  const detail = byId("train-detail", HTMLElement);
  const bar = byId("train-progress", HTMLProgressElement);
  const tiles = Object.fromEntries(
    ["loss", "accuracy", "speed", "elapsed", "remaining"].map((id) => [id, byId(`train-${id}`, HTMLElement)]),
  );
  const epochBox = byId("epoch-box", HTMLElement);
  const epochBody = byId("epoch-table", HTMLTableElement).tBodies[0];

  /** Puts the state's settings into the form; called again to take back a change that was refused. @param {State} state */
  function fill({ config, preset: chosen }) {
    preset.value = chosen;
    optimizer.value = config.optimizer;
    schedule.value = config.schedule;
    augment.value = config.augment;
    for (const { field, key, scale } of Object.values(numbers)) {
      const text = String(Number((Number(config[key]) * scale).toPrecision(12)));
      if (field.value !== text) field.value = text;
    }
    refused.clear();
    numbers.momentum.field.disabled = config.optimizer !== "sgd";
  }
  /** @type {State | null} */
  let last = null;
  const form = whenChanged((/** @type {Config} */ _config, /** @type {string} */ _preset) => last && fill(last));

  const epochs = whenChanged((/** @type {State["epochs"]} */ ends) => {
    epochBox.hidden = ends.length === 0;
    epochBody.replaceChildren(
      ...ends.map((end) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, String(end.epoch)),
          ...[
            loss(end.trainLoss),
            end.validationAccuracy === null ? "–" : percent(end.validationAccuracy, 2),
            loss(end.testLoss),
            percent(end.testAccuracy, 2),
            clock(end.elapsedMs),
          ].map((text) => h("td", { class: "number-cell" }, text)),
        ),
      ),
    );
  });

  /** @param {State} state */
  function render(state) {
    last = state;
    form(state.config, state.preset);
    for (const { field } of Object.values(numbers)) field.setAttribute("aria-invalid", String(refused.has(field)));
    const [first] = refused;
    wrong.hidden = !first;
    say(wrong, first ? refusal({ name: first.labels?.[0]?.innerText ?? "", min: first.min, max: first.max, whole: first.step === "1" }) : "");
    const { progress, run, training, device } = state;
    const able = device?.trainer != null && state.dataset !== null;
    const done = stepsDone(state);
    const goesOn = runIsLive(state) && !configIsNew(state);
    start.disabled = !able || training || refused.size > 0;
    pause.disabled = !training;
    stop.disabled = !training && !runIsLive(state);
    reset.disabled = !able || training || done === 0;
    say(start, goesOn && done > 0 && !training ? "Resume" : state.finished || state.ended ? "Train again" : "Train");

    say(status, trainingStatus(state));
    status.classList.toggle("bad", state.diverged !== null);
    say(detail, trainingDetail(state));
    const total = progress?.totalSteps ?? run?.totalSteps ?? 0;
    if (warmingUp(state)) bar.removeAttribute("value");
    else bar.value = total ? Math.min(1, done / total) : 0;

    say(tiles.loss, progress && done ? loss(progress.runningLoss) : "–");
    const end = state.epochs.at(-1);
    say(tiles.accuracy, end ? percent(end.testAccuracy, 2) : "–");
    say(tiles.speed, progress?.imagesPerSecond ? count(progress.imagesPerSecond) : "–");
    say(tiles.elapsed, progress && done ? clock(progress.elapsedMs) : "–");
    say(tiles.remaining, progress?.remainingMs != null && runIsLive(state) ? about(progress.remainingMs) : "–");
    epochs(state.epochs);
  }

  /** Takes back what the visitor typed. */
  function restore() {
    if (!last) return;
    fill(last);
    render(last);
  }
  return Object.assign(render, { restore });
}
