// The chart's columns: the state's history and epochs, by step. Pure.

/** @typedef {import("../store.js").State} State */

/**
 * The columns of the chart. An epoch's accuracy stands at the epoch's last step, which gets a row of its own where no
 * point of the loss is there.
 * @param {State["history"]} history
 * @param {State["epochs"]} epochs
 * @returns {[number[], (number | null)[], (number | null)[], (number | null)[]]}
 */
export function table(history, epochs) {
  /** @type {[number[], (number | null)[], (number | null)[], (number | null)[]]} */
  const columns = [[], [], [], []];
  /** @param {number} x @param {number | null} loss @param {number | null} mean @param {number | null} accuracy */
  const add = (x, loss, mean, accuracy) => [x, loss, mean, accuracy].forEach((v, i) => columns[i].push(/** @type {number} */ (v)));
  const curve = smoothed(history.losses);
  let next = 0;
  history.steps.forEach((step, i) => {
    while (next < epochs.length && epochs[next].step < step) {
      add(epochs[next].step, null, null, epochs[next].testAccuracy * 100);
      next++;
    }
    const here = next < epochs.length && epochs[next].step === step;
    add(step, finite(history.losses[i]), finite(curve[i]), here ? epochs[next].testAccuracy * 100 : null);
    if (here) next++;
  });
  for (; next < epochs.length; next++) add(epochs[next].step, null, null, epochs[next].testAccuracy * 100);
  return columns;
}

/** A smoothed point is the mean of this many on either side, or of a fiftieth of all where that is more. */
const REACH = 8;

/**
 * The losses without most of their noise: the mean of what is around each, as far forward as back, so that the curve
 * begins where they do and does not lag behind; only at its end is there less ahead.
 * @param {number[]} losses
 */
export function smoothed(losses) {
  const reach = Math.max(Math.min(REACH, Math.round(losses.length / 8)), Math.round(losses.length / 50));
  const sums = [0];
  for (const loss of losses) sums.push(sums[sums.length - 1] + loss);
  return losses.map((_, i) => {
    const near = Math.min(reach, i);
    const [from, to] = [i - near, Math.min(losses.length, i + near + 1)];
    return (sums[to] - sums[from]) / (to - from);
  });
}

/** @param {number} value */
const finite = (value) => (Number.isFinite(value) ? value : null);
