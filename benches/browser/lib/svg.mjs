// Line plots as SVG, by hand: two axes, lines with their names beside them, a note below.

const WIDTH = 820;
const HEIGHT = 470;
const BOX = { left: 64, right: 650, top: 58, bottom: 372 };
const LABEL_GAP = 15;
/** Okabe and Ito's colours, which most people who are colour-blind can tell apart. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f"];
const FAINT = "#aaa";

/**
 * @typedef {object} Axis
 * @property {string} label
 * @property {number[]} ticks  The first and the last are the axis' ends.
 * @property {(value:number)=>number} [scale]  What the place grows with; the value itself by default.
 * @property {(value:number)=>string} [text]
 *
 * @typedef {{name:string, points:[number, number][], dashed?:boolean, faint?:boolean}} Series  `faint`: only to compare with.
 */

/** @param {string} text */
const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** @param {number} value */
const round = (value) => String(Math.round(value * 10) / 10);

/**
 * Where a value lies between two edges.
 * @param {Axis} axis
 * @param {number} from
 * @param {number} to
 */
function placer({ ticks, scale = (value) => value }, from, to) {
  const [least, most] = [scale(ticks[0]), scale(ticks[ticks.length - 1])];
  return (/** @type {number} */ value) => from + Math.min(Math.max((scale(value) - least) / (most - least), 0), 1) * (to - from);
}

/** Moves labels apart, so that none covers another. @param {{at:number}[]} labels */
function spread(labels) {
  labels.sort((a, b) => a.at - b.at);
  for (let i = 1; i < labels.length; i++) labels[i].at = Math.max(labels[i].at, labels[i - 1].at + LABEL_GAP);
  const beyond = (labels.at(-1)?.at ?? 0) - BOX.bottom;
  for (let i = labels.length - 1, edge = BOX.bottom; beyond > 0 && i >= 0; i--, edge -= LABEL_GAP) labels[i].at = Math.min(labels[i].at, edge);
}

/**
 * Ticks 1, 2 and 5 of each decade, around the values given.
 * @param {number[]} values  Above 0.
 */
export function decades(values) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const all = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++) all.push(...[1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
  const from = all.findLastIndex((tick) => tick <= least);
  const to = all.findIndex((tick) => tick >= most);
  return all.slice(Math.max(from, 0), (to < 0 ? all.length : to) + 1);
}

/**
 * @param {object} plot
 * @param {string} plot.title
 * @param {Axis} plot.x
 * @param {Axis} plot.y
 * @param {Series[]} plot.series
 * @param {string[]} plot.notes  Lines below.
 */
export function plot({ title, x, y, series, notes }) {
  const atX = placer(x, BOX.left, BOX.right);
  const atY = placer(y, BOX.bottom, BOX.top);
  const parts = [];
  for (const tick of y.ticks) {
    const at = round(atY(tick));
    parts.push(`<path class="grid" d="M${BOX.left} ${at}H${BOX.right}"/>`, `<text x="${BOX.left - 8}" y="${at}" dy="4" text-anchor="end">${escape((y.text ?? String)(tick))}</text>`);
  }
  for (const tick of x.ticks) {
    const at = round(atX(tick));
    parts.push(`<path class="grid" d="M${at} ${BOX.top}V${BOX.bottom}"/>`, `<text x="${at}" y="${BOX.bottom + 18}" text-anchor="middle">${escape((x.text ?? String)(tick))}</text>`);
  }
  const labels = [];
  series.forEach(({ name, points, dashed, faint }, i) => {
    if (points.length === 0) return;
    const colour = faint ? FAINT : COLOURS[i % COLOURS.length];
    const places = points.map(([px, py]) => [round(atX(px)), round(atY(py))]);
    const dash = dashed ? ' stroke-dasharray="5 4"' : "";
    parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="2"${dash} points="${places.map((place) => place.join(",")).join(" ")}"/>`);
    for (const [px, py] of faint ? [] : places) parts.push(`<circle cx="${px}" cy="${py}" r="2.6" fill="${colour}"/>`);
    const [lastX, lastY] = places[places.length - 1].map(Number);
    labels.push({ at: lastY, name, colour, lastX, lastY });
  });
  spread(labels);
  for (const { at, name, colour, lastX, lastY } of labels) {
    parts.push(
      `<path fill="none" stroke="${colour}" stroke-opacity=".6" d="M${lastX + 4} ${lastY}L${BOX.right + 8} ${round(at)}"/>`,
      `<text x="${BOX.right + 12}" y="${round(at)}" dy="4">${escape(name)}</text>`,
    );
  }
  notes.forEach((note, i) => parts.push(`<text class="note" x="${BOX.left}" y="${BOX.bottom + 62 + i * 15}">${escape(note)}</text>`));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">
<style>text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:16px;font-weight:600}.note{font-size:11px;fill:#555}.grid{stroke:#ddd;fill:none}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text class="title" x="${BOX.left}" y="26">${escape(title)}</text>
<text x="${BOX.left}" y="46">${escape(y.label)}</text>
<text x="${BOX.right}" y="${BOX.bottom + 38}" text-anchor="end">${escape(x.label)}</text>
${parts.join("\n")}
</svg>
`;
}
