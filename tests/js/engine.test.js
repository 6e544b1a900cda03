import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { Engine } from "../../www/engine.js";
import { TrainingLoop } from "../../www/training-loop.js";
import { Host } from "../../www/worker.js";

const INFO = { type: "info", device: "cpu", parity: null, version: "0" };

/** A promise and how to fulfil it. */
function deferred() {
  let resolve;
  const promise = new Promise((fulfil) => (resolve = fulfil));
  return { promise, resolve };
}

/** A worker that answers "start" and keeps the rest for the test to answer. */
class FakeWorker {
  sent = [];
  terminated = false;
  refuseStart = null;
  postMessage(message, transfer) {
    this.sent.push({ ...message, transfer });
    if (message.type !== "start") return;
    queueMicrotask(() => this.say(this.refuseStart ? { id: message.id, ok: false, error: this.refuseStart } : { id: message.id, ok: true, events: [INFO] }));
  }
  terminate() {
    this.terminated = true;
  }
  say(data) {
    this.onmessage?.({ data });
  }
}

async function started(options = {}, compile = async () => undefined) {
  const workers = [];
  const crashes = [];
  const events = [];
  const engine = new Engine({
    role: "trainer",
    device: "cpu",
    compile,
    onEvent: (event) => events.push(event),
    onCrash: (error) => crashes.push(error),
    open: () => workers[workers.push(Object.assign(new FakeWorker(), options)) - 1],
  });
  await engine.start();
  return { engine, workers, crashes, events };
}

test("answers find their requests, in whatever order", async () => {
  const { engine, workers: [worker] } = await started();
  const first = engine.execute({ type: "info" });
  const second = engine.execute({ type: "exportCheckpoint" });
  const [a, b] = worker.sent.slice(1);
  assert.notEqual(a.id, b.id);
  worker.say({ id: b.id, ok: true, events: [{ type: "finished" }] });
  worker.say({ id: a.id, ok: false, error: { code: "no_run", message: "no run" } });
  assert.deepEqual(await second, [{ type: "finished" }]);
  await assert.rejects(first, { code: "no_run" });
});

test("the worker loads while the bundle is compiled, and gets it compiled; without one it is on its own", async () => {
  const { promise, resolve } = /** @type {{promise:Promise<any>, resolve:(module:any)=>void}} */ (deferred());
  const starting = started({}, () => promise);
  await turn();
  const module = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  resolve(module);
  const { workers: [worker] } = await starting;
  assert.equal(worker.sent[0].module, module);
  const alone = await started();
  assert.ok(!("module" in alone.workers[0].sent[0]));
});

test("an engine that is ended while its bundle is compiled sends nothing", async () => {
  const { promise, resolve } = deferred();
  const worker = new FakeWorker();
  const engine = new Engine({ role: "reader", device: "cpu", open: () => /** @type {any} */ (worker), compile: () => promise });
  const starting = engine.start();
  engine.dispose();
  resolve(undefined);
  await assert.rejects(starting, { code: "disposed" });
  assert.deepEqual(worker.sent, []);
  assert.ok(worker.terminated);
});

test("what is handed over is named, and posted events are told", async () => {
  const { engine, workers: [worker], events } = await started();
  const bytes = new Uint8Array(4);
  void engine.execute({ type: "importWeights", bytes }, { transfer: [bytes.buffer] }).catch(() => {});
  assert.deepEqual(worker.sent.at(-1).transfer, [bytes.buffer]);
  worker.say({ id: null, event: { type: "finished" } });
  assert.deepEqual(events, [{ type: "finished" }]);
  engine.dispose();
});

test("an abort rejects at once and tells the worker", async () => {
  const { engine, workers: [worker] } = await started();
  const abort = new AbortController();
  const asked = engine.execute({ type: "info" }, { signal: abort.signal });
  const { id } = worker.sent.at(-1);
  abort.abort();
  await assert.rejects(asked, { name: "AbortError" });
  assert.deepEqual([worker.sent.at(-1).type, worker.sent.at(-1).of], ["abort", id]);
  worker.say({ id, ok: true, events: [] }); // too late, and harmless
  await assert.rejects(engine.execute({ type: "info" }, { signal: abort.signal }), { name: "AbortError" });
});

