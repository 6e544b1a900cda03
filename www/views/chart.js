// The loss of each step, the same smoothed, and the test accuracy by epoch. uPlot draws; this file says what.

import uPlot from "../vendor/uPlot.esm.js";
import { table } from "./curve.js";
import { byId, onTheme, whenChanged } from "./dom.js";

/** @typedef {import("../store.js").State} State */

/** @param {string} name a custom property of the page */
const token = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function createChartView() {
  const box = byId("loss-chart", HTMLElement);
  const empty = byId("chart-empty", HTMLElement);
  const width = () => Math.max(200, box.clientWidth);
  const height = () => (width() < 480 ? 220 : 280);
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: token("--quiet"), font, labelFont: font, ticks: { show: false } };
  const grid = { stroke: token("--line"), width: 1 };

  const chart = new uPlot(
    {
      width: width(),
      height: height(),
      cursor: { y: false, drag: { x: true, y: false } },
      scales: {
        x: { time: false },
        loss: { range: (_, _min, max) => [0, Math.max(0.1, Math.min(max || 1, 4)) * 1.05] },
        accuracy: { range: (_, min) => [accuracyFloor(min), 100] },
      },
      axes: [
        { ...axis, grid: { show: false }, label: "step", labelSize: 20, size: 34 },
        { ...axis, grid, scale: "loss", size: 44, label: "loss", labelSize: 18 },
        {
          ...axis, grid: { show: false }, scale: "accuracy", side: 1, size: 48, label: "test accuracy, %", labelSize: 18,
          values: (_, ticks) => ticks.map((tick) => String(Math.round(tick * 10) / 10)),
        },
      ],
      series: [
        { label: "Step", value: (_, step) => (step == null ? "–" : String(step)) },
        { label: "Loss of a batch", scale: "loss", stroke: token("--loss-faint"), width: 1, spanGaps: true, points: { show: false }, value: figure(3) },
        { label: "Smoothed", scale: "loss", stroke: token("--accent"), width: 2.5, spanGaps: true, points: { show: false }, value: figure(3) },
        {
          label: "Test accuracy", scale: "accuracy", stroke: token("--warm"), width: 2, dash: [5, 4], spanGaps: true,
          points: { show: true, size: 9, fill: token("--warm") }, value: figure(2, " %"),
        },
      ],
    },
    [[], [], [], []],
    box,
  );

  new ResizeObserver(() => chart.setSize({ width: width(), height: height() })).observe(box);
  onTheme(() => chart.redraw(false, true));

  const draw = whenChanged((/** @type {State["history"]} */ history, /** @type {State["epochs"]} */ epochs) => {
    // After a reload the epochs come back, and the losses before them do not.
    const blank = history.steps.length <= 1 && epochs.length === 0;
    empty.hidden = !blank;
    box.classList.toggle("blank", blank);
    chart.setData(table(history, epochs));
  });

  /** @param {State} state */
  return (state) => draw(state.history, state.epochs);
}

/** The scale's lower end: as near as it can be and still show every mark. @param {number | null} lowest */
const accuracyFloor = (lowest) => {
  const low = lowest ?? 90;
  return low >= 98 ? 97 : low >= 92 ? 90 : low >= 55 ? 50 : 0;
};

/** @param {number} digits @param {string} [unit] */
const figure = (digits, unit = "") => (/** @type {unknown} */ _, /** @type {number | null} */ value) =>
  value == null ? "–" : `${value.toFixed(digits)}${unit}`;
