// Numbers and moments in words. Pure.

import { stepsDone } from "../store.js";

/** @typedef {import("../store.js").State} State */

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** @param {number} value */
export const count = (value) => whole.format(value);

/** @param {number} part 0..1 @param {number} [digits] */
export const percent = (part, digits = 1) => `${(part * 100).toFixed(digits)} %`;

/** @param {number | null} value a loss, where there is one: more digits when it is small */
export const loss = (value) =>
  value === null ? "–" : !Number.isFinite(value) ? "NaN" : value >= 0.1 ? value.toFixed(3) : value.toFixed(4);

/** @param {number} bytes */
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @param {number} ms */
export function clock(ms) {
  const seconds = Math.round(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** @param {number} ms a time that is only roughly known */
export function about(ms) {
  const seconds = ms / 1000;
  if (seconds < 10) return "< 10 s";
  if (seconds < 55) return `≈ ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 5400) return `≈ ${Math.max(1, Math.round(seconds / 60))} min`;
  return `≈ ${(seconds / 3600).toFixed(1)} h`;
}

/** @param {number} when milliseconds since 1970 */
export function moment(when) {
  const date = new Date(when);
  if (Number.isNaN(date.getTime())) return "earlier";
  const today = date.toDateString() === new Date().toDateString();
  return today
    ? `today at ${date.toLocaleTimeString("en-GB", { timeStyle: "short" })}`
    : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/**
 * Why a setting cannot be used.
 * @param {{name: string, min: string, max: string, whole: boolean}} field
 */
export const refusal = ({ name, min, max, whole }) =>
  `${name} must be a ${whole ? "whole " : ""}number from ${min} to ${max}. What was set before stays until it is.`;

/**
 * What computes, and why.
 * @param {State} state
 */
export function deviceStory({ device }) {
  if (device?.why) return device.why;
  if (device?.trainer === "cpu") return "Training runs on your CPU.";
  if (device?.trainer !== "gpu") return "Starting the engine…";
  const checked = device.parity ? ", whose results were checked against the CPU’s" : "";
  return `Training runs on your GPU (${device.adapter || "unnamed"}) by WebGPU${checked}. Drawings are answered by the CPU, so that they never wait for it.`;
}

/** @param {State} state */
const device = (state) => (state.device?.trainer === "gpu" ? "your GPU" : "your CPU");

/**
 * Where training stands: the sentence that is read aloud, so it changes with the phase and the epoch only.
 * @param {State} state
 */
export function trainingStatus(state) {
  const { progress, run, diverged } = state;
  if (diverged) return diverged.message;
  if (!state.device?.trainer) return "Starting the trainer…";
  if (!state.dataset) return state.loading ? "Waiting for the data…" : "Choose data in step 1 first.";
  if (state.finished && run) {
    const last = state.epochs.at(-1);
    const epochs = run.config.epochs === 1 ? "1 epoch" : `${run.config.epochs} epochs`;
    return last
      ? `Done: ${epochs}. It gets ${percent(last.testAccuracy, 2)} of the test images right.`
      : `Done: ${epochs}.`;
  }
  if (state.training) {
    if (warmingUp(state)) {
      return state.device.trainer === "gpu"
        ? "Warming up: compiling shaders for your GPU. The clock starts after that."
        : "Warming up: the first step on your CPU. The clock starts after that.";
    }
    const epoch = progress ? `epoch ${progress.epoch} of ${progress.epochs}` : "the first epoch";
    if (progress?.phase === "evaluate") return `Testing after ${epoch}…`;
    return `Training on ${device(state)}: ${epoch}.`;
  }
  if (state.testing) return "Testing…";
  const done = stepsDone(state);
  if (run && done > 0 && state.ended) {
    return `Stopped at step ${count(done)} of ${count(run.totalSteps)}. What it learnt is kept; Train starts a new run.`;
  }
  if (run && done > 0) {
    const broken = state.whyStopped === "crashed" || state.whyStopped === "error";
    return `${broken ? "Interrupted" : "Paused"} at step ${count(done)} of ${count(run.totalSteps)}.`;
  }
  return `Ready to train on ${device(state)}.`;
}

/**
 * Whether the training is not yet at its own pace: shaders are compiled, the first step is made.
 * @param {State} state
 */
export const warmingUp = ({ training, progress }) =>
  training && (progress === null || progress.phase === "warmup" || (progress.phase === "idle" && progress.step === 0));

/**
 * The page's title. It tells how far the training is where only the tab is seen.
 * @param {State} state
 */
export function pageTitle(state) {
  const name = "Glassbox: train a network in your browser, and see why it answers";
  const total = state.progress?.totalSteps ?? state.run?.totalSteps ?? 0;
  if (state.diverged) return `Stopped · ${name}`;
  if (state.training) return `${total ? Math.floor((100 * stepsDone(state)) / total) : 0} % trained · ${name}`;
  return state.finished ? `Trained · ${name}` : name;
}

/**
 * The numbers of the moment, in a line that changes all the time.
 * @param {State} state
 */
export function trainingDetail(state) {
  const { progress } = state;
  if (!progress || progress.step === 0) return "";
  if (progress.phase === "evaluate" && (state.training || state.testing)) {
    return `${count(progress.evaluated)} of ${count(progress.evaluateTotal)} images tested`;
  }
  const inEpoch = progress.step - (progress.epoch - 1) * progress.stepsPerEpoch;
  const parts = [
    `Epoch ${progress.epoch} of ${progress.epochs}`,
    `step ${count(Math.max(0, inEpoch))} of ${count(progress.stepsPerEpoch)}`,
  ];
  if (progress.runningLoss !== null && Number.isFinite(progress.runningLoss)) parts.push(`running loss ${loss(progress.runningLoss)}`);
  if (state.run?.config.schedule === "cosine") parts.push(`learning rate ${Number(progress.learningRate.toPrecision(2))}`);
  if (progress.imagesPerSecond) parts.push(`${count(progress.imagesPerSecond)} images/s`);
  if (state.training && progress.remainingMs !== null) parts.push(`${about(progress.remainingMs)} left`);
  return parts.join(", ");
}