test("an aborted load is settled by the worker, which alone knows how far it was", async () => {
  const { engine, workers: [worker] } = await started();
  const abort = new AbortController();
  const asked = engine.request({ type: "load", source: { kind: "catalog", id: "mnist", mirrors: false } }, { signal: abort.signal });
  const { id } = worker.sent.at(-1);
  abort.abort();
  worker.say({ id, ok: true, events: [{ type: "finished" }] });
  assert.deepEqual(await asked, [{ type: "finished" }]);
});

for (const [what, crash] of /** @type {[string, (worker:any)=>void][]} */ ([
  ["an error of the worker", (worker) => worker.onerror({ message: "boom" })],
  ["a panic in an answer", (worker) => worker.say({ id: worker.sent.at(-1).id, ok: false, error: { code: "panic", message: "boom" } })],
  ["a crash that was posted", (worker) => worker.say({ id: null, event: { type: "crashed", code: "device_failed", message: "boom" } })],
])) {
  test(`${what} rejects what is open, is told once, and a new start works`, async () => {
    const { engine, workers, crashes } = await started();
    const open = [engine.execute({ type: "info" }), engine.execute({ type: "info" })];
    crash(workers[0]);
    for (const asked of open) await assert.rejects(asked, { message: "boom" });
    assert.equal(crashes.length, 1);
    assert.ok(workers[0].terminated);
    await assert.rejects(engine.execute({ type: "info" }), { code: "not_started" });
    await engine.start("gpu");
    assert.equal(workers[1].sent[0].device, "gpu");
    const again = engine.execute({ type: "info" });
    workers[1].say({ id: workers[1].sent.at(-1).id, ok: true, events: [INFO] });
    assert.deepEqual(await again, [INFO]);
  });
}

test("a device that cannot be had is a refusal, no crash", async () => {
  const crashes = [];
  const worker = Object.assign(new FakeWorker(), { refuseStart: { code: "device_unavailable", message: "none" } });
  const engine = new Engine({ role: "trainer", device: "gpu", onCrash: (error) => crashes.push(error), open: () => /** @type {any} */ (worker) });
  await assert.rejects(engine.start(), { code: "device_unavailable" });
  assert.deepEqual(crashes, []);
  assert.ok(worker.terminated);
});

/** A host over a lab that is a function, with what it posts. */
function hosted(execute, store = {}) {
  const posted = [];
  let closed = false;
  const host = new Host({
    post: (message) => posted.push(message),
    bundle: async () => ({ default: async () => {}, createLab: async () => ({ execute }), catalog: () => [] }),
    store: /** @type {any} */ ({ claim: async () => true, save: async () => {}, elsewhere: async () => false, ...store }),
    close: () => (closed = true),
  });
  return { host, posted, closed: () => closed };
}

test("the worker runs commands one after another", async () => {
  let running = 0;
  const { host, posted } = hosted(async (command) => {
    assert.equal(++running, 1);
    await turn();
    running--;
    return [{ ...INFO, of: command.type }];
  });
  await host.receive({ id: 1, type: "start", device: "cpu", role: "reader" });
  await Promise.all([2, 3, 4].map((id) => host.receive({ id, type: "command", command: { type: "info" } })));
  assert.deepEqual(posted.map(({ id, ok }) => [id, ok]), [[1, true], [2, true], [3, true], [4, true]]);
});

test("a command waiting its turn can be aborted", async () => {
  const ran = [];
  const { host, posted } = hosted(async (command) => {
    ran.push(command.type);
    await turn();
    return [INFO];
  });
  await host.receive({ id: 1, type: "start", device: "cpu", role: "reader" });
  const both = [host.receive({ id: 2, type: "command", command: { type: "info" } }), host.receive({ id: 3, type: "command", command: { type: "exportCheckpoint" } })];
  await host.receive({ id: 4, type: "abort", of: 3 });
  await Promise.all(both);
  assert.ok(!ran.includes("exportCheckpoint"));
  assert.equal(posted.find(({ id }) => id === 3).error.code, "aborted");
});

