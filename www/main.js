// Composition root: the store, the session, the views, and which is told what. No logic of its own beyond that.

import { createSession } from "./session.js";
import { configIsNew, createStore, initialState, newLearningRate, reduce, runGoesOn, runIsLive } from "./store.js";
import { createAnswerView } from "./views/answer.js";
import { createConfirm } from "./views/confirm.js";
import { createDataView } from "./views/data.js";
import { createDeviceView } from "./views/device.js";
import { byId, download } from "./views/dom.js";
import { createDrawView } from "./views/draw.js";
import { createDrop } from "./views/drop.js";
import { createExploreView, PAGE } from "./views/explore.js";
import { pageTitle } from "./views/format.js";
import { createInspectView } from "./views/inspect.js";
import { createModelView } from "./views/model.js";
import { createNoticeView } from "./views/notice.js";
import { createSaliencyView } from "./views/saliency.js";
import { createTestView } from "./views/test.js";
import { createTrainView } from "./views/train.js";
import { createWeightsView } from "./views/weights.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./store.js").Config} Config */

const WEIGHTS_NAME = "glassbox-weights.safetensors";

const { getState, dispatch, subscribe } = createStore(reduce, initialState());
const starting = createSession({ dispatch, getState, params: new URLSearchParams(location.search) });

/**
 * Does something with the session once it is up; what goes wrong becomes a notice.
 * @template T
 * @param {(session: Awaited<ReturnType<typeof createSession>>) => Promise<T> | T} work
 * @returns {Promise<T | undefined>}
 */
