// The page's state: one plain object, one pure reducer, one subscription.
// Events of the engines and the visitor's choices come in as actions; views read the state and nothing else.

import { DEFAULT_CONFIG } from "./protocol.js";

/**
 * An event of the engine without its tag, as the state keeps it.
 * @template {{type: string}} E
 * @typedef {Omit<E, "type">} Told
 */
/** @typedef {import("./protocol.js").Config} Config  A run's settings. */
/** @typedef {import("./protocol.js").Device} Device */
/** @typedef {import("./protocol.js").SplitName} Split */
/** @typedef {import("./protocol.js").ModelSummary} ModelSummary */
/** @typedef {import("./protocol.js").SavedRun} Saved */
/** @typedef {import("./protocol.js").WhyStopped} WhyStopped */
/** @typedef {Told<import("./protocol.js").RunEvent>} Run */
/** @typedef {Told<import("./protocol.js").DatasetEvent>} Dataset */
/** @typedef {Told<import("./protocol.js").LookEvent>} Look  An answer of the network to one image. */
/** @typedef {Told<import("./protocol.js").SamplesEvent>} Samples */
/** @typedef {Told<import("./protocol.js").StatisticsEvent>} Statistics */
/** @typedef {Told<import("./protocol.js").ProgressEvent>} Progress */
/** @typedef {Told<import("./protocol.js").EpochEndEvent>} EpochEnd */
/** @typedef {Told<import("./protocol.js").ReportEvent>} Report */
/** @typedef {Told<import("./protocol.js").CellEvent>} Cell */
/** @typedef {Told<import("./protocol.js").DivergedEvent>} Diverged */
/** @typedef {"quick" | "lecture" | "custom"} PresetName */
/** @typedef {{key: number, level: "info" | "warning" | "error", code: string, message: string}} Notice */
/** @typedef {{trainer: Device | null, adapter: string, why: string | null, parity: import("./protocol.js").Parity | null}} DeviceInfo */
/** @typedef {"auto" | number} Target the class whose saliency is shown: the answer's own, or a chosen one */
/** @typedef {{opacity: number, mode: "absolute" | "signed", target: Target}} Saliency */
/**
 * One image under the glass in step 5: a sample of the dataset, and the answer for each class that was asked.
 * @typedef {{image: Uint8Array, label: number, index: number, split: Split, look: Look | null, byClass: (Uint8Array | null)[]}} Inspected
 */
/**
 * The loss over the run. Points are merged in pairs when there are too many, so that a long run stays cheap to draw.
 * @typedef {object} History
 * @property {number} bin steps merged into one point
 * @property {number[]} steps the last step of each point
 * @property {number[]} losses mean loss of each point
 * @property {{sum: number, count: number}} open the point that is being filled
 */

/**
 * @typedef {object} State
 * @property {DeviceInfo | null} device
 * @property {boolean} ready the reader has answered its first prediction
 * @property {boolean} drawn there is ink on the pad
 * @property {Look | null} look the answer to the drawing
 * @property {string[] | null} answerNames class names of the weights that answer, where they are not digits
 * @property {Saliency} saliency
 * @property {Dataset | null} dataset
 * @property {boolean} mnistMissing MNIST was looked for and not found
 * @property {{what: string, receivedBytes: number, totalBytes: number} | null} loading
 * @property {{code: string, message: string, retry: string | null} | null} dataError
 * @property {{split: Split, class: number | null, offset: number}} explore
 * @property {Samples | null} samples
 * @property {Statistics | null} statistics
 * @property {Inspected | null} inspected
 * @property {PresetName} preset
 * @property {Config} config what the form says; the run has its own
 * @property {Run | null} run
 * @property {boolean} training
 * @property {WhyStopped | null} whyStopped why the training stands still, where it has begun
 * @property {boolean} testing a test that was asked for is under way
 * @property {boolean} finished all epochs are done
 * @property {boolean} ended the visitor stopped the run
 * @property {Diverged | null} diverged
 * @property {Progress | null} progress
 * @property {History} history
 * @property {EpochEnd[]} epochs
 * @property {Report | null} report
 * @property {{truth: number, predicted: number} | null} cellChoice
 * @property {Cell | null} cell
 * @property {string} weights what was last done with the weights, in words
 * @property {boolean} weightsRefused a file was not loaded, for what `weights` says
 * @property {number} weightsTaken how often the weights that answer were replaced
 * @property {Saved | null} saved
 * @property {Notice[]} notices
 * @property {number} noticesTold how many there were so far
 */