test("a wasm trap ends the worker, and says so", async () => {
  const { host, posted, closed } = hosted(async (command) => {
    if (command.type === "fault") throw new WebAssembly.RuntimeError("unreachable");
    return [INFO];
  });
  await host.receive({ id: 1, type: "start", device: "cpu", role: "trainer" });
  await host.receive({ id: 2, type: "command", command: { type: "fault" } });
  assert.deepEqual(posted.at(-1), { id: null, event: { type: "crashed", code: "panic", message: "unreachable" } });
  assert.ok(closed());
});

test("a coded refusal keeps its code", async () => {
  const { host, posted } = hosted(async (command) => {
    if (command.type === "info") return [INFO];
    throw Object.assign(new Error("no run is set up yet"), { code: "no_run" });
  });
  await host.receive({ id: 1, type: "start", device: "cpu", role: "trainer" });
  await host.receive({ id: 2, type: "command", command: { type: "exportCheckpoint" } });
  assert.deepEqual(posted.at(-1), { id: 2, ok: false, error: { code: "no_run", message: "no run is set up yet" } });
});

/** A lab that is done after so many advances. */
function countingLab(steps) {
  const ran = [];
  return {
    ran,
    async execute(command) {
      ran.push(command.type);
      if (command.type === "advance") {
        const progress = { type: "progress", phase: "train" };
        return --steps > 0 ? [progress] : [progress, { type: "finished" }];
      }
      if (command.type === "exportWeights") return [{ type: "weights", bytes: new Uint8Array(4) }];
      return [{ type: "checkpoint", bytes: new Uint8Array(4), epoch: 1, step: 1, datasetId: "mnist" }];
    },
  };
}

test("the loop runs to the end, exporting every three seconds and at the end", async () => {
  const lab = countingLab(40);
  const posted = [];
  const kept = [];
  let clock = 0;
  const loop = new TrainingLoop({
    execute: async (command) => {
      clock += command.type === "advance" ? 200 : 10;
      return lab.execute(command);
    },
    post: (events) => posted.push(...events),
    keep: async (_, finished) => void kept.push(finished),
    now: () => clock,
  });
  await loop.start("finished");
  while (!posted.some((event) => event.type === "training" && !event.running)) await turn();
  assert.equal(lab.ran.filter((type) => type === "advance").length, 40);
  assert.deepEqual(kept, [false, false, true]); // 8 s: after 3, after 6, at the end
  assert.deepEqual(posted.filter(({ type }) => type === "training"), [{ type: "training", running: true }, { type: "training", running: false, reason: "finished" }]);
});

test("slow exports wait their share", async () => {
  const lab = countingLab(100);
  let clock = 0;
  const kept = [];
  const posted = [];
  const loop = new TrainingLoop({
    execute: async (command) => {
      clock += command.type === "advance" ? 200 : 1000;
      return lab.execute(command);
    },
    post: (events) => posted.push(...events),
    keep: async (_, finished) => void kept.push(finished),
    now: () => clock,
  });
  await loop.start("finished");
  while (!posted.some((event) => event.type === "training" && !event.running)) await turn();
  assert.ok(kept.length <= 4, `${kept.length} exports in 20 s of training that take 2 s each`);
});

test("a stop hands out the weights before it answers; a report ends an evaluation", async () => {
  const lab = countingLab(Infinity);
  const posted = [];
  const loop = new TrainingLoop({ execute: (command) => lab.execute(command), post: (events) => posted.push(...events), keep: async () => {} });
  await loop.start("finished");
  await turn();
  await loop.stop();
  assert.deepEqual(posted.slice(-3).map(({ type }) => type), ["weights", "checkpoint", "training"]);
  const count = lab.ran.length;
  await turn();
  assert.equal(lab.ran.length, count, "it stands still");

  const reports = new TrainingLoop({
    execute: async () => [{ type: "progress", phase: "evaluate" }, { type: "report" }],
    post: (events) => posted.push(...events),
    keep: async () => assert.fail("an evaluation keeps nothing"),
  });
  posted.length = 0;
  await reports.start("report");
  await reports.stop();
  assert.deepEqual(posted.map(({ type }) => type), ["progress", "report"]);
});