async function act(work) {
  try {
    return await work(await starting);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    const code = String(/** @type {any} */ (error)?.code ?? "unexpected");
    dispatch({ type: "notice", level: "error", code, message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

// ---- Drawing and its answer -----------------------------------------------------------------------------------------

/** @type {import("./draw-pad.js").Ink | null} */
let ink = null;
const target = () => {
  const { target: chosen } = getState().saliency;
  return chosen === "auto" ? null : chosen;
};
const look = () => {
  const drawing = ink;
  if (drawing) void act((session) => session.look(drawing, { target: target() }));
};
/** @param {Partial<State["saliency"]>} change */
const changeSaliency = (change) => {
  dispatch({ type: "saliency", change });
  if ("target" in change) look();
};

/**
 * Puts a sample under the glass: its answer, then the saliency of each class in turn.
 * @param {{image: Uint8Array, label: number, index: number, split: import("./store.js").Split}} sample
 * @param {boolean} go whether the visitor is brought there
 */
function inspect(sample, go) {
  const { image } = sample;
  dispatch({ type: "inspect", inspected: { ...sample, look: null, byClass: Array(10).fill(null) } });
  if (go) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    byId("inside", HTMLElement).scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
    byId("inspect-random", HTMLElement).focus({ preventScroll: true });
  }
  ask(image);
}

/** Asks about an image under the glass, with the weights of this moment. @param {Uint8Array} image */
function ask(image) {
  const { weightsTaken } = getState();
  void act(async (session) => {
    for (const asked of [null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const now = getState();
      if (now.inspected?.image !== image || now.weightsTaken !== weightsTaken) return;
      const look = await session.explainSample(image, asked);
      dispatch({ type: "inspected", image, look, asked });
    }
  });
}

/** @param {{truth: number, predicted: number}} choice of the confusion matrix */
const askCell = ({ truth, predicted }) =>
  void act(async (session) => dispatch({ type: "cell", cell: await session.cell(truth, predicted) }));

// ---- Asking before a run is lost ------------------------------------------------------------------------------------

const confirm = createConfirm();

/** @param {string} what would end the run @returns {Promise<boolean>} whether to go ahead */
async function mayEndRun(what) {
  if (!runIsLive(getState())) return true;
  if (!(await confirm(`${what} ends the run that is under way. What it has learnt so far is lost, unless you save it first.`))) {
    return false;
  }
  await act((session) => session.stop());
  return true;
}

/** @param {() => void} change made to the settings @param {string} what */
async function changeSettings(change, what) {
  const live = runIsLive(getState());
  if (!(await mayEndRun(what))) {
    train.restore();
    return;
  }
  change();
  if (live) await act((session) => session.configure(getState().config));
}

// ---- Views ----------------------------------------------------------------------------------------------------------

createDrawView({
  onInk(drawing) {
    ink = drawing;
    dispatch({ type: "ink", drawn: drawing !== null });
    look();
  },
});

const train = createTrainView({
  onPreset: (preset) => void changeSettings(() => dispatch({ type: "preset", preset }), "Another preset"),
  onConfig(change) {
    const set = () => dispatch({ type: "config", change });
    if (change.learningRate !== undefined) set(); // a run takes it over and goes on
    else void changeSettings(set, "Changing this setting");
  },
  onTrain: () =>
    void act(async (session) => {
      const state = getState();
      if (configIsNew(state) || !runGoesOn(state)) await session.configure(state.config);
      await session.train();
    }),
  onPause: () => void act((session) => session.pause()),
  onStop: () => void act((session) => session.stop()),
  onReset: () => void ending("Resetting", (session) => session.reset()),
});

/** Does what ends a run, once the visitor agrees. @param {string} what @param {Parameters<typeof act>[0]} work */
const ending = async (what, work) => {
  if (await mayEndRun(what)) await act(work);
};
/** @param {File[]} files */
const loadFiles = (files) => void ending("Loading other data", (session) => session.loadFiles(files));
/** @param {string} id */
const loadCatalog = (id) => void ending("Loading other data", (session) => session.loadCatalog(id, { mirrors: true }));
/** @param {File} file */
const loadWeights = (file) => void act((session) => session.loadWeights(file, () => mayEndRun("Loading weights")));
createDrop({ onData: loadFiles, onWeights: loadWeights });

/** @type {((state: State) => void)[]} */
const views = [
  createDeviceView(),
  createNoticeView({ onDismiss: (key) => dispatch({ type: "dismiss", key }) }),
  createAnswerView({ onTarget: (chosen) => changeSaliency({ target: chosen }) }),
  createSaliencyView({ onChange: changeSaliency }),
  createDataView({
    onCatalog: loadCatalog,
    onSynthetic: () => void ending("Loading other data", (session) => session.loadSynthetic()),
    onFiles: loadFiles,
    onCancel: () => void act((session) => session.cancelLoad()),
    onRetry: loadCatalog,
  }),
  createExploreView({
    onChange: (change) => dispatch({ type: "explore", change }),
    onInspect: (sample) => inspect(sample, true),
  }),
  createModelView(),
  train,
  createTestView({
    onTest: () => void act((session) => session.test("test")),
    onCell(truth, predicted) {
      dispatch({ type: "chooseCell", truth, predicted });
      askCell({ truth, predicted });
    },
    onInspect: (sample) => inspect(sample, true),
  }),
  createInspectView({
    onRandom: () =>
      void act(async (session) => {
        const total = getState().dataset?.testCount ?? 1;
        const offset = Math.floor(Math.random() * total);
        const one = await session.samples({ split: "test", class: null, offset, count: 1 });
        if (one.indices.length) {
          inspect({ image: one.pixels.slice(0, 784), label: one.labels[0], index: one.indices[0], split: "test" }, false);
        }
      }),
    onTarget: (chosen) => changeSaliency({ target: chosen }),
  }),
  createWeightsView({
    onSave: () =>
      void act(async (session) => {
        download(await session.exportWeights(), WEIGHTS_NAME);
        dispatch({ type: "weights", status: `Saved as ${WEIGHTS_NAME}.` });
      }),
    onLoad: loadWeights,
    onContinue: () => void act((session) => session.continueRun()),
    onDiscard: () => void act((session) => session.discardRun()),
  }),
];

// After a reload the page begins where the drawing is, and the offer to go on.
history.scrollRestoration = "manual";

// ---- State → page, once a frame -------------------------------------------------------------------------------------

let frame = 0;
function render() {
  frame = 0;
  const state = getState();
  for (const view of views) view(state);
  const marks = document.documentElement.dataset;
  if (state.ready) marks.ready = "true";
  if (state.device?.trainer) marks.trainer = state.device.trainer;
  if (state.dataset) marks.data = state.dataset.id;
}
const schedule = () => {
  frame ||= requestAnimationFrame(render);
};
subscribe(schedule);
schedule();
// No frame is drawn in a tab in the background, but its title is seen.
subscribe((state) => {
  const title = pageTitle(state);
  if (document.title !== title) document.title = title;
});

// ---- What follows from a change of state ----------------------------------------------------------------------------

/** @type {State} */
let before = initialState();
subscribe((state) => {
  const was = before;
  before = state;
  if (state.config !== was.config || state.run !== was.run) {
    const learningRate = newLearningRate(state);
    if (learningRate !== null) void act((session) => session.setLearningRate(learningRate));
  }
  if (state.weightsTaken !== was.weightsTaken && state.inspected) ask(state.inspected.image);
  if (state.report && state.report !== was.report && state.cellChoice) askCell(state.cellChoice);
  if (!state.dataset) return;
  const { split, class: ofClass, offset } = state.explore;
  const otherData = state.dataset !== was.dataset;
  if (otherData || state.explore !== was.explore) {
    void act(async (session) => {
      const samples = await session.samples({ split, class: ofClass, offset, count: PAGE });
      if (getState().explore === state.explore && getState().dataset === state.dataset) {
        dispatch({ type: "samples", samples });
      }
    });
  }
  if (otherData || split !== was.explore.split) {
    void act(async (session) => {
      const statistics = await session.statistics(split);
      if (getState().explore.split === split && getState().dataset === state.dataset) {
        dispatch({ type: "statistics", statistics });
      }
    });
  }
});

// The chart's library is fetched behind the first answer, not before it.
void act(async (session) => {
  await session.ready;
  const { createChartView } = await import("./views/chart.js");
  views.push(createChartView());
  schedule();
});
