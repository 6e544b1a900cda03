// Owns one wasm engine: takes requests, answers with events. One worker trains, one reads; a third
// kind, on the benchmark page, is driven step by step.

import { RunStore, storageFailure } from "./checkpoints.js";
import { loadCatalogFiles, loadOwnFiles } from "./datasets.js";
import { CodedError, buffersOf, failureOf } from "./protocol.js";
import { TrainingLoop } from "./training-loop.js";

/**
 * @typedef {import("./protocol.js").AnyEvent} AnyEvent
 * @typedef {import("./protocol.js").Command} Command
 * @typedef {import("./protocol.js").Device} Device
 * @typedef {import("./protocol.js").FromWorker} FromWorker
 * @typedef {import("./protocol.js").Request} Request
 * @typedef {import("./protocol.js").Source} Source
 * @typedef {import("./protocol.js").ToWorker} ToWorker
 *
 * @typedef {object} Bundle  The module that wasm-bindgen made.
 * @property {(options?:any)=>Promise<any>} default
 * @property {(device:Device)=>Promise<{execute(command:Command):Promise<any>}>} createLab
 * @property {()=>any} catalog
 *
 * @typedef {object} HostMeans
 * @property {(message:FromWorker, transfer:Transferable[])=>void} post
 * @property {(device:Device, module:WebAssembly.Module|undefined)=>Promise<Bundle>} bundle
 * @property {RunStore} store
 * @property {()=>void} close
 */

/** After a reload, the page before may hold its run for a moment longer. */
const RELOAD_TRIES = 4;
const RELOAD_WAIT_MS = 250;

/**
 * Whether an error leaves the engine unusable: a wasm trap, which is what a panic ends in.
 * @param {unknown} error
 */
function isTrap(error) {
  return error instanceof WebAssembly.RuntimeError || /panicked at|unreachable executed/.test(String(/** @type {any} */ (error)?.message ?? error));
}

export class Host {
  #means;
  /** @type {Bundle|null} */
  #bundle = null;
  /** @type {{execute(command:Command):Promise<any>}|null} */
  #lab = null;
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** @type {Map<number, AbortController>} */
  #aborts = new Map();
  #loop;
  /** @type {Source|null} */
  #source = null;
  /** @type {import("./protocol.js").DatasetEvent|null} */
  #dataset = null;
  /** @type {import("./protocol.js").RunEvent|null} */
  #run = null;
  /** Whether this worker keeps its run; null before it was asked. @type {boolean|null} */
  #keeps = null;
  #dead = false;
  /** The last panic's message, for people. */
  panicMessage = "";

