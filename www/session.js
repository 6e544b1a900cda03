// The page's side of both engines: picks the device, loads data, mirrors weights to the reader,
// restores after a crash; and tells the store of it, as actions.

import { GPU_NOT_USED, adapterName, chooseDevice, probeAdapter } from "./adapter.js";
import { Engine } from "./engine.js";
import { CodedError, DEFAULT_CONFIG, SYNTHETIC, failureOf, inWords, isCrash, only, sentence } from "./protocol.js";
import { Reader, fetchShipped } from "./reader.js";

export { latestWins } from "./reader.js";

/**
 * @typedef {import("./protocol.js").AnyEvent} AnyEvent
 * @typedef {import("./protocol.js").Config} Config
 * @typedef {import("./protocol.js").Device} Device
 * @typedef {import("./protocol.js").LookInput} LookInput
 * @typedef {import("./protocol.js").SamplesQuery} SamplesQuery
 * @typedef {import("./protocol.js").SavedRun} SavedRun
 * @typedef {import("./protocol.js").Source} Source
 * @typedef {import("./protocol.js").SplitName} SplitName
 *
 * @typedef {import("./store.js").Action} Action
 * @typedef {import("./store.js").State} State
 *
 * @typedef {object} SessionOptions
 * @property {(action:Action)=>void} dispatch
 * @property {()=>State|null} [getState]
 * @property {URLSearchParams|Record<string,string>} [params]  `device` forces one.
 * @property {typeof Engine} [EngineClass]  Tests put their own, as the two below.
 * @property {typeof fetch} [fetching]
 * @property {typeof probeAdapter} [probe]
 */

/** Two crashes within this are no accident. */
const CRASH_WINDOW_MS = 60_000;
const CELL_COUNT = 60;
/** A GPU that takes longer to start, download included, is given up. */
const GPU_START_LIMIT_MS = 90_000;
const SHIPPED = "The page answers with the weights that came with it.";
/** Larger than any weights of this net. */
const WEIGHTS_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Makes the session and starts both engines behind it; `ready` and `settled` say when.
 * @param {SessionOptions} options
 */
export async function createSession(options) {
  const session = new Session(options);
  void session.boot();
  return session;
}

export class Session {
  #dispatch;
  #getState;
  #forced;
  #probe;
  #fetching;
  #reader;
  #trainer;

  /** @type {import("./adapter.js").Adapter|null} */
  #adapter = null;
  /** @type {Source|null} */
  #source = null;
  /** @type {SavedRun|null} */
  #saved = null;
  /** @type {Uint8Array|null} */
  #shipped = null;
  /** @type {Config} */
  #config = DEFAULT_CONFIG;
  /** The last checkpoint of the run, for a new engine after a crash. @type {Uint8Array|null} */
  #checkpoint = null;
  #training = false;
  /** Whether the trainer's loop carries on a test outside of training. */
  #testing = false;
  /** Weights from a file, which the next run begins with. @type {Uint8Array|null} */
  #initial = null;
  /** Class names of the data at hand. @type {string[]|null} */
  #classNames = null;
  /** Whether the run is over, so that the next one begins anew. */
  #over = false;
  /** @type {AbortController|null} */
  #load = null;
  #crashedAtMs = -Infinity;
  /** @type {Promise<void>|null} */
  #recovering = null;

  /** Resolves when the reader has answered for the first time. @type {Promise<void>} */
  ready;
  /** Resolves when the trainer is up and holds data, or cannot be had. @type {Promise<void>} */
  settled;
  /** @type {()=>void} */
  #setReady = () => {};
  /** @type {()=>void} */
  #setSettled = () => {};
  /** @type {Promise<void>} */
  #trainerUp;
  /** @type {()=>void} */
  #setTrainerUp = () => {};

