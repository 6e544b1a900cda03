import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";

import { chooseDevice, probeAdapter } from "../../www/adapter.js";
import { CodedError, DEFAULT_CONFIG } from "../../www/protocol.js";
import { createSession, latestWins } from "../../www/session.js";

/** Waits until something is so, for a second at most. */
async function until(so) {
  for (let i = 0; i < 200; i++) {
    if (so()) return;
    await wait(5);
  }
  assert.fail("it never came to be");
}

const REPLIES = {
  configure: ({ config }) => [{ type: "run", config, step: 0, totalSteps: 10 }],
  importCheckpoint: () => [{ type: "run", config: DEFAULT_CONFIG, step: 5, totalSteps: 10 }],
  importWeights: () => [{ type: "weightsLoaded", parameters: 1_199_882, metadata: {} }],
  exportWeights: () => [{ type: "weights", bytes: new Uint8Array(4) }],
  look: ({ target }) => [{ type: "look", target }],
  setLearningRate: () => [{ type: "run", config: DEFAULT_CONFIG, step: 0, totalSteps: 10 }],
  test: () => [{ type: "progress", phase: "evaluate" }],
};

/** Engines that answer at once and keep what they were asked, under rules that a test changes. */
function fakes(rules = {}) {
  const made = {};
  class FakeEngine {
    log = [];
    constructor(options) {
      Object.assign(this, options);
      made[options.role] = this;
    }
    async start(device = this.device) {
      this.device = device;
      this.log.push(`start ${device}`);
      await rules.start?.(this.role, device);
      return { type: "info", device, parity: rules.parity?.(device) ?? null, version: "0" };
    }
    async request(request, options) {
      this.log.push(request.type === "load" ? `load ${request.source.id ?? request.source.kind}` : request.type);
      const answer = await rules[request.type]?.(request, options);
      if (answer) return answer;
      if (request.type === "load") return [{ type: "dataset", id: request.source.id ?? request.source.kind, title: "" }];
      if (request.type === "kept") return [{ type: "kept", saved: null, elsewhere: false }];
      if (request.type === "continue") return REPLIES.importCheckpoint();
      return [];
    }
    async execute(command) {
      this.log.push(command.type);
      return (await rules.execute?.(this.role, command)) ?? REPLIES[command.type]?.(command) ?? [];
    }
    async train(run, how) {
      this.log.push(`train ${run}${how ? ` ${how}` : ""}`);
      if (how !== "report") this.onEvent({ type: "training", running: run, ...(run ? {} : { reason: "paused" }) });
    }
    dispose() {
      this.log.push("dispose");
    }
  }
  return { FakeEngine, made };
}

async function up(rules = {}, { params = {}, adapter = null, fetching } = {}) {
  const { FakeEngine, made } = fakes(rules);
  const actions = [];
  const session = await createSession({
    dispatch: (action) => actions.push(action),
    params: new URLSearchParams(params),
    EngineClass: /** @type {any} */ (FakeEngine),
    fetching: fetching ?? (async () => new Response(new Uint8Array(8))),
    probe: async () => adapter,
  });
  await session.settled;
  const of = (type) => actions.filter((action) => action.type === type);
  return { session, actions, of, reader: made.reader, trainer: made.trainer };
}

const GPU = { vendor: "maker", architecture: "arch", device: "", description: "", fallback: false, features: [] };

test("latest wins: one at work, the newest waits, those between are dropped", async () => {
  const release = [];
  const worked = [];
  const call = latestWins((input) => {
    worked.push(input);
    return new Promise((resolve) => release.push(() => resolve(input * 10)));
  });
  const answers = [1, 2, 3, 4].map(call);
  await turn();
  assert.deepEqual(worked, [1]);
  release.shift()();
  await turn();
  assert.deepEqual(worked, [1, 4]);
  release.shift()();
  assert.deepEqual(await Promise.all(answers), [10, null, null, 40]);
  const failing = latestWins(async () => {
    throw new Error("no");
  });
  await assert.rejects(failing(1));
  await assert.rejects(failing(2), "it goes on after a failure");
});

