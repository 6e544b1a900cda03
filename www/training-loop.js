// The worker's own training loop: advances the engine, posts what it says, and every few seconds
// hands out the weights and keeps a checkpoint. It yields between steps by a macrotask, so that
// other messages are heard; no timer of it is slowed in a background tab.

import { failureOf, only } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").AnyEvent} AnyEvent
 * @typedef {import("./protocol.js").Command} Command
 *
 * @typedef {object} LoopMeans
 * @property {(command:Command)=>Promise<AnyEvent[]>} execute
 * @property {(events:AnyEvent[])=>void} post
 * @property {(checkpoint:import("./protocol.js").CheckpointEvent, finished:boolean)=>Promise<void>} keep
 * @property {()=>number} [now]  Milliseconds.
 * @property {()=>Promise<void>} [turn]  Lets other messages in.
 */

const BUDGET_MS = 200;
const EXPORT_EVERY_MS = 3000;
/** Exports may take a fifth of the time at most. */
const EXPORT_SHARE = 5;
/** A turn takes less than a millisecond; this long, and the worker was put to sleep. */
const ASLEEP_MS = 10_000;
/** A lab that says "idle" this often in a row has nothing to do. */
const IDLE_LIMIT = 3;

/** A promise of the next macrotask. Timers are slowed in background tabs; messages are not. */
export function nextTurn() {
  const channel = new MessageChannel();
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      channel.port1.onmessage = () => {
        channel.port1.close();
        resolve();
      };
      channel.port2.postMessage(null);
    })
  );
}

export class TrainingLoop {
  #means;
  /** @type {"finished"|"report"|null} */
  #until = null;
  /** @type {Promise<void>|null} */
  #looping = null;
  #exportDueMs = 0;

  /** @param {LoopMeans} means */
  constructor(means) {
    this.#means = { now: () => performance.now(), turn: nextTurn, ...means };
  }

  /**
   * Runs until the run is finished, or a running evaluation has reported.
   * @param {"finished"|"report"} until
   */
  async start(until) {
    // One that was told to stop first hands out its weights.
    if (this.#until === null) await this.#looping;
    const trains = this.#until === "finished";
    if (!trains) this.#until = until;
    if (until === "finished" && !trains) this.#means.post([{ type: "training", running: true }]);
    this.#looping ??= this.#loop().finally(() => (this.#looping = null));
  }

  /** Stops after the step under way. */
  async stop() {
    this.#until = null;
    await this.#looping;
  }

  async #loop() {
    const { execute, post, now, turn } = this.#means;
    this.#exportDueMs = now() + EXPORT_EVERY_MS;
    let idle = 0;
    let trained = false;
    while (this.#until) {
      /** @type {AnyEvent[]} */
      let events;
      try {
        events = await execute({ type: "advance", budgetMs: BUDGET_MS });
      } catch (error) {
        this.#end(true, { reason: "error", ...failureOf(error) });
        return;
      }
      /** @param {AnyEvent["type"]} type */
      const has = (type) => events.some((event) => event.type === type);
      trained ||= this.#until === "finished" || has("epochEnd");
      idle = events.some((event) => event.type === "progress" && event.phase === "idle") ? idle + 1 : 0;
      post(events);
      if (has("diverged")) {
        // What the reader has is from before; nothing is exported.
        this.#end(true, { reason: "diverged" });
        return;
      }
      if (has("finished") || idle >= IDLE_LIMIT) {
        if (trained) await this.#export(has("finished"));
        this.#end(this.#until === "finished", { reason: "finished" });
        return;
      }
      if (has("report") && this.#until === "report") {
        this.#until = null;
        return;
      }
      if (trained && (now() >= this.#exportDueMs || has("epochEnd"))) await this.#export(false);
      const before = now();
      await turn();
      const sleptMs = now() - before;
      if (sleptMs > ASLEEP_MS) {
        const message = `The browser put this tab to sleep for ${Math.round(sleptMs / 1000)} s. Training waited meanwhile, and goes on now.`;
        post([{ type: "notice", level: "info", code: "asleep", message }]);
      }
    }
    if (trained) {
      await this.#export(false);
      if (!this.#until) post([{ type: "training", running: false, reason: "paused" }]);
    }
  }

  /**
   * @param {boolean} tell
   * @param {{reason:import("./protocol.js").WhyStopped, code?:string, message?:string}} how
   */
  #end(tell, how) {
    this.#until = null;
    if (tell) this.#means.post([{ type: "training", running: false, ...how }]);
  }

  /** @param {boolean} finished */
  async #export(finished) {
    const { execute, post, keep, now } = this.#means;
    const started = now();
    try {
      post([only(await execute({ type: "exportWeights", half: false }), "weights")]);
      const checkpoint = only(await execute({ type: "exportCheckpoint" }), "checkpoint");
      await keep(checkpoint, finished);
      post([checkpoint]);
    } catch (error) {
      // The next export may succeed; training needs none of them.
      post([{ type: "notice", level: "warning", ...failureOf(error) }]);
    }
    const tookMs = now() - started;
    this.#exportDueMs = now() + Math.max(EXPORT_EVERY_MS, tookMs * (EXPORT_SHARE - 1));
  }
}
