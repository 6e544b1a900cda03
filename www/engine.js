// The page's client of a worker: request ids, abort, crash.
//
// The page compiles the wasm bundle while the worker's scripts load, and hands it over compiled: two
// workers share one download and one compilation, and a restart needs neither.
//
// A crash is a worker that threw where nobody caught it, a wasm panic (which poisons the engine) or
// a lost device. Every open request is then rejected, the worker is ended, and `onCrash` is told;
// `start` makes a fresh one.

import { CodedError, only } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").AnyEvent} AnyEvent
 * @typedef {import("./protocol.js").Command} Command
 * @typedef {import("./protocol.js").Device} Device
 * @typedef {import("./protocol.js").FromWorker} FromWorker
 * @typedef {import("./protocol.js").Request} Request
 * @typedef {import("./protocol.js").Role} Role
 *
 * @typedef {{signal?:AbortSignal, transfer?:Transferable[]}} RequestOptions
 * @typedef {{resolve:(events:AnyEvent[])=>void, reject:(error:unknown)=>void, done:()=>void}} Pending
 */

/** Codes of failures after which an engine cannot be used any more. */
const FATAL = new Set(["panic", "device_failed"]);

/** @returns {Worker} */
function openWorker() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}

/** Bundles compiled on this page. @type {Map<Device, Promise<WebAssembly.Module|undefined>>} */
const compiled = new Map();

/**
 * Compiles a bundle, once a page. Undefined where that fails: the worker then tries by itself, and
 * says what is wrong.
 * @param {Device} device
 */
function compileBundle(device) {
  const module =
    compiled.get(device) ??
    (async () => WebAssembly.compileStreaming(fetch(new URL(`./pkg/${device}/glassbox_bg.wasm`, import.meta.url))))().catch(() => {
      compiled.delete(device);
      return undefined;
    });
  compiled.set(device, module);
  return module;
}

/** @param {AbortSignal} signal */
function abortReason(signal) {
  return signal.reason?.name === "AbortError" ? signal.reason : new DOMException("it was cancelled", "AbortError");
}

export class Engine {
  /** @type {Worker|null} */
  #worker = null;
  /** What ended the last worker. */
  #endedBy = new CodedError("not_started", "the engine was never started");
  #nextId = 1;
  #starting = false;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #options;

  /**
   * @param {object} options
   * @param {Role} options.role
   * @param {Device} options.device
   * @param {(event:AnyEvent)=>void} [options.onEvent]  Told what the worker posts unasked.
   * @param {(error:CodedError)=>void} [options.onCrash]  Told when a started engine is gone.
   * @param {()=>Worker} [options.open]  Makes the worker; tests put their own, as the next.
   * @param {(device:Device)=>Promise<WebAssembly.Module|undefined>} [options.compile]
   */
  constructor({ role, device, onEvent = () => {}, onCrash = () => {}, open = openWorker, compile = compileBundle }) {
    this.role = role;
    this.device = device;
    this.#options = { onEvent, onCrash, open, compile };
  }

  /** Whether there is a worker to talk to. */
  get alive() {
    return this.#worker !== null;
  }

  /**
   * Makes the worker and its engine, ending the one that was there. Rejects, without `onCrash`,
   * where the device cannot be had.
   * @param {Device} [device]
   */
  async start(device = this.device) {
    this.dispose();
    this.device = device;
    const worker = this.#options.open();
    this.#worker = worker;
    worker.onmessage = ({ data }) => {
      if (worker === this.#worker) this.#receive(data);
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      if (worker === this.#worker) this.#crash("crashed", event.message || "the worker could not be loaded");
    };
    worker.onmessageerror = () => {
      if (worker === this.#worker) this.#crash("crashed", "a message of the worker could not be read");
    };
    this.#starting = true;
    try {
      const module = await this.#options.compile(device);
      if (worker !== this.#worker) throw this.#endedBy;
      return only(await this.request({ type: "start", device, role: this.role, ...(module ? { module } : {}) }), "info");
    } catch (error) {
      if (worker === this.#worker) this.dispose();
      throw error;
    } finally {
      if (worker === this.#worker || !this.#worker) this.#starting = false;
    }
  }

  /**
   * Sends one request and waits for its events.
   * @param {Request} request
   * @param {RequestOptions} [options]
   * @returns {Promise<AnyEvent[]>}
   */
  request(request, { signal, transfer = [] } = {}) {
    const worker = this.#worker;
    if (!worker) return Promise.reject(new CodedError("not_started", `the ${this.role} is not running`));
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const abort = () => {
        // Whether a load still changed the data, only the worker knows: its answer is waited for.
        if (request.type !== "load") this.#settle(id)?.reject(abortReason(/** @type {AbortSignal} */ (signal)));
        if (worker === this.#worker) worker.postMessage({ id: this.#nextId++, type: "abort", of: id });
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#pending.set(id, { resolve, reject, done: () => signal?.removeEventListener("abort", abort) });
      try {
        worker.postMessage({ id, ...request }, transfer);
      } catch (error) {
        this.#settle(id)?.reject(error);
      }
    });
  }

  /**
   * Runs one command of the engine.
   * @param {Command} command
   * @param {RequestOptions} [options]
   */
  execute(command, options) {
    return this.request({ type: "command", command }, options);
  }

  /**
   * Starts or stops the worker's own training loop.
   * @param {boolean} run
   * @param {"finished"|"report"} [until]
   */
  async train(run, until = "finished") {
    await this.request({ type: "train", run, until });
  }

  /** Ends the worker; open requests are rejected. */
  dispose() {
    this.#end(new CodedError("disposed", `the ${this.role} was ended`));
  }

  /** @param {FromWorker} message */
  #receive(message) {
    if (message.id === null) {
      if (message.event.type === "crashed") this.#crash(message.event.code, message.event.message);
      else this.#options.onEvent(message.event);
    } else if (message.ok) {
      this.#settle(message.id)?.resolve(message.events);
    } else {
      const { code, message: text } = message.error;
      if (FATAL.has(code)) this.#crash(code, text);
      else this.#settle(message.id)?.reject(new CodedError(code, text));
    }
  }

  /** @param {number} id */
  #settle(id) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.done();
    return pending;
  }

  /**
   * @param {string} code
   * @param {string} message
   */
  #crash(code, message) {
    const error = new CodedError(code, message);
    const starting = this.#starting;
    this.#end(error);
    if (!starting) this.#options.onCrash(error);
  }

  /** @param {CodedError} error */
  #end(error) {
    const worker = this.#worker;
    this.#worker = null;
    this.#endedBy = error;
    if (worker) {
      worker.onmessage = worker.onerror = worker.onmessageerror = null;
      worker.terminate();
    }
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error);
  }
}