test("the reader answers before the trainer is started", async () => {
  const { actions, of, reader, trainer } = await up();
  assert.deepEqual(reader.log, ["start cpu", "importWeights", "look"]);
  assert.deepEqual(trainer.log, ["start cpu", "kept", "load mnist", "configure"]);
  const types = actions.map(({ type }) => type);
  assert.ok(types.indexOf("ready") < types.indexOf("dataset"));
  assert.deepEqual(of("look"), [], "the warm-up is not shown");
  assert.equal(of("device").at(-1).trainer, "cpu");
  assert.match(of("device").at(-1).why, /no WebGPU/);
  assert.equal(of("run").length, 1);
});

test("without its weights the page still starts, and says what is missing", async () => {
  for (const fetching of [async () => new Response("", { status: 404 }), async () => new Response("<html>", { headers: { "content-type": "text/html" } })]) {
    const { of, reader } = await up({}, { fetching });
    assert.equal(of("ready").length, 1);
    assert.ok(of("notice").some(({ code }) => code === "weights_unavailable"));
    assert.ok(!reader.log.includes("importWeights"));
  }
});

test("a GPU is used where it is real, and forced where asked", () => {
  assert.deepEqual(chooseDevice(GPU, null), { device: "gpu", why: null });
  assert.equal(chooseDevice({ ...GPU, fallback: true }, null).device, "cpu");
  assert.equal(chooseDevice({ ...GPU, fallback: true }, "gpu").device, "gpu");
  assert.equal(chooseDevice(GPU, "cpu").device, "cpu");
  assert.match(chooseDevice(null, null, { navigator: {} }).why ?? "", /no WebGPU/);
  assert.match(chooseDevice(null, null, { navigator: {}, isSecureContext: false }).why ?? "", /https/);
  assert.match(chooseDevice(null, null, { navigator: { gpu: {} } }).why ?? "", /no graphics adapter/);
  assert.deepEqual(chooseDevice(null, "gpu", { navigator: {} }), { device: "cpu", why: "The GPU could not be used, so training runs on the CPU: this browser has no WebGPU." });
  assert.match(chooseDevice(null, "gpu", { navigator: {}, isSecureContext: false }).why ?? "", /CPU: WebGPU is there only on secure pages/);
});

test("software adapters are told by name or by flag", async () => {
  const probe = (info) => probeAdapter({ requestAdapter: async () => ({ info, features: new Set(["subgroups"]) }) });
  assert.equal((await probe({ vendor: "google", architecture: "swiftshader" })).fallback, true);
  assert.equal((await probe({ vendor: "x", description: "llvmpipe (LLVM 15)" })).fallback, true);
  assert.equal((await probe({ vendor: "x", isFallbackAdapter: true })).fallback, true);
  assert.deepEqual(await probe({ vendor: "apple", architecture: "metal-3" }), { vendor: "apple", architecture: "metal-3", device: "", description: "", fallback: false, features: ["subgroups"] });
  assert.equal(await probeAdapter({ requestAdapter: async () => null }), null);
  assert.equal(await probeAdapter(null), null);
});

test("a GPU that cannot be had, or computes wrongly, gives way to the CPU with the reason", async () => {
  const refused = await up({ start: (role, device) => { if (device === "gpu") throw new CodedError("device_unavailable", "No adapter available for WgpuDevice { kind: 0 }"); } }, { adapter: GPU });
  assert.deepEqual(refused.trainer.log.slice(0, 2), ["start gpu", "start cpu"]);
  assert.equal(refused.of("device").at(-1).why, "The GPU could not be used, so training runs on the CPU: the browser gave no device on it that can compute.");
  const wrong = await up({ parity: (device) => (device === "gpu" ? { ok: false, maxRelativeError: 0.2 } : null) }, { adapter: GPU });
  assert.equal(wrong.of("device").at(-1).trainer, "cpu");
  assert.match(wrong.of("device").at(-1).why, /differ/);
});

