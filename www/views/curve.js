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
  let next = 0;
  history.steps.forEach((step, i) => {
    while (next < epochs.length && epochs[next].step < step) {
      add(epochs[next].step, null, null, epochs[next].testAccuracy * 100);
      next++;
    }
    const here = next < epochs.length && epochs[next].step === step;
    add(step, finite(history.losses[i]), finite(history.means[i]), here ? epochs[next].testAccuracy * 100 : null);
    if (here) next++;
  });
  for (; next < epochs.length; next++) add(epochs[next].step, null, null, epochs[next].testAccuracy * 100);
  return columns;
}

/** @param {number} value */
const finite = (value) => (Number.isFinite(value) ? value : null);