/**
 * @typedef {(
 *   | ({type: "device"} & DeviceInfo)
 *   | {type: "ready"}
 *   | {type: "ink", drawn: boolean}
 *   | {type: "look", look: Look | null}
 *   | {type: "saliency", change: Partial<Saliency>}
 *   | {type: "dataset", dataset: Dataset}
 *   | {type: "loading", what: string | null, receivedBytes?: number, totalBytes?: number}
 *   | {type: "dataError", code: string, message: string, retry: string | null}
 *   | {type: "explore", change: Partial<State["explore"]>}
 *   | {type: "samples", samples: Samples}
 *   | {type: "statistics", statistics: Statistics}
 *   | {type: "inspect", inspected: Inspected | null}
 *   | {type: "inspected", image: Uint8Array, look: Look, asked: number | null}
 *   | {type: "preset", preset: PresetName}
 *   | {type: "config", change: Partial<Config>}
 *   | {type: "run", run: Run}
 *   | {type: "training", running: true}
 *   | {type: "training", running: false, reason: WhyStopped}
 *   | {type: "testing", running: boolean}
 *   | {type: "progress", progress: Progress}
 *   | ({type: "epochEnd"} & EpochEnd)
 *   | {type: "report", report: Report | null}
 *   | {type: "chooseCell", truth: number, predicted: number}
 *   | {type: "cell", cell: Cell}
 *   | {type: "finished"}
 *   | ({type: "diverged"} & Diverged)
 *   | {type: "weights", status: string, refused?: boolean, taken?: {classNames: string[] | null}}
 *   | {type: "offerContinue", saved: Saved | null}
 *   | {type: "notice", level: Notice["level"], code: string, message: string}
 *   | {type: "dismiss", key: number}
 * )} Action
 */

/** @type {Readonly<Record<"quick" | "lecture", Config>>} */
export const PRESETS = {
  quick: DEFAULT_CONFIG,
  lecture: {
    optimizer: "sgd", learningRate: 0.001, schedule: "constant", momentum: 0.9, batchSize: 10, epochs: 2,
    seed: 1, validationFraction: 0, dropLast: false, augment: "none",
  },
};

/** At most this many points are kept of the loss; more are merged in pairs. */
export const MOST_POINTS = 4000;

/** @returns {History} */
const noHistory = () => ({ bin: 1, steps: [], losses: [], open: { sum: 0, count: 0 } });

/** @returns {State} */
export const initialState = () => ({
  device: null,
  ready: false,
  drawn: false,
  look: null,
  answerNames: null,
  saliency: { opacity: 0.65, mode: "absolute", target: "auto" },
  dataset: null,
  mnistMissing: false,
  loading: null,
  dataError: null,
  explore: { split: "train", class: null, offset: 0 },
  samples: null,
  statistics: null,
  inspected: null,
  preset: "quick",
  config: PRESETS.quick,
  run: null,
  training: false,
  whyStopped: null,
  testing: false,
  finished: false,
  ended: false,
  diverged: null,
  progress: null,
  history: noHistory(),
  epochs: [],
  report: null,
  cellChoice: null,
  cell: null,
  weights: "",
  weightsRefused: false,
  weightsTaken: 0,
  saved: null,
  notices: [],
  noticesTold: 0,
});

/** @param {Config} a @param {Config} b */
const sameConfig = (a, b) =>
  /** @type {(keyof Config)[]} */ (Object.keys(PRESETS.quick)).every((key) => a[key] === b[key]);

/** @param {Config} config @returns {PresetName} */
export function presetOf(config) {
  if (sameConfig(config, PRESETS.quick)) return "quick";
  return sameConfig(config, PRESETS.lecture) ? "lecture" : "custom";
}

/**
 * Whether there is a run that can be trained on: one that is neither finished, nor stopped, nor has diverged.
 * @param {State} state
 */
export const runGoesOn = (state) => state.run !== null && !state.finished && !state.ended && state.diverged === null;

/**
 * Whether a run is under way that a change of data, network or settings would end.
 * @param {State} state
 */
export const runIsLive = (state) => state.training || (runGoesOn(state) && stepsDone(state) > 0);

/** @param {State} state */
export const stepsDone = (state) => Math.max(state.progress?.step ?? 0, state.run?.step ?? 0);

