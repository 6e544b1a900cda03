// The engine that answers drawings: always on the CPU, on a copy of the current weights, so that an
// answer never waits for a training step.

import { Engine } from "./engine.js";
import { CodedError, failureOf, inWords, isCrash, only } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").LookEvent} LookEvent
 * @typedef {import("./protocol.js").LookInput} LookInput
 * @typedef {import("./protocol.js").WeightsLoadedEvent} WeightsLoadedEvent
 * @typedef {{input:LookInput, target:number|null}} Question
 */

const SHIPPED_URL = new URL("./models/lecture.safetensors", import.meta.url);

/**
 * Runs `work` for one input at a time; of those that come meanwhile only the newest is kept, and
 * the ones before it are answered null.
 * @template I, O
 * @param {(input:I)=>Promise<O>} work
 * @returns {(input:I)=>Promise<O|null>}
 */
export function latestWins(work) {
  /** @type {{input:I, resolve:(output:O|null)=>void, reject:(error:unknown)=>void}|null} */
  let next = null;
  let busy = false;
  async function drain() {
    busy = true;
    while (next) {
      const { input, resolve, reject } = next;
      next = null;
      await work(input).then(resolve, reject);
    }
    busy = false;
  }
  return (input) =>
    new Promise((resolve, reject) => {
      next?.resolve(null);
      next = { input, resolve, reject };
      if (!busy) void drain();
    });
}

/**
 * Fetches the weights that come with the page.
 * @param {typeof fetch} [fetching]
 * @returns {Promise<Uint8Array>}
 */
export async function fetchShipped(fetching = fetch) {
  const response = await fetching(SHIPPED_URL);
  if (!response.ok) throw new CodedError("http_status", `the server answered ${response.status}`);
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) throw new CodedError("html_page", "the server answered with a web page");
  return new Uint8Array(await response.arrayBuffer());
}

/** An image with a stroke in it, so that the first prediction goes through the whole net. */
export function warmUpImage() {
  const image = new Uint8Array(784);
  for (let row = 6; row < 22; row++) image.fill(255, row * 28 + 13, row * 28 + 15);
  return image;
}

export class Reader {
  #engine;
  #hooks;
  /** The weights that it answers with, for a new engine after a crash. @type {Uint8Array|null} */
  #weights = null;
  /** @type {Question|null} */
  #last = null;
  /** @type {Promise<unknown>} */
  #started = Promise.resolve();
  #ask;
  #take;

  /**
   * @param {object} hooks
   * @param {(look:LookEvent)=>void} hooks.onLook
   * @param {(error:{code:string, message:string})=>void} hooks.onError
   * @param {typeof Engine} [hooks.EngineClass]
   */
  constructor(hooks) {
    this.#hooks = hooks;
    this.#engine = new (hooks.EngineClass ?? Engine)({ role: "reader", device: "cpu", onCrash: (error) => void this.#restart(error) });
    this.#ask = latestWins((/** @type {Question} */ question) => this.answer(question));
    this.#take = latestWins((/** @type {Uint8Array} */ bytes) => this.#import(bytes));
  }

  /**
   * Starts the engine, gives it the weights that came with the page, and has it answer once.
   * Answers whether it has those weights.
   * @param {Promise<Uint8Array>} shipped
   */
  async start(shipped) {
    const started = (async () => {
      await this.#engine.start();
      return shipped.then(
        async (bytes) => {
          await this.#import(bytes);
          return null;
        },
        (error) => error,
      );
    })();
    this.#started = started;
    const failure = await started;
    if (!failure) await this.answer({ input: { image: warmUpImage() }, target: null });
    return failure;
  }

  /**
   * Answers a drawing and tells `onLook`. Null where a newer one took its place.
   * @param {LookInput} input
   * @param {number|null} target
   */
  async look(input, target) {
    // The pad draws on while the question waits.
    const copied = "pixels" in input ? { pixels: input.pixels.slice(), width: input.width, height: input.height } : { image: input.image.slice() };
    this.#last = { input: copied, target };
    return this.#again(this.#last);
  }

  /**
   * Answers one question, whatever else is asked.
   * @param {Question} question
   */
  async answer({ input, target }) {
    await this.#started;
    return only(await this.#engine.execute({ type: "look", ...input, target, saliency: true }), "look");
  }

  /**
   * Takes other weights and answers the last drawing anew. Of weights that come too fast, only the
   * newest are taken.
   * @param {Uint8Array} bytes
   */
  async useWeights(bytes) {
    await this.#started;
    const loaded = await this.#take(bytes);
    if (loaded && this.#last) void this.#again(this.#last).catch(() => {});
    return loaded;
  }

  /**
   * Finds out whether weights can be taken, and goes on with those that answer: rejects with what is
   * wrong with them. Both commands are sent at once, so that no question comes between them.
   * @param {Uint8Array} bytes
   */
  async check(bytes) {
    await this.#started;
    const answering = this.#weights;
    const checked = this.#engine.execute({ type: "importWeights", bytes });
    const back = answering && this.#engine.execute({ type: "importWeights", bytes: answering });
    const [{ status, reason }] = /** @type {any[]} */ (await Promise.allSettled([checked, back]));
    // A run's newer weights may have come just before.
    if (this.#weights && this.#weights !== answering) await this.#import(this.#weights);
    if (status === "rejected") throw reason;
  }

  /** The weights that it answers with, as a file. */
  async exportWeights() {
    await this.#started;
    return only(await this.#engine.execute({ type: "exportWeights", half: false }), "weights").bytes;
  }

  dispose() {
    this.#engine.dispose();
  }

  /** @param {Question} question */
  async #again(question) {
    try {
      await this.#started;
      if (!this.#weights) return null; // the first weights ask again
      const look = await this.#ask(question);
      if (look) this.#hooks.onLook(look);
      return look;
    } catch (error) {
      const failure = failureOf(error);
      // A crash is told by the one who mends it.
      if (!isCrash(failure.code) && failure.code !== "disposed" && failure.code !== "not_started") this.#hooks.onError(failure);
      return null;
    }
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Promise<WeightsLoadedEvent>}
   */
  async #import(bytes) {
    const loaded = only(await this.#engine.execute({ type: "importWeights", bytes }), "weightsLoaded");
    this.#weights = bytes;
    return loaded;
  }

  #restarts = 0;

  /** @param {{code:string, message:string}} error */
  async #restart(error) {
    if (++this.#restarts > 3) {
      this.#hooks.onError({ code: "reader_gone", message: `Drawings cannot be answered any more: ${inWords(error)}. Reload the page.` });
      return;
    }
    this.#hooks.onError({ code: "reader_crashed", message: `The engine that answers drawings stopped: ${inWords(error)}. A new one was started.` });
    this.#started = (async () => {
      await this.#engine.start();
      if (this.#weights) await this.#import(this.#weights);
    })();
    try {
      await this.#started;
      if (this.#last) await this.#again(this.#last);
    } catch (again) {
      this.#hooks.onError({ code: "reader_gone", message: `Drawings cannot be answered any more: ${inWords(again)}. Reload the page.` });
    }
  }
}
