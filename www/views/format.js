// Numbers and moments in words. Pure.

/** @typedef {import("../store.js").State} State */

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** @param {number} value */
export const count = (value) => whole.format(value);

/** @param {number} part 0..1 @param {number} [digits] */
export const percent = (part, digits = 1) => `${(part * 100).toFixed(digits)} %`;

/** @param {number} value a loss: more digits when it is small */
export const loss = (value) =>
  !Number.isFinite(value) ? "not a number" : value >= 0.1 ? value.toFixed(3) : value.toFixed(4);

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
  if (seconds < 10) return "a few seconds";
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 90) return "about 1 min";
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(1)} hours`;
}

/** @param {number | string} when milliseconds since 1970, or a date in words */
export function moment(when) {
  const date = new Date(when);
  if (Number.isNaN(date.getTime())) return "earlier";
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString("en-GB", today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

/** @param {State} state */
const device = (state) => (state.device?.trainer === "gpu" ? "your GPU" : "your CPU");

/**
 * Where training stands: the sentence that is read aloud, so it changes with the phase and the epoch only.
 * @param {State} state
 */
export function trainingStatus(state) {
  const { progress, run, diverged } = state;
  if (diverged) {
    return `${diverged.message} The weights from before are kept. Try a smaller learning rate, then press Train.`;
  }
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
    if (!progress) return `Starting on ${device(state)}…`;
    const epoch = `epoch ${progress.epoch} of ${progress.epochs}`;
    if (progress.phase === "warmup") {
      return state.device.trainer === "gpu" ? "Warming up: compiling shaders…" : "Warming up…";
    }
    if (progress.phase === "evaluate") return `Testing after ${epoch}…`;
    return `Training on ${device(state)}: ${epoch}.`;
  }
  if (progress?.phase === "evaluate") return "Testing…";
  const done = progress?.step ?? run?.step ?? 0;
  if (run && done > 0 && state.ended) {
    return `Stopped at step ${count(done)} of ${count(run.totalSteps)}. What it learnt is kept; Train starts a new run.`;
  }
  if (run && done > 0) {
    const crashed = state.trainingReason === "crashed" || state.trainingReason === "error";
    return `${crashed ? "Interrupted" : "Paused"} at step ${count(done)} of ${count(run.totalSteps)}.`;
  }
  return `Ready to train on ${device(state)}.`;
}

/**
 * The numbers of the moment, in a line that changes all the time.
 * @param {State} state
 */
export function trainingDetail(state) {
  const { progress } = state;
  if (!progress) return "";
  if (progress.phase === "evaluate") {
    return `${count(progress.evaluated)} of ${count(progress.evaluateTotal)} images tested`;
  }
  const inEpoch = progress.step - (progress.epoch - 1) * progress.stepsPerEpoch;
  const parts = [
    `Epoch ${progress.epoch} of ${progress.epochs}`,
    `step ${count(Math.max(0, inEpoch))} of ${count(progress.stepsPerEpoch)}`,
  ];
  if (progress.runningLoss !== null && Number.isFinite(progress.runningLoss)) parts.push(`loss ${loss(progress.runningLoss)}`);
  if (progress.imagesPerSecond) parts.push(`${count(progress.imagesPerSecond)} images/s`);
  if (state.training && progress.remainingMs !== null) parts.push(`${about(progress.remainingMs)} left`);
  return parts.join(", ");
}