  /** @param {HostMeans} means */
  constructor(means) {
    this.#means = means;
    this.#loop = new TrainingLoop({
      execute: (command) => this.#execute(command),
      post: (events) => events.forEach((event) => this.#post(event)),
      keep: (checkpoint, finished) => this.#keep(checkpoint, finished),
    });
  }

  /**
   * Answers one message of the page.
   * @param {ToWorker} message
   */
  async receive(message) {
    if (message.type === "abort") {
      this.#aborts.get(message.of)?.abort();
      return;
    }
    const { id } = message;
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    try {
      const events = await this.#answer(message, abort.signal);
      if (!this.#dead) this.#means.post({ id, ok: true, events }, buffersOf(events));
    } catch (error) {
      if (isTrap(error)) this.crash("panic", error);
      else if (!this.#dead) this.#means.post({ id, ok: false, error: failureOf(error) }, []);
    } finally {
      this.#aborts.delete(id);
    }
  }

  /**
   * Says that this engine is gone, and ends the worker.
   * @param {string} code
   * @param {unknown} error
   */
  crash(code, error) {
    if (this.#dead) return;
    this.#dead = true;
    const message = this.panicMessage || failureOf(error).message;
    this.#means.post({ id: null, event: { type: "crashed", code, message } }, []);
    this.#means.close();
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} signal
   * @returns {Promise<AnyEvent[]>}
   */
  async #answer(request, signal) {
    switch (request.type) {
      case "start":
        this.#bundle = await this.#means.bundle(request.device, request.module);
        this.#lab = await this.#bundle.createLab(request.device);
        return this.#execute({ type: "info" });
      case "command":
        return this.#execute(request.command, signal);
      case "train":
        if (!request.run) await this.#loop.stop();
        else {
          if (request.until !== "report") await this.#claim();
          await this.#loop.start(request.until ?? "finished");
        }
        return [];
      case "catalog":
        return [{ type: "catalog", catalog: this.#catalog() }];
      case "load":
        return this.#load(request.source, signal);
      case "kept":
        return [await this.#kept()];
      case "continue":
        return this.#continue();
      case "forget":
        await this.#forget().catch(() => {});
        return [];
      default:
        throw new CodedError("command_invalid", `the worker knows no "${/** @type {any} */ (request).type}"`);
    }
  }

  /** @returns {import("./protocol.js").CatalogEntry[]} */
  #catalog() {
    if (!this.#bundle) throw new CodedError("not_started", "the engine is not started");
    return this.#bundle.catalog();
  }

  /**
   * Runs a command, one after another.
   * @param {Command} command
   * @param {AbortSignal} [signal]
   * @returns {Promise<AnyEvent[]>}
   */
  #execute(command, signal) {
    const turn = this.#queue.then(async () => {
      signal?.throwIfAborted();
      if (!this.#lab) throw new CodedError("not_started", "the engine is not started");
      /** @type {AnyEvent[]} */
      const events = await this.#lab.execute(command);
      for (const event of events) {
        if (event.type === "run") this.#run = event;
        if (event.type === "dataset") this.#dataset = event;
      }
      return events;
    });
    this.#queue = turn.catch((error) => {
      const { code } = failureOf(error);
      if (isTrap(error)) this.crash("panic", error);
      else if (code === "device_failed") this.crash(code, error);
    });
    return turn;
  }

  /**
   * @param {Source} source
   * @param {AbortSignal} signal
   */
  async #load(source, signal) {
    const options = {
      signal,
      /** @type {import("./datasets.js").OnProgress} */
      onProgress: (what, receivedBytes, totalBytes) => this.#post({ type: "loading", what, receivedBytes, totalBytes }),
      /** @type {import("./datasets.js").OnNotice} */
      onNotice: (code, message) => this.#notice(code, message),
    };
    /** @type {AnyEvent[]} */
    let events;
    /** @type {Source} */
    let from = source;
    if (source.kind === "synthetic") {
      const { trainCount, testCount, seed } = source;
      events = await this.#execute({ type: "loadSynthetic", trainCount, testCount, seed }, signal);
    } else if (source.kind === "catalog") {
      const entry = this.#catalog().find(({ id }) => id === source.id);
      if (!entry) throw new CodedError("unknown_dataset", `there is no dataset called ${source.id}`);
      const files = await loadCatalogFiles(entry, { mirrors: source.mirrors, ...options });
      events = await this.#execute({ type: "loadIdx", id: entry.id, title: entry.title, ...files }, signal);
    } else {
      const files = source.kind === "own" ? await this.#means.store.own(source.key) : await loadOwnFiles(source.files, options);
      events = await this.#execute({ type: "loadIdx", id: "own", title: "Your own files", ...files }, signal);
      from = { kind: "own", key: source.key };
      if (source.kind === "files") {
        await this.#means.store.saveOwn(source.key, files).catch(() => {
          this.#notice("data_not_kept", "Your files could not be kept in this browser: a run on them cannot be continued after the page is closed.");
        });
      }
    }
    this.#source = from;
    return events;
  }

  /** @returns {Promise<import("./protocol.js").KeptEvent>} */
  async #kept() {
    try {
      let elsewhere = await this.#means.store.elsewhere();
      for (let i = 0; elsewhere && i < RELOAD_TRIES; i++) {
        await new Promise((resolve) => setTimeout(resolve, RELOAD_WAIT_MS));
        elsewhere = await this.#means.store.elsewhere();
      }
      return { type: "kept", saved: elsewhere ? null : await this.#means.store.peek(), elsewhere };
    } catch {
      return { type: "kept", saved: null, elsewhere: false };
    }
  }

  async #continue() {
    if (!(await this.#means.store.claim())) {
      throw new CodedError("second_tab", "another tab of this page is training; the saved run is that tab's");
    }
    this.#keeps = true;
    const bytes = await this.#means.store.checkpoint();
    if (!bytes) throw new CodedError("checkpoint_invalid", "there is no saved run any more");
    const events = await this.#execute({ type: "importCheckpoint", bytes });
    const weights = await this.#execute({ type: "exportWeights", half: false });
    return [...events, ...weights];
  }

  /** Drops the kept run, unless it is another tab's. */
  async #forget() {
    if (await this.#means.store.claim()) await this.#means.store.forget();
  }

  /** Finds out whether this tab may keep its run, and says so where it may not. */
  async #claim() {
    if (this.#keeps === true) return;
    const before = this.#keeps;
    this.#keeps = await this.#means.store.claim().catch(() => true);
    if (!this.#keeps && before === null) {
      this.#notice("second_tab", "Another tab of this page keeps its run in this browser, so this tab trains but is not kept for a later visit.");
    }
  }

  /**
   * @param {import("./protocol.js").CheckpointEvent} checkpoint
   * @param {boolean} finished
   */
  async #keep({ bytes, epoch, step, datasetId }, finished) {
    if (!this.#keeps || !this.#run || !this.#source) return;
    const { config, totalSteps } = this.#run;
    try {
      const title = this.#dataset?.title ?? datasetId;
      await this.#means.store.save({ savedAt: Date.now(), source: this.#source, datasetId, title, config, epoch, step, totalSteps, finished }, bytes);
    } catch (error) {
      const { code, message } = storageFailure(error);
      this.#keeps = false;
      this.#notice(code, message);
    }
  }

  /**
   * @param {string} code
   * @param {string} message
   */
  #notice(code, message) {
    this.#post({ type: "notice", level: "warning", code, message });
  }

  /** @param {AnyEvent} event */
  #post(event) {
    if (!this.#dead) this.#means.post({ id: null, event }, buffersOf([event]));
  }
}