test("where MNIST is missing the page trains on synthetic digits and says so, without an error", async () => {
  const { of, trainer } = await up({ load: ({ source }) => { if (source.kind === "catalog") throw new CodedError("http_status", "404"); } });
  assert.ok(trainer.log.includes("load synthetic"));
  assert.equal(of("dataset").at(-1).dataset.id, "synthetic");
  assert.deepEqual(of("dataError"), []);
  assert.ok(of("notice").some(({ code }) => code === "synthetic_data"));
});

test("a failed load is an error with a retry, and what was there stays; the retry succeeds", async () => {
  let down = false;
  const { session, of } = await up({ load: ({ source }) => { if (down && source.kind === "catalog") throw new CodedError("network", "no connection"); } });
  down = true;
  assert.equal(await session.loadCatalog("fashion-mnist", { mirrors: true }), false);
  assert.deepEqual(of("dataError").at(-1), { type: "dataError", code: "network", message: "no connection", retry: "fashion-mnist" });
  assert.equal(of("dataset").length, 1);
  assert.equal(of("run").length, 1);
  down = false;
  assert.equal(await session.loadCatalog("fashion-mnist"), true);
  assert.equal(of("dataset").at(-1).dataset.id, "fashion-mnist");
  assert.equal(of("loading").at(-1).what, null);
});

test("cancelling a load is no error", async () => {
  const { session, of } = await up({
    load: ({ source }, { signal }) => source.id === "fashion-mnist" && new Promise((_, reject) => signal.addEventListener("abort", () => reject(new CodedError("aborted", "it was cancelled")))),
  });
  const loading = session.loadCatalog("fashion-mnist");
  await turn();
  await session.cancelLoad();
  assert.equal(await loading, false);
  assert.deepEqual(of("dataError"), []);
  assert.equal(of("loading").at(-1).what, null);
});

test("weights of the run reach the reader, which looks again at the last drawing", async () => {
  const { session, of, reader, trainer } = await up();
  await session.look({ pixels: new Uint8Array(4), width: 2, height: 2 }, { target: 3 });
  assert.deepEqual(of("look").map(({ look }) => look.target), [3]);
  trainer.onEvent({ type: "weights", bytes: new Uint8Array(4) });
  await until(() => of("look").length === 2);
  assert.deepEqual(reader.log.slice(-2), ["importWeights", "look"]);
  assert.match(of("weights").at(-1).status, /your run/);
  await session.reset();
  assert.match(of("weights").at(-1).status, /came with it/);
  assert.ok(trainer.log.includes("forget"));
});

test("a crash while training: said, restarted, data and checkpoint restored, training goes on", async () => {
  const imported = [];
  const { session, of, trainer } = await up({ execute: (role, command) => void (command.type === "importCheckpoint" && imported.push([...command.bytes])) });
  await session.train();
  trainer.onEvent({ type: "checkpoint", bytes: new Uint8Array([1, 2, 3]), epoch: 1, step: 5, datasetId: "mnist" });
  trainer.log.length = 0;
  trainer.onCrash(new CodedError("panic", "boom"));
  await until(() => trainer.log.includes("train true"));
  assert.deepEqual(trainer.log, ["start cpu", "load mnist", "importCheckpoint", "train true"]);
  assert.deepEqual(imported, [[1, 2, 3]]);
  const said = of("notice").filter(({ code }) => code === "trainer_crashed").map(({ message }) => message);
  assert.deepEqual(said, ["The training engine stopped: a fault in its own program. It goes on from its last checkpoint, a few seconds back."]);
  assert.equal(of("run").at(-1).run.step, 5);
  assert.equal(of("training").at(-1).running, true);
});

