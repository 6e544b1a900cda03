// The first visit: when the page has its first prediction, and how many bytes came before it; beside
// it the least page that each library could have, one that starts it and predicts once.

import { launch } from "../lib/browser.mjs";
import { watchOthers } from "../lib/machine.mjs";
import { isSoftware, mostThreads } from "../lib/measure.mjs";
import { serve } from "../lib/server.mjs";
import { figure, kilobytes, nameOf, printTable } from "../lib/table.mjs";
import { median } from "../pages/net.js";
import { measureSteps } from "./steps.mjs";

const LIMIT_MS = 60_000;

/** Runs in the page before anything of its own: notes when a worker first answers with a prediction, and when that is shown. */
function watchPage() {
  const Plain = Worker;
  const seen = /** @type {any} */ ({});
  seen.predicted = new Promise((resolve) => {
    window.Worker = class extends Plain {
      constructor(/** @type {any} */ url, /** @type {any} */ options) {
        super(url, options);
        this.addEventListener("message", ({ data }) => {
          if (data?.events?.some((/** @type {any} */ event) => event.type === "look")) resolve(performance.now());
        });
      }
    };
  });
  seen.shown = new Promise((resolve) => {
    new MutationObserver(() => {
      if (document.documentElement?.dataset.ready) resolve(performance.now());
    }).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready"] });
  });
  Object.assign(window, { seen });
}

/**
 * One visit to the page itself, as a static host serves it: compressed, not cross-origin isolated.
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {string} site
 */
async function visit({ adapter, mounts }, site) {
  const server = await serve(mounts, { isolated: false, gzip: true });
  const { context, close } = await launch(adapter);
  let timer;
  try {
    const page = await context.newPage();
    await page.addInitScript(watchPage);
    const others = watchOthers();
    await page.goto(`${server.origin}/${site}/`);
    const seen = page.evaluate(async () => {
      const { predicted, shown } = /** @type {any} */ (window).seen;
      const [predictedMs, shownMs] = await Promise.all([predicted, shown]);
      const paintMs = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
      return { predictedMs, shownMs, paintMs, beganMs: performance.timeOrigin };
    });
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no prediction within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    });
    const { predictedMs, shownMs, paintMs, beganMs } = /** @type {Awaited<typeof seen>} */ (await Promise.race([seen, late]));
    // Whatever was asked for before it, wholly arrived or not.
    const files = server.sent().filter(({ atMs }) => atMs <= beganMs + predictedMs);
    const sum = (/** @type {"rawBytes"|"gzipBytes"} */ key) => files.reduce((total, file) => total + file[key], 0);
    return { coldMs: predictedMs, shownMs, paintMs, others: others(), files, rawBytes: sum("rawBytes"), gzipBytes: sum("gzipBytes") };
  } catch (error) {
    return { error: String(/** @type {any} */ (error)?.message ?? error) };
  } finally {
    clearTimeout(timer);
    await close();
    await server.close();
  }
}

/**
 * @param {any} about
 * @param {any[]} runs
 */
function row(about, runs) {
  const failed = runs.find((run) => run.error);
  if (failed) return { ...about, error: failed.error };
  const times = runs.map((run) => run.coldMs);
  return { ...about, ...runs[0], coldMs: median(times), leastMs: Math.min(...times), runs: times, others: Math.max(...runs.map((run) => run.others ?? 0)) };
}

/** @param {number} count @param {()=>Promise<any>} work */
async function repeated(count, work) {
  const results = [];
  while (results.length < count && !results.at(-1)?.error) results.push(await work());
  return results;
}

/** @param {import("../lib/measure.mjs").Lab} lab */
export async function run(lab) {
  const { cold } = lab.options;
  /** @type {any[]} */
  const rows = [];
  const add = (/** @type {any} */ one) => {
    rows.push(one);
    lab.say(`${one.what}: ${one.error ?? `${figure(one.coldMs)} ms, ${kilobytes(one.gzipBytes)} kB gzip`}`);
  };
  for (const site of new Set(lab.peers.map((peer) => peer.site).filter((site) => site !== null))) {
    // The first is left out: it waits for the compressed copies to be made.
    add(row({ what: `${site}'s page` }, (await repeated(cold + 1, () => visit(lab, site))).slice(-cold)));
  }
  for (const peer of lab.peers) {
    const about = { peer: peer.name, kind: peer.kind, software: isSoftware(lab, peer), threads: 1 };
    const entry = await lab.entryOf(peer);
    const runs = await repeated(cold, () => measureSteps(lab, peer, { mode: "infer", batch: 1, steps: 0, threads: mostThreads(lab, peer), entry }));
    add(row({ ...about, what: `${nameOf(about)} alone` }, runs));
  }
  console.log("");
  printTable(
    ["what", "first prediction ms", "least ms", "n", "shown ms", "first paint ms", "kB gzip", "kB", "others"],
    rows.map((one) => [one.what, ...(one.error ? [`FAILED: ${one.error.slice(0, 60)}`] : [figure(one.coldMs), figure(one.leastMs), String(one.runs.length), figure(one.shownMs), figure(one.paintMs), kilobytes(one.gzipBytes), kilobytes(one.rawBytes), figure(one.others)])]),
  );
  console.log(`
Milliseconds since the navigation began, in a new browser each time; medians. The page is sent compressed, without weights or data in any cache;
"alone": a page that starts the library with fresh weights and predicts once, sent as it is. kB: of what was asked for before the prediction.`);
  return { result: { rows }, right: rows.every((one) => !one.error) };
}