test("a worker that was put to sleep says how long training waited", async () => {
  const lab = countingLab(3);
  const posted = [];
  let clock = 0;
  const loop = new TrainingLoop({
    execute: (command) => lab.execute(command),
    post: (events) => posted.push(...events),
    keep: async () => {},
    now: () => clock,
    turn: async () => {
      clock += clock === 0 ? 42_000 : 1;
      await turn();
    },
  });
  await loop.start("finished");
  while (!posted.some((event) => event.type === "training" && !event.running)) await turn();
  const notices = posted.filter(({ type }) => type === "notice");
  assert.deepEqual(notices.map(({ code }) => code), ["asleep"]);
  assert.match(notices[0].message, /42 s/);
});

test("a run that diverged exports nothing", async () => {
  const posted = [];
  const loop = new TrainingLoop({
    execute: async (command) => {
      assert.equal(command.type, "advance");
      return [{ type: "diverged", step: 3, message: "the loss is not finite" }];
    },
    post: (events) => posted.push(...events),
    keep: async () => assert.fail("nothing is kept"),
  });
  await loop.start("finished");
  await loop.stop();
  assert.deepEqual(posted.at(-1), { type: "training", running: false, reason: "diverged" });
});

test("storage that is full is said once, and training goes on", async () => {
  const lab = countingLab(3);
  const { host, posted } = hosted(
    async (command) => (command.type === "info" ? [INFO] : command.type === "configure" ? [{ type: "run", config: {}, totalSteps: 3 }] : command.type === "loadSynthetic" ? [{ type: "dataset", id: "synthetic", title: "s" }] : lab.execute(command)),
    { save: async () => { throw new DOMException("full", "QuotaExceededError"); } },
  );
  await host.receive({ id: 1, type: "start", device: "cpu", role: "trainer" });
  await host.receive({ id: 2, type: "load", source: { kind: "synthetic", trainCount: 1, testCount: 1, seed: 1 } });
  await host.receive({ id: 3, type: "command", command: /** @type {any} */ ({ type: "configure", config: {} }) });
  await host.receive({ id: 4, type: "train", run: true });
  while (!posted.some(({ event }) => event?.type === "training" && !event.running)) await turn();
  assert.deepEqual(posted.filter(({ event }) => event?.type === "notice").map(({ event }) => event.code), ["storage_full"]);
  assert.ok(posted.some(({ event }) => event?.type === "finished"));
});

test("a kept run is offered though the page before holds it for a moment after a reload", async () => {
  let asked = 0;
  const saved = { datasetId: "mnist" };
  const { host, posted } = hosted((command) => (command.type === "info" ? [INFO] : []), { elsewhere: async () => ++asked < 3, peek: async () => saved });
  await host.receive({ id: 1, type: "start", device: "cpu", role: "trainer" });
  await host.receive({ id: 2, type: "kept" });
  assert.deepEqual(posted.at(-1).events, [{ type: "kept", saved, elsewhere: false }]);
});

test("a second tab trains, keeps nothing and says so", async () => {
  const lab = countingLab(2);
  const { host, posted } = hosted((command) => (command.type === "info" ? [INFO] : lab.execute(command)), { claim: async () => false, save: async () => assert.fail("not this tab's") });
  await host.receive({ id: 1, type: "start", device: "cpu", role: "trainer" });
  await host.receive({ id: 2, type: "train", run: true });
  while (!posted.some(({ event }) => event?.type === "finished")) await turn();
  assert.deepEqual(posted.filter(({ event }) => event?.type === "notice").map(({ event }) => event.code), ["second_tab"]);
});
