// How cost grows with work: step time over batch, and Glassbox's epoch time over data.

import { isSoftware, measure, mostThreads } from "../lib/measure.mjs";
import { figure, nameOf, printTable } from "../lib/table.mjs";
import { decades, plot } from "../lib/svg.mjs";
import { measureBatches } from "./steps.mjs";

const IMAGES = [500, 1000, 2000, 5000, 10_000, 20_000, 60_000];
const EPOCH_BATCH = 64;
/** Larger epochs than this are left out. */
const EPOCH_BUDGET_MS = 60_000;

/**
 * The straight line through points that fits best relative to their height, and how far a point is
 * off it at most.
 * @param {[number, number][]} points
 */
function fit(points) {
  const weights = points.map(([, y]) => 1 / y ** 2);
  const sum = (/** @type {(x:number, y:number)=>number} */ of) => points.reduce((total, [x, y], i) => total + weights[i] * of(x, y), 0);
  const [n, x, y, xx, xy] = [sum(() => 1), sum((a) => a), sum((_, b) => b), sum((a) => a * a), sum((a, b) => a * b)];
  const slope = (n * xy - x * y) / (n * xx - x * x);
  const base = (y - slope * x) / n;
  return { base, slope, off: Math.max(...points.map(([a, b]) => Math.abs((base + slope * a) / b - 1))) };
}

/** What cost in proportion to the work would be, by a curve's last point. @param {[number, number][]} points */
const proportional = (points) => {
  const [x, y] = points[points.length - 1];
  return { name: "in proportion", dashed: true, faint: true, points: points.map(([at]) => /** @type {[number, number]} */ ([at, (y * at) / x])) };
};

/** @param {string} title @param {string} x @param {string} y @param {any[]} curves @param {string[]} notes */
function curvesPlot(title, x, y, curves, notes) {
  const series = [...curves, ...(curves[0]?.points.length > 1 ? [proportional(curves[0].points)] : [])];
  const all = series.flatMap((one) => one.points);
  const axis = (/** @type {0|1} */ i, /** @type {string} */ label) => ({ label: `${label}, log scale`, ticks: decades(all.map((point) => point[i])), scale: Math.log10, text: (/** @type {number} */ value) => value.toLocaleString("en") });
  return plot({ title, x: axis(0, x), y: axis(1, y), series, notes });
}

/**
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {any} about
 */
export async function run(lab, about) {
  const { options } = lab;
  /** @type {any[]} */
  const rows = [];
  for (const peer of lab.peers) {
    await measureBatches(lab, peer, { threads: mostThreads(lab, peer), entry: await lab.entryOf(peer) }, (row) => {
      rows.push({ ...row, name: nameOf(row), losses: undefined });
      lab.say(`${peer.name}, batch ${row.batch}: ${row.error ?? row.skipped ?? `${figure(row.medianMs)} ms`}`);
    });
  }
  /** @type {any[]} */
  const epochs = [];
  for (const peer of lab.peers.filter(({ site }) => site)) {
    const { optimizer, learningRate, momentum } = options;
    const settings = { work: "epochs", site: `/${peer.site}/`, device: peer.kind, batch: EPOCH_BATCH, counts: IMAGES, optimizer, learningRate, momentum, budgetMs: EPOCH_BUDGET_MS };
    /** @type {{images:number, ms:number}[]} */
    const timed = [];
    const onNews = (/** @type {{images:number, ms:number}} */ epoch) => {
      timed.push(epoch);
      lab.say(`${peer.name}, epoch of ${epoch.images}: ${figure(epoch.ms / 1000)} s`);
    };
    const result = await measure(lab, settings, { onNews });
    const row = { peer: peer.name, kind: peer.kind, threads: 1, software: isSoftware(lab, peer), ...result, epochs: timed };
    epochs.push({ ...row, name: nameOf(row) });
    if (row.error) lab.say(`${peer.name}: ${row.error}`);
  }

  const names = [...new Set(rows.map((row) => row.name))];
  const byBatch = names.map((name) => ({
    name,
    dashed: rows.find((row) => row.name === name).software,
    points: rows.filter((row) => row.name === name && row.medianMs).map((row) => /** @type {[number, number]} */ ([row.batch, row.medianMs])),
  }));
  const byImages = epochs.map((row) => ({ name: row.name, dashed: row.software, points: row.epochs.map((/** @type {any} */ { images, ms }) => [images, ms / 1000]) }));
  console.log("");
  printTable(
    ["engine", ...options.batch.map((batch) => `batch ${batch}`), "ms a step + image", "off that by at most"],
    byBatch.map(({ name, points }) => {
      const line = points.length > 2 ? fit(points) : null;
      const at = (/** @type {number} */ batch) => figure(points.find(([x]) => x === batch)?.[1]);
      return [name, ...options.batch.map(at), line ? `${figure(line.base)} + ${figure(line.slope)}` : "–", line ? `${Math.round(line.off * 100)} %` : "–"];
    }),
  );
  console.log("");
  const counts = IMAGES.filter((images) => byImages.some(({ points }) => points.some(([x]) => x === images)));
  printTable(
    ["engine", ...counts.map((images) => `epoch of ${images}, s`), "ms an image"],
    byImages.map(({ name, points }) => [name, ...counts.map((images) => figure(points.find(([x]) => x === images)?.[1])), figure(points.length > 1 ? 1000 * fit(points).slope : null)]),
  );

  const place = `${about.machine.cpu}, ${about.machine.cores} cores; Chromium ${about.machine.chromium}. ./build.sh bench browser scaling`;
  /** @type {Record<string, string>} */
  const plots = {};
  if (byBatch.some(({ points }) => points.length)) {
    const settings = `The lecture's net, ${options.optimizer === "adam" ? "Adam" : "SGD with momentum"}, the loss read back every step; medians.`;
    plots["step-time-over-batch"] = curvesPlot("A training step over its batch", "images in a batch", "milliseconds", byBatch, [settings, place]);
  }
  if (byImages.some(({ points }) => points.length)) {
    const settings = `The lecture's net, batch ${EPOCH_BATCH}; batches put together, losses read back and events told as on the page.`;
    plots["epoch-time-over-data"] = curvesPlot("An epoch over its data", "training images", "seconds", byImages, [settings, place]);
  }
  return { result: { rows, epochs }, right: [...rows, ...epochs].every((row) => !row.error), plots };
}
