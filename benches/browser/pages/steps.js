// Times one engine: a prediction ("infer"), the first step of a fresh page ("cold"), or training steps ("train").

import { makeBatch, makeWeights, median } from "./net.js";

/** A prediction is quick, so that more of them are timed. */
const LEAST_INFERENCES = 50;
const INFER_BUDGET_MS = 20_000;

/**
 * Calls `work`, which waits for the device, up to `count` times after `warm` calls that are not
 * timed, and spends about `budgetMs` at most. One call is timed even when it is longer than the
 * budget, but none that would take more than 1.5 times as long.
 * @param {()=>Promise<unknown>} work
 * @param {{warm:number, count:number, budgetMs:number, lastMs?:number}} limits  `lastMs`: what a call is known to take.
 */
async function timed(work, { warm, count, budgetMs, lastMs = 0 }) {
  const began = performance.now();
  const spentMs = () => performance.now() - began;
  const one = async () => {
    const started = performance.now();
    await work();
    return (lastMs = performance.now() - started);
  };
  for (let i = 0; i < warm && spentMs() + 2 * lastMs < budgetMs / 3; i++) await one();
  const times = [];
  while (times.length < count && (times.length === 0 ? lastMs < 1.5 * budgetMs : spentMs() + lastMs < budgetMs)) times.push(await one());
  return times;
}

/** @param {number[]} times */
const statistics = (times) => ({ medianMs: median(times), leastMs: Math.min(...times), mostMs: Math.max(...times), count: times.length });

/** @param {any} options */
export async function run({ entry, mode, batch, steps, warm, budgetMs, optimizer, learningRate, pipe, threads, device }) {
  const { create } = await import(entry);
  const net = await create({ weights: makeWeights(), optimizer, lr: learningRate, momentum: 0.9, threads, device });
  const readyMs = performance.now();
  const out = { info: net.info, readyMs };
  if (mode === "infer") {
    const { x } = makeBatch(1, 7);
    const probabilities = [...(await net.infer(x))];
    const coldMs = performance.now();
    if (steps === 0) return { ...out, coldMs, firstMs: coldMs - readyMs, probabilities };
    const times = await timed(() => net.infer(x), { warm: Math.max(warm, 5), count: Math.max(steps, LEAST_INFERENCES), budgetMs: Math.min(budgetMs, INFER_BUDGET_MS) });
    return { ...out, coldMs, firstMs: coldMs - readyMs, probabilities, ...statistics(times) };
  }
  const { x, y } = makeBatch(batch, 1);
  net.setBatch(x, y, batch);
  const losses = [await net.step()];
  const coldMs = performance.now();
  const firstMs = coldMs - readyMs;
  if (mode === "cold") return { ...out, coldMs, firstMs, losses };
  // A call is `pipe` steps of which the last alone reads its loss back.
  const call = async () => {
    for (let i = 1; i < pipe; i++) await net.step(false);
    losses.push(await net.step());
  };
  const times = await timed(call, { warm, count: steps, budgetMs, lastMs: firstMs * pipe });
  const each = times.length ? times.map((time) => time / pipe) : [firstMs];
  return { ...out, coldMs, firstMs, losses, onlyFirst: times.length === 0, ...statistics(each), imagesPerSecond: (batch * 1000) / median(each), memory: net.memory?.() };
}