/**
 * Whether the form's settings are not the run's (the learning rate may differ: it can be changed while training).
 * @param {State} state
 */
export const configIsNew = (state) =>
  state.run === null || !sameConfig({ ...state.run.config, learningRate: state.config.learningRate }, state.config);

/**
 * The learning rate that the form gives to a run that goes on, where the run has another one; else null.
 * @param {State} state
 */
export const newLearningRate = (state) =>
  runGoesOn(state) && !configIsNew(state) && state.run?.config.learningRate !== state.config.learningRate
    ? state.config.learningRate
    : null;

/**
 * Losses added to the history.
 * @param {History} history
 * @param {number[]} losses one a step
 * @param {number} lastStep the step of the last of them
 * @returns {History}
 */
export function withLosses(history, losses, lastStep) {
  if (losses.length === 0) return history;
  let { bin } = history;
  let steps = history.steps.slice();
  let points = history.losses.slice();
  let open = { ...history.open };
  losses.forEach((loss, i) => {
    open.sum += loss;
    open.count += 1;
    if (open.count < bin) return;
    steps.push(lastStep - losses.length + 1 + i);
    points.push(open.sum / open.count);
    open = { sum: 0, count: 0 };
    if (points.length >= MOST_POINTS) {
      /** @param {number[]} list */
      const second = (list) => list.filter((_, k) => k % 2 === 1);
      points = second(points.map((value, k) => (k ? (points[k - 1] + value) / 2 : value)));
      steps = second(steps);
      bin *= 2;
    }
  });
  return { bin, steps, losses: points, open };
}

/**
 * The history up to a step: what is left when a run goes back to its last checkpoint, or begins anew at step 0.
 * @param {History} history
 * @param {number} step
 * @returns {History}
 */
export function upToStep(history, step) {
  const last = history.steps.at(-1) ?? 0;
  if (last + history.open.count <= step) return history;
  if (step <= 0) return noHistory();
  const count = history.steps.filter((s) => s <= step).length;
  return {
    bin: history.bin,
    steps: history.steps.slice(0, count),
    losses: history.losses.slice(0, count),
    open: { sum: 0, count: 0 },
  };
}

/** @param {string[]} names */
const areDigits = (names) => names.every((name, i) => name === String(i));

/**
 * The next state. Pure: the same state and action give the same answer, and neither is changed.
 * @param {State} state
 * @param {Action} action
 * @returns {State}
 */