  /** @param {SessionOptions} options */
  constructor({ dispatch, getState = () => null, params, EngineClass = Engine, fetching, probe = probeAdapter }) {
    this.#dispatch = dispatch;
    this.#getState = getState;
    this.#forced = (params instanceof URLSearchParams ? params.get("device") : params?.device) ?? null;
    this.#probe = probe;
    this.#fetching = fetching;
    this.#reader = new Reader({
      EngineClass,
      onLook: (look) => dispatch({ type: "look", look }),
      onError: ({ code, message }) => this.#notice(code.startsWith("reader") ? "error" : "warning", code, message),
    });
    this.#trainer = new EngineClass({
      role: "trainer",
      device: "cpu",
      onEvent: (event) => this.#onEvent(event),
      onCrash: (error) => this.#onCrash(error),
    });
    this.ready = new Promise((resolve) => (this.#setReady = resolve));
    this.settled = new Promise((resolve) => (this.#setSettled = resolve));
    this.#trainerUp = new Promise((resolve) => (this.#setTrainerUp = resolve));
  }

  /** Starts the reader, then the trainer, then brings data. */
  async boot() {
    await this.#bootReader();
    this.#setReady();
    try {
      this.#adapter = await this.#probe();
      await this.#bootTrainer(chooseDevice(this.#adapter, this.#forced));
      await Promise.all([this.#offerSaved(), this.#bootData()]);
    } catch (error) {
      const said = sentence(`The training engine could not be started: ${inWords(error)}`);
      this.#device(null, said, null);
      this.#notice("error", failureOf(error).code, said);
      this.#setTrainerUp(); // who waits for it is told that it is not there
    }
    this.#setSettled();
  }

  // Drawing

  /**
   * Asks what a drawing is; the answer comes as an action. Of drawings that come too fast only the
   * newest is answered.
   * @param {LookInput} input
   * @param {{target?:number|null}} [options]
   */
  look(input, { target = null } = {}) {
    return this.#reader.look(input, target);
  }

  /**
   * Asks what a sample is, and answers it to the caller alone.
   * @param {Uint8Array} image
   * @param {number|null} [target]
   */
  explainSample(image, target = null) {
    return this.#reader.answer({ input: { image }, target });
  }

  // Data

  /**
   * @param {string} id
   * @param {{mirrors?:boolean}} [options]
   */
  loadCatalog(id, { mirrors = false } = {}) {
    return this.#use({ kind: "catalog", id, mirrors }, id);
  }

  loadSynthetic() {
    return this.#use(SYNTHETIC, null);
  }

  /** @param {Iterable<File>} files */
  loadFiles(files) {
    const key = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    return this.#use({ kind: "files", files: [...files], key }, null);
  }

  async cancelLoad() {
    this.#load?.abort();
  }

  /** @param {SamplesQuery} query */
  async samples(query) {
    return only(await this.#execute({ type: "samples", ...query }), "samples");
  }

  /** @param {SplitName} split */
  async statistics(split) {
    return only(await this.#execute({ type: "statistics", split }), "statistics");
  }

  // Training

  /**
   * Sets up a new run: with fresh weights, or with those that were loaded and never trained on.
   * @param {Config} config
   */
  async configure(config) {
    try {
      await this.#up();
      await this.#halt();
      await this.#configure(config);
      return true;
    } catch (error) {
      throw this.#thrown(error);
    }
  }

  async train() {
    try {
      await this.#up();
      if (this.#over) {
        await this.#halt();
        await this.#configure(this.#config);
      }
      this.#offer(null);
      this.#training = true;
      await this.#trainer.train(true);
      return true;
    } catch (error) {
      this.#training = false;
      throw this.#thrown(error);
    }
  }

  async pause() {
    try {
      await this.#halt();
    } catch (error) {
      throw this.#thrown(error);
    }
  }

  /** Ends the run; what was learned goes on answering, and the next run begins anew. */
  async stop() {
    await this.pause();
    this.#over = true;
    this.#dispatch({ type: "training", running: false, reason: "stopped" });
  }

  /** Drops what was learned: fresh weights to train, and the page's own to answer with. */
  async reset() {
    try {
      await this.#up();
      await this.#halt();
      this.#initial = null;
      await this.#configure(this.#getState()?.config ?? this.#config);
      await this.#trainer.request({ type: "forget" });
      this.#offer(null);
      if (this.#shipped) {
        await this.#reader.useWeights(this.#shipped);
        this.#weights(SHIPPED, { classNames: null });
      }
      return true;
    } catch (error) {
      throw this.#thrown(error);
    }
  }

  /** @param {number} learningRate */
  async setLearningRate(learningRate) {
    try {
      const events = await this.#execute({ type: "setLearningRate", learningRate });
      // A run that ended meanwhile stays ended: the next one is set up with the new rate.
      if (!this.#over) this.#told(events);
      return true;
    } catch (error) {
      throw this.#thrown(error);
    }
  }

  /** @param {SplitName} split */
  async test(split) {
    try {
      this.#told(await this.#execute({ type: "test", split }));
      if (!this.#training) {
        this.#test(true);
        await this.#trainer.train(true, "report");
      }
      return true;
    } catch (error) {
      this.#test(false);
      throw this.#thrown(error);
    }
  }

  /**
   * @param {number} truth
   * @param {number} predicted
   */
  async cell(truth, predicted) {
    try {
      return only(await this.#execute({ type: "cell", truth, predicted, count: CELL_COUNT }), "cell");
    } catch (error) {
      if (failureOf(error).code !== "no_report") throw this.#thrown(error);
      throw new CodedError("no_report", "The engine was started anew since this test. Test again to see the images.");
    }
  }

  // Weights and runs

  /** The weights that the page answers with, as a file; while training, the newest there are. */
  async exportWeights() {
    try {
      if (!this.#training) return await this.#reader.exportWeights();
      return only(await this.#execute({ type: "exportWeights", half: false }), "weights").bytes;
    } catch (error) {
      throw this.#thrown(error);
    }
  }

  /**
   * Loads weights from a file. It is checked before anything is asked, ended or replaced; a wrong one
   * is told as the status of the weights. The next run begins with those of a good one.
   * @param {File} file
   * @param {()=>Promise<boolean>} [agree]  Asked once the file is known to be good.
   * @returns {Promise<boolean>}  Whether they were loaded.
   */
  async loadWeights(file, agree = async () => true) {
    try {
      if (file.size > WEIGHTS_LIMIT_BYTES) throw new CodedError("file_too_large", `${file.name} has ${file.size} bytes; weights of this net take at most ${WEIGHTS_LIMIT_BYTES}`);
      const bytes = new Uint8Array(await file.arrayBuffer());
      await this.#reader.check(bytes);
      if (!(await agree())) return false;
      await this.#up();
      await this.#halt();
      const events = await this.#execute({ type: "importWeights", bytes });
      this.#initial = bytes;
      this.#begun(events);
      await this.#reader.useWeights(bytes);
      const { parameters, metadata } = only(events, "weightsLoaded");
      this.#weights(`Loaded ${parameters.toLocaleString("en")} parameters from ${file.name}.`, { classNames: await this.#namesIn(metadata) });
      return true;
    } catch (error) {
      if (this.#recovering) throw this.#thrown(error);
      this.#dispatch({ type: "weights", status: `${file.name} was not loaded: ${inWords(error)}.`, refused: true });
      return false;
    }
  }

  /** Goes on with the run that this browser kept. */
  async continueRun() {
    const saved = this.#saved;
    if (!saved) return false;
    try {
      await this.#up();
      await this.#halt();
      if (!sameSource(this.#source, saved.source) && !(await this.#use(saved.source, null, false))) return false;
      const events = await this.#trainer.request({ type: "continue" });
      this.#begun(events);
      this.#dispatch({ type: "config", change: only(events, "run").config });
      this.#over = saved.finished;
      this.#initial = null;
      this.#offer(null);
      if (!saved.finished) await this.train();
      return true;
    } catch (error) {
      throw this.#thrown(error);
    }
  }

  /** Drops the run that this browser kept. */
  async discardRun() {
    this.#offer(null);
    await this.#trainer.request({ type: "forget" }).catch(() => {});
  }

  /** The crate's catalog of datasets. */
  async catalog() {
    await this.#trainerUp;
    return only(await this.#trainer.request({ type: "catalog" }), "catalog").catalog;
  }

  /** Ends both engines. */
  dispose() {
    this.#load?.abort();
    this.#reader.dispose();
    this.#trainer.dispose();
  }

  // Start-up

  async #bootReader() {
    const shipped = fetchShipped(this.#fetching);
    shipped.catch(() => {}); // told below
    try {
      const failure = await this.#reader.start(shipped);
      if (failure) {
        this.#notice("error", "weights_unavailable", `The weights that come with the page could not be loaded (${failureOf(failure).message}), so drawings are answered once you have trained.`);
      } else {
        this.#shipped = await shipped;
        this.#weights(SHIPPED, { classNames: null });
      }
      this.#device(null, null, null);
      this.#dispatch({ type: "ready" });
    } catch (error) {
      this.#notice("error", "reader_gone", `The engine could not be started: ${inWords(error)}. It needs a browser with WebAssembly SIMD.`);
    }
  }

  /** @param {{device:Device, why:string|null}} choice */
  async #bootTrainer({ device, why }) {
    if (device === "gpu") {
      let late = false;
      const patience = setTimeout(() => {
        late = this.#forced !== "gpu";
        if (late) this.#trainer.dispose();
      }, GPU_START_LIMIT_MS);
      try {
        await this.#startTrainer("gpu", null);
        return;
      } catch (error) {
        why = `${GPU_NOT_USED}: ${late ? `it was not ready within ${GPU_START_LIMIT_MS / 1000} s` : gpuInWords(error)}.`;
      } finally {
        clearTimeout(patience);
      }
    }
    await this.#startTrainer("cpu", why);
  }

  /**
   * @param {Device} device
   * @param {string|null} why
   */
  async #startTrainer(device, why) {
    const info = await this.#trainer.start(device);
    if (device === "gpu" && info.parity && !info.parity.ok) {
      this.#trainer.dispose();
      throw new CodedError("gpu_differs", `its results differ from the CPU's (relative error ${info.parity.maxRelativeError.toExponential(1)})`);
    }
    this.#device(device, why, info.parity);
    this.#setTrainerUp();
  }

  async #offerSaved() {
    const { saved, elsewhere } = only(await this.#trainer.request({ type: "kept" }), "kept");
    if (elsewhere) this.#notice("info", "second_tab", "Another tab of this page is training and keeps its run in this browser; this tab trains for itself.");
    this.#offer(saved);
  }

  async #bootData() {
    if (this.#load || this.#source) return; // the visitor was faster
    const quiet = await this.#bring({ kind: "catalog", id: "mnist", mirrors: false }).then(
      () => null,
      (error) => failureOf(error),
    );
    if (!quiet) return;
    if (this.#load || this.#source) return;
    if (isCrash(quiet.code)) return; // told, and the new engine brings data
    if (quiet.code !== "aborted") {
      this.#notice("info", "synthetic_data", `MNIST is not on this site (${quiet.message}). Until you fetch it, the page trains on digits that it draws itself.`);
    }
    await this.#use(SYNTHETIC, null);
  }

  // Data

  /**
   * Loads data and sets up a new run on it. A failure is told, and what was there stays.
   * @param {Source} source
   * @param {string|null} retry  What a press on "retry" loads.
   * @param {boolean} [configure]
   */
  async #use(source, retry, configure = true) {
    try {
      await this.#bring(source, configure);
      return true;
    } catch (error) {
      const { code } = failureOf(error);
      if (code !== "aborted") this.#dispatch({ type: "dataError", code, message: inWords(error), retry });
      return false;
    }
  }

  /**
   * @param {Source} source
   * @param {boolean} [configure]
   */
  async #bring(source, configure = true) {
    this.#load?.abort();
    const load = new AbortController();
    this.#load = load;
    try {
      await this.#up();
      load.signal.throwIfAborted();
      await this.#halt();
      const what = source.kind === "catalog" ? source.id : source.kind === "synthetic" ? "synthetic digits" : "your files";
      this.#dispatch({ type: "loading", what, receivedBytes: 0, totalBytes: 0 });
      this.#loaded(source, await this.#trainer.request({ type: "load", source }, { signal: load.signal }));
      if (configure) await this.#configure(this.#getState()?.config ?? this.#config);
    } finally {
      if (this.#load === load) {
        this.#load = null;
        this.#dispatch({ type: "loading", what: null });
      }
    }
  }

  /**
   * @param {Source} source
   * @param {AnyEvent[]} events
   */
  #loaded(source, events) {
    const dataset = only(events, "dataset");
    this.#source = source;
    this.#checkpoint = null;
    this.#classNames = dataset.classNames;
    this.#dispatch({ type: "dataset", dataset });
  }

  // The trainer

  /** Waits until the trainer can be asked. */
  async #up() {
    await this.#trainerUp;
    await this.#recovering;
  }

  /** @param {import("./protocol.js").Command} command */
  async #execute(command) {
    await this.#up();
    return this.#trainer.execute(command);
  }

  /** @param {Config} config */
  async #configure(config) {
    let events = await this.#trainer.execute({ type: "configure", config });
    if (this.#initial) events = await this.#trainer.execute({ type: "importWeights", bytes: this.#initial });
    this.#begun(events);
    this.#config = config;
  }

  /**
   * A run was put into the trainer: of what was there before, nothing holds any more.
   * @param {AnyEvent[]} events
   */
  #begun(events) {
    this.#checkpoint = null;
    this.#over = false;
    this.#dispatch({ type: "report", report: null });
    this.#told(events);
  }

  /** Stops the trainer's loop; from training it hands out its last weights. */
  async #halt() {
    if (!this.#training && !this.#testing) return;
    this.#training = false;
    this.#test(false);
    await this.#trainer.train(false);
  }

  /** @param {boolean} running */
  #test(running) {
    if (this.#testing === running) return;
    this.#testing = running;
    this.#dispatch({ type: "testing", running });
  }

  /** @param {AnyEvent[]} events */
  #told(events) {
    for (const event of events) this.#onEvent(event);
  }

  /** @param {AnyEvent} event */
  #onEvent(event) {
    switch (event.type) {
      case "run": {
        const { type, ...run } = event;
        this.#config = run.config;
        this.#dispatch({ type, run });
        break;
      }
      case "progress": {
        const { type, ...progress } = event;
        this.#dispatch({ type, progress });
        break;
      }
      case "report": {
        const { type, ...report } = event;
        this.#testing = false;
        this.#dispatch({ type, report });
        break;
      }
      case "loading":
        if (this.#load) this.#dispatch(event);
        break;
      case "weights":
        void this.#mirror(event.bytes);
        break;
      case "checkpoint":
        this.#checkpoint = event.bytes;
        this.#initial = null; // the run has them now
        break;
      case "training":
        this.#training = event.running;
        this.#test(false);
        if (event.running) {
          this.#dispatch({ type: "training", running: true });
          break;
        }
        if (event.reason === "finished" || event.reason === "diverged") this.#over = true;
        this.#dispatch({ type: "training", running: false, reason: event.reason });
        if (event.reason === "error") this.#notice("error", event.code ?? "unexpected", sentence(`Training stopped: ${event.message}`));
        break;
      case "epochEnd":
      case "finished":
      case "diverged":
      case "notice":
        this.#dispatch(event);
        break;
    }
  }

  /** @param {Uint8Array} bytes */
  async #mirror(bytes) {
    try {
      const classNames = this.#classNames;
      if (!(await this.#reader.useWeights(bytes))) return;
      this.#weights("The page answers with the weights of your run.", { classNames });
    } catch (error) {
      this.#notice("warning", failureOf(error).code, `Drawings are still answered with older weights: ${inWords(error)}.`);
    }
  }

  // Crashes

  /** @param {CodedError} error */
  #onCrash(error) {
    this.#recovering ??= this.#recover(error).finally(() => (this.#recovering = null));
  }

  /**
   * Starts a new trainer and puts it where the last one was at its last checkpoint.
   * @param {CodedError} error
   */
  async #recover(error) {
    const trained = this.#training;
    const checkpoint = this.#checkpoint;
    const now = performance.now();
    const again = now - this.#crashedAtMs < CRASH_WINDOW_MS;
    this.#crashedAtMs = now;
    let device = this.#trainer.device;
    const next = !trained
      ? "A new one was started; what was learnt is kept"
      : checkpoint ? "It goes on from its last checkpoint, a few seconds back" : "It begins anew";
    this.#notice("warning", "trainer_crashed", `The training engine stopped: ${inWords(error)}. ${next}.`);
    if (trained) this.#dispatch({ type: "training", running: false, reason: "crashed" });
    this.#test(false);
    /** @type {unknown} */
    let failure = error;
    for (let attempt = 0; attempt < 3; attempt++) {
      const toCpu = device === "gpu" && (again || attempt > 0);
      if (toCpu) device = "cpu";
      try {
        const why = device === "gpu" ? null : toCpu || this.#forced === "gpu" ? `The GPU failed (${gpuInWords(failure)}), so training goes on on the CPU.` : (this.#getState()?.device?.why ?? null);
        await this.#startTrainer(device, why);
        if (!this.#source) {
          // It crashed over its first data; what it can draw itself is safe.
          this.#notice("warning", "synthetic_data", "The first data could not be loaded. Until you load some, the page trains on digits that it draws itself.");
          this.#loaded(SYNTHETIC, await this.#trainer.request({ type: "load", source: SYNTHETIC }));
        } else await this.#trainer.request({ type: "load", source: this.#source });
        // The trainer gets a copy, since the bytes may be needed again.
        if (checkpoint) this.#told(await this.#trainer.execute({ type: "importCheckpoint", bytes: checkpoint }));
        else await this.#configure(this.#config);
        if (trained) {
          this.#training = true;
          await this.#trainer.train(true);
        }
        return;
      } catch (caught) {
        failure = caught;
      }
    }
    this.#training = false;
    const said = `The training engine cannot be started again: ${inWords(failure)}.`;
    this.#device(null, said, null);
    this.#notice("error", "trainer_gone", `${said} Reload the page; the run is kept.`);
  }

  // What the store is told

  /**
   * @param {Device|null} trainer
   * @param {string|null} why
   * @param {import("./protocol.js").Parity|null} parity
   */
  #device(trainer, why, parity) {
    this.#dispatch({ type: "device", trainer, adapter: adapterName(this.#adapter), why, parity });
  }

  /** @param {SavedRun|null} saved */
  #offer(saved) {
    this.#saved = saved;
    this.#dispatch({ type: "offerContinue", saved });
  }

  /**
   * @param {string} status
   * @param {{classNames:string[]|null}} [taken]  Where the weights that answer were replaced: what their classes are called.
   */
  #weights(status, taken) {
    this.#dispatch({ type: "weights", status, ...(taken ? { taken } : {}) });
  }

  /**
   * What the classes of a file of weights are called, as far as its notes tell.
   * @param {Record<string, string>} metadata
   */
  async #namesIn(metadata) {
    const id = metadata["glassbox.dataset"];
    if (id === undefined) return null;
    if (id === this.#getState()?.dataset?.id) return this.#classNames;
    return (await this.catalog()).find((entry) => entry.id === id)?.classNames ?? null;
  }

  /**
   * @param {"info"|"warning"|"error"} level
   * @param {string} code
   * @param {string} message
   */
  #notice(level, code, message) {
    this.#dispatch({ type: "notice", level, code, message });
  }

  /**
   * What a method throws. A crash is told by the one who mends it, so that the caller hears only
   * that its work was cancelled.
   * @param {unknown} error
   */
  #thrown(error) {
    const { code, message } = failureOf(error);
    if (this.#recovering || code === "aborted") return new DOMException("it was cancelled", "AbortError");
    return new CodedError(code, sentence(message));
  }
}

/**
 * Why a GPU cannot be used, for people. What the engine says of a device that it cannot have is the
 * graphics library's own text, which is for the console.
 * @param {unknown} error
 */
function gpuInWords(error) {
  const { code, message } = failureOf(error);
  if (code !== "device_unavailable") return inWords(error);
  console.warn(`${code}: ${message}`);
  return "the browser gave no device on it that can compute";
}

/**
 * @param {Source|null} a
 * @param {Source} b
 */
function sameSource(a, b) {
  if (!a) return false;
  if (a.kind === "catalog" && b.kind === "catalog") return a.id === b.id;
  if ("key" in a && "key" in b) return a.key === b.key;
  return a.kind === "synthetic" && b.kind === "synthetic" && a.trainCount === b.trainCount && a.testCount === b.testCount && a.seed === b.seed;
}