test("a crash after the run is over promises no going on", async () => {
  const { session, of, trainer } = await up();
  await session.train();
  trainer.onEvent({ type: "checkpoint", bytes: new Uint8Array([1]), epoch: 1, step: 10, datasetId: "mnist" });
  trainer.onEvent({ type: "training", running: false, reason: "finished" });
  trainer.log.length = 0;
  trainer.onCrash(new CodedError("panic", "boom"));
  await until(() => trainer.log.includes("importCheckpoint"));
  await turn();
  assert.ok(!trainer.log.includes("train true"));
  assert.match(of("notice").find(({ code }) => code === "trainer_crashed").message, /A new one was started; what was learnt is kept\.$/);
});

test("a crash with no checkpoint begins anew, and one while standing still stays still", async () => {
  const { trainer } = await up();
  trainer.log.length = 0;
  trainer.onCrash(new CodedError("panic", "boom"));
  await until(() => trainer.log.includes("configure"));
  await turn();
  assert.deepEqual(trainer.log, ["start cpu", "load mnist", "configure"]);
});

test("a second crash on the GPU within a minute goes to the CPU", async () => {
  const { of, trainer } = await up({}, { adapter: GPU });
  trainer.onCrash(new CodedError("device_failed", "lost"));
  await until(() => trainer.log.filter((entry) => entry === "configure").length === 2);
  assert.equal(trainer.device, "gpu");
  await turn();
  trainer.onCrash(new CodedError("device_failed", "lost again"));
  await until(() => trainer.log.filter((entry) => entry === "configure").length === 3);
  assert.equal(trainer.device, "cpu");
  assert.equal(of("device").at(-1).why, "The GPU failed (the GPU stopped computing), so training goes on on the CPU.");
});

test("a trainer that never comes back is given up in words", async () => {
  let dead = false;
  const { of, trainer } = await up({ start: () => { if (dead) throw new CodedError("panic", "dead"); } });
  dead = true;
  trainer.onCrash(new CodedError("panic", "boom"));
  await until(() => of("notice").some(({ code }) => code === "trainer_gone"));
  assert.equal(of("device").at(-1).trainer, null);
});

test("a crashed reader comes back with its weights and its drawing", async () => {
  const { session, of, reader } = await up();
  await session.look({ image: new Uint8Array(784) });
  reader.log.length = 0;
  reader.onCrash(new CodedError("panic", "boom"));
  await until(() => of("look").length === 2);
  assert.deepEqual(reader.log, ["start cpu", "importWeights", "look"]);
});

const SAVED = { savedAt: 1, source: { kind: "synthetic", trainCount: 20_000, testCount: 2_000, seed: 1 }, datasetId: "synthetic", title: "s", config: DEFAULT_CONFIG, epoch: 1, step: 5, totalSteps: 10, finished: false };

test("a kept run is offered, and continued on its own data", async () => {
  const { session, of, trainer } = await up({ kept: () => [{ type: "kept", saved: SAVED, elsewhere: false }] });
  assert.deepEqual(of("offerContinue").at(-1).saved, SAVED);
  trainer.log.length = 0;
  await session.continueRun();
  assert.deepEqual(trainer.log, ["load synthetic", "continue", "train true"]);
  assert.equal(of("offerContinue").at(-1).saved, null);
  assert.equal(of("run").at(-1).run.step, 5);
  assert.deepEqual(of("config").at(-1).change, DEFAULT_CONFIG, "the form shows the settings of the run that came back");
});

test("a continued run's finished epochs are told after it", async () => {
  const ends = [1, 2].map((epoch) => ({ type: "epochEnd", epoch, step: 2 * epoch, trainLoss: 1, validationLoss: null, validationAccuracy: null, testLoss: 1, testAccuracy: 0.5, elapsedMs: 1 }));
  const { session, actions } = await up({
    kept: () => [{ type: "kept", saved: SAVED, elsewhere: false }],
    continue: () => [...REPLIES.importCheckpoint(), ...ends],
  });
  await session.continueRun();
  const told = actions.slice(actions.findLastIndex(({ type }) => type === "run")).filter(({ type }) => type === "epochEnd");
  assert.deepEqual(told, ends);
});