export function reduce(state, action) {
  switch (action.type) {
    case "device": {
      const { trainer, adapter, why, parity } = action;
      return { ...state, device: { trainer, adapter, why, parity } };
    }
    case "ready":
      return { ...state, ready: true };
    case "ink":
      return { ...state, drawn: action.drawn, look: action.drawn ? state.look : null };
    case "look":
      // An answer that comes after the pad was cleared is dropped.
      return state.drawn || action.look === null ? { ...state, look: action.look } : state;
    case "saliency":
      return { ...state, saliency: { ...state.saliency, ...action.change } };
    case "dataset": {
      // The same data again, after a crash, keeps the curve: the run goes on where its checkpoint was.
      const same = state.dataset?.id === action.dataset.id && state.dataset.trainCount === action.dataset.trainCount;
      return {
        ...state,
        dataset: action.dataset,
        mnistMissing: state.mnistMissing && action.dataset.id !== "mnist",
        run: null,
        progress: null,
        history: same ? state.history : noHistory(),
        epochs: same ? state.epochs : [],
        finished: false,
        ended: false,
        diverged: null,
        loading: null,
        dataError: null,
        explore: { ...state.explore, class: null, offset: 0 },
        samples: null,
        statistics: null,
        inspected: null,
        report: null,
        testing: false,
        cellChoice: null,
        cell: null,
      };
    }
    case "loading":
      return {
        ...state,
        loading:
          action.what === null
            ? null
            : { what: action.what, receivedBytes: action.receivedBytes ?? 0, totalBytes: action.totalBytes ?? 0 },
        dataError: action.what === null ? state.dataError : null,
      };
    case "dataError":
      return {
        ...state,
        loading: null,
        dataError: { code: action.code, message: action.message, retry: action.retry },
      };
    case "explore":
      return { ...state, explore: { ...state.explore, ...action.change } };
    case "samples":
      return { ...state, samples: action.samples };
    case "statistics":
      return { ...state, statistics: action.statistics };
    case "inspect":
      return { ...state, inspected: action.inspected };
    case "inspected": {
      // An answer that comes after another image was chosen is dropped.
      if (state.inspected?.image !== action.image) return state;
      if (action.asked === null) return { ...state, inspected: { ...state.inspected, look: action.look } };
      const byClass = state.inspected.byClass.slice();
      byClass[action.asked] = action.look.saliency;
      return { ...state, inspected: { ...state.inspected, byClass } };
    }
    case "preset":
      return {
        ...state,
        preset: action.preset,
        config: action.preset === "custom" ? state.config : { ...PRESETS[action.preset], seed: state.config.seed },
      };
    case "config": {
      const config = { ...state.config, ...action.change };
      return { ...state, config, preset: presetOf({ ...config, seed: PRESETS.quick.seed }) };
    }
    case "run": {
      // The form stays as the visitor left it: it may have been changed while the run was set up.
      const { run } = action;
      return {
        ...state,
        run,
        history: upToStep(state.history, run.step),
        epochs: state.epochs.filter((end) => end.step <= run.step && run.step > 0),
        progress: run.step === 0 || (state.progress?.step ?? 0) > run.step ? null : state.progress,
        finished: run.totalSteps > 0 && run.step >= run.totalSteps,
        ended: false,
        diverged: null,
      };
    }
    case "training":
      return {
        ...state,
        training: action.running,
        whyStopped: action.running ? null : action.reason,
        ended: !action.running && (state.ended || action.reason === "stopped"),
      };
    case "progress": {
      const { progress } = action;
      const { losses, step } = progress;
      // What diverges is told in words; in the curve it would hide all that was before.
      if (!losses.every(Number.isFinite)) return { ...state, progress };
      return { ...state, progress, history: withLosses(upToStep(state.history, step - losses.length), losses, step) };
    }
    case "epochEnd": {
      const { type: _, ...end } = action;
      return { ...state, epochs: [...state.epochs.filter((e) => e.epoch < end.epoch), end] };
    }
    case "report":
      // The cell that was chosen stays; its images are asked for anew.
      return action.report
        ? { ...state, report: action.report, testing: false }
        : { ...state, report: null, cell: null, cellChoice: null };
    case "testing":
      return { ...state, testing: action.running };
    case "chooseCell":
      return { ...state, cellChoice: { truth: action.truth, predicted: action.predicted }, cell: null };
    case "cell": {
      const wanted = state.cellChoice;
      if (wanted && (wanted.truth !== action.cell.truth || wanted.predicted !== action.cell.predicted)) return state;
      return { ...state, cell: action.cell };
    }
    case "finished":
      return { ...state, finished: true, training: false, whyStopped: "finished" };
    case "diverged":
      return {
        ...state,
        training: false,
        whyStopped: "diverged",
        diverged: { step: action.step, message: action.message },
      };
    case "weights":
      return {
        ...state,
        weights: action.status,
        weightsRefused: action.refused ?? false,
        weightsTaken: state.weightsTaken + (action.taken ? 1 : 0),
        answerNames: action.taken ? namesOf(action.taken.classNames) : state.answerNames,
      };
    case "offerContinue":
      return { ...state, saved: action.saved };
    case "notice": {
      const key = state.noticesTold + 1;
      const { level, code, message } = action;
      // The same thing said again replaces itself; at most three are shown.
      const others = state.notices.filter((notice) => notice.code !== code || notice.message !== message);
      return {
        ...state,
        notices: [...others, { key, level, code, message }].slice(-3),
        noticesTold: key,
        mnistMissing: state.mnistMissing || code === "synthetic_data",
      };
    }
    case "dismiss":
      return { ...state, notices: state.notices.filter((notice) => notice.key !== action.key) };
    default:
      return state;
  }
}

/** Names worth showing: digits name themselves. @param {string[] | null} names */
const namesOf = (names) => (names === null || areDigits(names) ? null : names);

/**
 * Holds the state; tells its subscribers after each change.
 * @template S, A
 * @param {(state: S, action: A) => S} reducer
 * @param {S} initial
 */
export function createStore(reducer, initial) {
  let state = initial;
  /** @type {Set<(state: S) => void>} */
  const listeners = new Set();
  return {
    getState: () => state,
    /** @param {A} action */
    dispatch(action) {
      const next = reducer(state, action);
      if (next === state) return;
      state = next;
      for (const listener of listeners) listener(state);
    },
    /** @param {(state: S) => void} listener @returns {() => void} how to stop */
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
