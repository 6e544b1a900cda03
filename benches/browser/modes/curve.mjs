// Accuracy on MNIST's test images over seconds of training, every engine with the same net and settings.

import { isSoftware, measure, mostThreads } from "../lib/measure.mjs";
import { figure, nameOf, printTable } from "../lib/table.mjs";
import { decades, plot } from "../lib/svg.mjs";

/** When the net is tested, in seconds of training. */
const TIMES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 150, 180, 240, 300, 420, 600];
/** What a schedule does to the learning rate, in words. @type {Record<string, string>} */
const FALLS = { constant: "", linear: " falling to 0 in a straight line", cosine: " falling to 0 along half a cosine" };
/** Accuracies that somebody waits for. */
const MARKS = [0.9, 0.95, 0.98, 0.99];
const ACCURACY_TICKS = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];

const percent = (/** @type {number} */ share) => `${Number((share * 100).toFixed(2))} %`;

/**
 * Measures one peer; what was reported before a failure counts.
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {import("../lib/peers.mjs").Peer} peer
 */
async function measurePeer(lab, peer) {
  const threads = mostThreads(lab, peer);
  const { batch, optimizer, learningRate, momentum, schedule, shift, seconds, images } = lab.options;
  const settings = { work: "curve", entry: await lab.entryOf(peer), batch: batch[0], optimizer, learningRate, momentum, schedule, shift, threads, device: peer.kind, seconds, images, times: TIMES };
  /** @type {any[]} */
  const points = [];
  const result = await measure(lab, settings, {
    onNews: (point) => {
      points.push(point);
      lab.say(`${peer.name}: ${figure(point.seconds)} s, ${point.steps} steps, ${percent(point.accuracy)} of ${point.images}`);
    },
  });
  return { peer: peer.name, kind: peer.kind, software: isSoftware(lab, peer), threads: result.info?.threads ?? threads, ...result, points };
}

/** The first time that a curve is at a mark. @param {any} row @param {number} mark */
const reached = (row, mark) => row.points.find((/** @type {any} */ point) => point.accuracy >= mark)?.seconds;

/**
 * @param {import("../lib/measure.mjs").Lab} lab
 * @param {any} about
 */
export async function run(lab, about) {
  const { options } = lab;
  /** @type {any[]} */
  const rows = [];
  for (const peer of lab.peers) {
    const row = await measurePeer(lab, peer);
    rows.push({ ...row, name: nameOf(row) });
    if (row.error) lab.say(`${peer.name}: ${row.error}`);
  }
  console.log("");
  printTable(
    ["engine", "images/s", "steps", ...MARKS.map((mark) => `s to ${percent(mark)}`), "at the end", "others"],
    rows.map((row) => [row.name, figure(row.imagesPerSecond), String(row.last?.steps ?? "–"), ...MARKS.map((mark) => figure(reached(row, mark))), row.error ? `FAILED: ${row.error.slice(0, 40)}` : percent(row.last.accuracy), figure(row.others)]),
  );
  const settings = `${options.optimizer === "adam" ? "Adam" : `SGD with momentum ${options.momentum}`}, learning rate ${options.learningRate}${FALLS[options.schedule]}, batch ${options.batch[0]}${options.shift ? ", images moved by up to a pixel" : ""}`;
  const seconds = rows.flatMap((row) => row.points.map((/** @type {any} */ point) => point.seconds));
  const svg =
    seconds.length > 0 &&
    plot({
      title: "Accuracy on MNIST's test images, the lecture's net",
      x: { label: "seconds of training (testing left out), log scale", ticks: decades(seconds), scale: Math.log10 },
      // By what is still wrong, so that 98 % and 99 % lie apart.
      y: { label: "right answers", ticks: ACCURACY_TICKS, scale: (value) => -Math.log10(1 - value), text: percent },
      series: rows.map((row) => ({ name: row.name, dashed: row.software, points: row.points.map((/** @type {any} */ point) => [point.seconds, point.accuracy]) })),
      notes: [
        `${settings}.`,
        `Same first weights, same order of the images. Points: ${options.images.toLocaleString("en")} test images; the last: all 10,000.`,
        `${about.machine.cpu}, ${about.machine.cores} cores; Chromium ${about.machine.chromium}; tfjs ${about.machine.tfjs}, jax-js ${about.machine.jax}. ./build.sh bench browser curve`,
      ],
    });
  return { result: { rows }, right: rows.every((row) => !row.error), plots: svg ? { "accuracy-over-time": svg } : {} };
}