test("a new learning rate whose answer comes after the end does not revive the run", async () => {
  /** @type {() => void} */
  let answer = () => {};
  const { session, of, trainer } = await up({
    execute: (_, { type }) => type === "setLearningRate" && new Promise((resolve) => (answer = () => resolve(REPLIES.setLearningRate()))),
  });
  await session.train();
  const setting = session.setLearningRate(0.01);
  await turn();
  const runs = of("run").length;
  trainer.onEvent({ type: "diverged", step: 5, message: "no" });
  trainer.onEvent({ type: "training", running: false, reason: "diverged" });
  answer();
  await setting;
  assert.equal(of("run").length, runs);
});

test("a kept run is dropped when asked", async () => {
  const { session, of, trainer } = await up({ kept: () => [{ type: "kept", saved: SAVED, elsewhere: false }] });
  await session.discardRun();
  assert.ok(trainer.log.includes("forget"));
  assert.equal(of("offerContinue").at(-1).saved, null);
});

test("another tab's run is said and not offered", async () => {
  const { of } = await up({ kept: () => [{ type: "kept", saved: null, elsewhere: true }] });
  assert.ok(of("notice").some(({ code }) => code === "second_tab"));
  assert.equal(of("offerContinue").at(-1).saved, null);
});

test("a wrong file of weights is told once, ends no run and asks nothing; a good one asks first", async () => {
  const imported = [];
  const { session, of, trainer } = await up({
    execute: (role, { type, bytes }) => {
      if (type !== "importWeights") return;
      if (bytes.length === 3) throw new CodedError("weights_shape", "fc1.weight has another shape");
      imported.push([role, bytes.length]);
    },
  });
  await session.train();
  imported.length = trainer.log.length = 0;
  let asked = 0;
  const agree = (answer) => async () => { asked++; return answer; };
  const [bad, good] = [3, 4].map((length) => new File([new Uint8Array(length)], "w.safetensors"));
  const notices = of("notice").length;
  assert.equal(await session.loadWeights(bad, agree(true)), false);
  assert.deepEqual(of("weights").at(-1), { type: "weights", status: "w.safetensors was not loaded: fc1.weight has another shape.", refused: true });
  assert.deepEqual([asked, trainer.log, of("notice").length], [0, [], notices]);
  assert.deepEqual(imported, [["reader", 8]], "the reader answers with what it had");
  imported.length = 0;
  assert.equal(await session.loadWeights(good, agree(false)), false);
  assert.deepEqual([asked, trainer.log], [1, []]);
  assert.deepEqual(imported, [["reader", 4], ["reader", 8]]);
  imported.length = 0;
  assert.equal(await session.loadWeights(good, agree(true)), true);
  assert.deepEqual([asked, trainer.log], [2, ["train false", "importWeights"]]);
  assert.deepEqual(imported.slice(2), [["trainer", 4], ["reader", 4]]);
  assert.match(of("weights").at(-1).status, /1,199,882/);
});

test("a stop is told as one, so that the page offers a new run", async () => {
  const { session, of } = await up();
  await session.train();
  await session.stop();
  assert.deepEqual(of("training").at(-1), { type: "training", running: false, reason: "stopped" });
});

test("a test under way is stopped before a new run is set up, which would be trained on else", async () => {
  const { session, of, trainer } = await up();
  await session.test("test");
  assert.deepEqual(of("testing").at(-1), { type: "testing", running: true });
  trainer.log.length = 0;
  await session.configure(DEFAULT_CONFIG);
  assert.deepEqual(trainer.log, ["train false", "configure"]);
  assert.deepEqual(of("testing").at(-1), { type: "testing", running: false });
  assert.equal(of("report").at(-1).report, null);
});