/**
 * Tells of a GPU device that was lost. The engine asks the browser for its device by itself and
 * only hears of a loss at its next call, if at all.
 * @param {any} scope
 * @param {(message:string)=>void} lost
 */
function watchDevices(scope, lost) {
  const prototype = scope.GPUAdapter?.prototype;
  if (!prototype) return;
  const requestDevice = prototype.requestDevice;
  prototype.requestDevice = async function (/** @type {any[]} */ ...options) {
    const device = await requestDevice.apply(this, options);
    void device.lost.then((/** @type {any} */ info) => {
      if (info.reason !== "destroyed") lost(info.message || "the GPU device was lost");
    });
    return device;
  };
}

/**
 * Wires a host to a worker's scope.
 * @param {any} scope
 */
function serve(scope) {
  const host = new Host({
    post: (message, transfer) => scope.postMessage(message, transfer),
    bundle: async (device, module) => {
      const bundle = await import(`./pkg/${device}/glassbox.js`);
      await bundle.default(module && { module_or_path: module });
      return bundle;
    },
    store: new RunStore(),
    close: () => scope.close(),
  });
  scope.addEventListener("message", (/** @type {MessageEvent<ToWorker>} */ { data }) => void host.receive(data));
  // A panic inside a future of wasm-bindgen's ends in an uncaught error, never in a rejection.
  scope.addEventListener("error", (/** @type {ErrorEvent} */ event) => {
    event.preventDefault();
    host.crash(isTrap(event.error ?? event.message) ? "panic" : "crashed", event.error ?? event.message);
  });
  scope.addEventListener("unhandledrejection", (/** @type {PromiseRejectionEvent} */ event) => {
    if (isTrap(event.reason)) host.crash("panic", event.reason);
  });
  watchDevices(scope, (message) => host.crash("device_failed", new CodedError("device_failed", message)));
  // The panic hook prints; the trap that follows has no message of its own.
  const print = console.error;
  console.error = (...words) => {
    const text = String(words[0] ?? "");
    if (text.includes("panicked at")) host.panicMessage = text.split("\n\nStack")[0].trim();
    print(...words);
  };
}

const scope = /** @type {any} */ (globalThis);
if (typeof scope.WorkerGlobalScope === "function" && scope instanceof scope.WorkerGlobalScope) serve(scope);