test("loaded weights begin each new run until one was trained on them; a reset drops them", async () => {
  const { session, trainer } = await up();
  const file = new File([new Uint8Array(4)], "w.safetensors");
  await session.loadWeights(file);
  trainer.log.length = 0;
  await session.configure(DEFAULT_CONFIG);
  await session.loadSynthetic();
  assert.deepEqual(trainer.log, ["configure", "importWeights", "load synthetic", "configure", "importWeights"]);
  trainer.onEvent({ type: "checkpoint", bytes: new Uint8Array(1), epoch: 1, step: 5, datasetId: "synthetic" });
  trainer.log.length = 0;
  await session.configure(DEFAULT_CONFIG);
  assert.deepEqual(trainer.log, ["configure"]);
  await session.loadWeights(file);
  await session.reset();
  trainer.log.length = 0;
  await session.configure(DEFAULT_CONFIG);
  assert.deepEqual(trainer.log, ["configure"]);
});

test("what is saved is what answers: the reader's weights, or the trainer's while it trains", async () => {
  const { session, reader, trainer } = await up();
  reader.log.length = trainer.log.length = 0;
  await session.exportWeights();
  assert.deepEqual([reader.log, trainer.log], [["exportWeights"], []]);
  await session.train();
  reader.log.length = trainer.log.length = 0;
  await session.exportWeights();
  assert.deepEqual([reader.log, trainer.log], [[], ["exportWeights"]]);
});

test("a loaded file's notes tell what its classes are called", async () => {
  const names = Array.from({ length: 10 }, (_, i) => `kind ${i}`);
  const { session, of } = await up({
    execute: (role, { type }) => (type === "importWeights" ? [{ type: "weightsLoaded", parameters: 1_199_882, metadata: { "glassbox.dataset": "fashion-mnist" } }] : undefined),
    catalog: () => [{ type: "catalog", catalog: [{ id: "fashion-mnist", classNames: names }] }],
  });
  await session.loadWeights(new File([new Uint8Array(4)], "w.safetensors"));
  assert.deepEqual(of("weights").at(-1).taken, { classNames: names });
});

test("a crash over the first data leads to digits that the crate draws itself, and is no missing file", async () => {
  let crash = true;
  const { FakeEngine, made } = fakes({
    load: ({ source }) => {
      if (source.kind !== "catalog" || !crash) return undefined;
      crash = false;
      made.trainer.onCrash(new CodedError("panic", "boom"));
      throw new CodedError("panic", "boom");
    },
  });
  const actions = [];
  const session = await createSession({
    dispatch: (action) => actions.push(action),
    EngineClass: /** @type {any} */ (FakeEngine),
    fetching: async () => new Response(new Uint8Array(8)),
    probe: async () => null,
  });
  await session.settled;
  await until(() => actions.some(({ type }) => type === "run"));
  assert.deepEqual(actions.filter(({ type }) => type === "dataset").map(({ dataset }) => dataset.id), ["synthetic"]);
  assert.ok(actions.some(({ code }) => code === "trainer_crashed"));
  assert.deepEqual(actions.filter(({ type }) => type === "dataError"), []);
});

test("a cell of a test that the engine no longer has is asked for in words", async () => {
  const { session } = await up({ execute: (_, { type }) => { if (type === "cell") throw new CodedError("no_report", "nothing has been tested yet"); } });
  await assert.rejects(session.cell(1, 2), { code: "no_report", message: /Test again/ });
});

test("testing while standing still runs the loop to the report; a stopped run begins anew", async () => {
  const { session, trainer } = await up();
  trainer.log.length = 0;
  await session.test("test");
  assert.deepEqual(trainer.log, ["test", "train true report"]);
  await session.train();
  await session.stop();
  trainer.log.length = 0;
  await session.train();
  assert.deepEqual(trainer.log, ["configure", "train true"]);
});
