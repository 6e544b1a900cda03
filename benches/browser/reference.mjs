// The same training in plain JavaScript doubles: writes expected.json, the losses that every engine must come to.
//
//   node reference.mjs        takes minutes; checks its own gradients by finite differences first

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeBatch, makeWeights, oneHot, random } from "./pages/net.js";

/** @typedef {Float64Array | Float32Array} Numbers */
/** @typedef {Record<string, Float64Array>} Parameters */

const LEARNING_RATES = { sgd: 0.01, adam: 0.001 };
const MOMENTUM = 0.9;
/** Losses by optimizer and batch. @type {Record<string, [batch:number, steps:number][]>} */
const STEPS = { sgd: [[10, 8], [64, 4], [256, 2]], adam: [[10, 8], [64, 3]] };
/** So small that it crosses no bend of a ReLU. */
const DIFFERENCE = 1e-7;
const GRADIENT_TOLERANCE = 1e-6;

/**
 * A 3×3 convolution without padding, then ReLU.
 * @param {Numbers} x  [count, inputs, size, size]
 * @param {Numbers} w
 * @param {Numbers} b
 * @param {{count:number, inputs:number, size:number, outputs:number}} shape
 */
function convolve(x, w, b, { count, inputs, size, outputs }) {
  const side = size - 2;
  const y = new Float64Array(count * outputs * side * side);
  for (let image = 0; image < count; image++) {
    for (let output = 0; output < outputs; output++) {
      const to = (image * outputs + output) * side * side;
      y.fill(b[output], to, to + side * side);
      for (let input = 0; input < inputs; input++) {
        for (let tap = 0; tap < 9; tap++) {
          const weight = w[(output * inputs + input) * 9 + tap];
          const from = (image * inputs + input) * size * size + Math.floor(tap / 3) * size + (tap % 3);
          for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) y[to + row * side + column] += weight * x[from + row * size + column];
        }
      }
    }
  }
  return y.map((value) => Math.max(value, 0));
}

/**
 * Its gradients; `dy` is that behind the ReLU's mask.
 * @param {Numbers} x
 * @param {Numbers} w
 * @param {Numbers} dy
 * @param {{count:number, inputs:number, size:number, outputs:number}} shape
 */
function convolveBack(x, w, dy, { count, inputs, size, outputs }) {
  const side = size - 2;
  const dw = new Float64Array(w.length);
  const db = new Float64Array(outputs);
  const dx = new Float64Array(x.length);
  for (let image = 0; image < count; image++) {
    for (let output = 0; output < outputs; output++) {
      const to = (image * outputs + output) * side * side;
      for (let i = 0; i < side * side; i++) db[output] += dy[to + i];
      for (let input = 0; input < inputs; input++) {
        for (let tap = 0; tap < 9; tap++) {
          const at = (output * inputs + input) * 9 + tap;
          const from = (image * inputs + input) * size * size + Math.floor(tap / 3) * size + (tap % 3);
          for (let row = 0; row < side; row++) {
            for (let column = 0; column < side; column++) {
              const gradient = dy[to + row * side + column];
              dw[at] += gradient * x[from + row * size + column];
              dx[from + row * size + column] += w[at] * gradient;
            }
          }
        }
      }
    }
  }
  return { dw, db, dx };
}

/** @param {Numbers} x @param {Numbers} w [inputs, outputs] @param {Numbers} b @param {number} count @param {number} inputs @param {number} outputs */
function dense(x, w, b, count, inputs, outputs) {
  const y = new Float64Array(count * outputs);
  for (let image = 0; image < count; image++) {
    for (let o = 0; o < outputs; o++) y[image * outputs + o] = b[o];
    for (let i = 0; i < inputs; i++) {
      const value = x[image * inputs + i];
      for (let o = 0; value && o < outputs; o++) y[image * outputs + o] += value * w[i * outputs + o];
    }
  }
  return y;
}

/** @param {Numbers} x @param {Numbers} w @param {Numbers} dy @param {number} count @param {number} inputs @param {number} outputs */
function denseBack(x, w, dy, count, inputs, outputs) {
  const dw = new Float64Array(w.length);
  const db = new Float64Array(outputs);
  const dx = new Float64Array(count * inputs);
  for (let image = 0; image < count; image++) {
    for (let o = 0; o < outputs; o++) db[o] += dy[image * outputs + o];
    for (let i = 0; i < inputs; i++) {
      const value = x[image * inputs + i];
      let sum = 0;
      for (let o = 0; o < outputs; o++) {
        const gradient = dy[image * outputs + o];
        sum += gradient * w[i * outputs + o];
        dw[i * outputs + o] += value * gradient;
      }
      dx[image * inputs + i] = sum;
    }
  }
  return { dw, db, dx };
}

/** @param {Numbers} logits @param {number} count */
function softmax(logits, count) {
  const out = new Float64Array(logits.length);
  for (let image = 0; image < count; image++) {
    const row = logits.subarray(image * 10, image * 10 + 10);
    const most = Math.max(...row);
    const powers = Array.from(row, (logit) => Math.exp(logit - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    powers.forEach((power, i) => (out[image * 10 + i] = power / sum));
  }
  return out;
}

/** @param {Parameters} w @param {Numbers} x @param {number} count */
function forward(w, x, count) {
  const first = convolve(x, w.conv1_w, w.conv1_b, { count, inputs: 1, size: 28, outputs: 32 });
  const second = convolve(first, w.conv2_w, w.conv2_b, { count, inputs: 32, size: 26, outputs: 64 });
  const pooled = new Float64Array(count * 9216);
  const chosen = new Int32Array(count * 9216);
  for (let plane = 0; plane < count * 64; plane++) {
    for (let place = 0; place < 144; place++) {
      const corner = plane * 576 + Math.floor(place / 12) * 48 + (place % 12) * 2;
      // Of equals, the first.
      const best = [0, 1, 24, 25].reduce((kept, step) => (second[corner + step] > second[kept] ? corner + step : kept), corner);
      pooled[plane * 144 + place] = second[best];
      chosen[plane * 144 + place] = best;
    }
  }
  const hidden = dense(pooled, w.fc1_w, w.fc1_b, count, 9216, 128).map((value) => Math.max(value, 0));
  const probabilities = softmax(dense(hidden, w.fc2_w, w.fc2_b, count, 128, 10), count);
  return { first, second, pooled, chosen, hidden, probabilities };
}

/** @param {Parameters} w @param {Numbers} x @param {Float32Array} truth  One-hot. @param {number} count */
function gradients(w, x, truth, count) {
  const { first, second, pooled, chosen, hidden, probabilities } = forward(w, x, count);
  let loss = 0;
  truth.forEach((one, i) => (loss -= one ? Math.log(probabilities[i]) / count : 0));
  const dLogits = probabilities.map((value, i) => (value - truth[i]) / count);
  const fc2 = denseBack(hidden, w.fc2_w, dLogits, count, 128, 10);
  const fc1 = denseBack(pooled, w.fc1_w, fc2.dx.map((value, i) => (hidden[i] > 0 ? value : 0)), count, 9216, 128);
  const dSecond = new Float64Array(second.length);
  fc1.dx.forEach((value, i) => (dSecond[chosen[i]] += second[chosen[i]] > 0 ? value : 0));
  const conv2 = convolveBack(first, w.conv2_w, dSecond, { count, inputs: 32, size: 26, outputs: 64 });
  const conv1 = convolveBack(x, w.conv1_w, conv2.dx.map((value, i) => (first[i] > 0 ? value : 0)), { count, inputs: 1, size: 28, outputs: 32 });
  /** @type {Parameters} */
  const all = {};
  for (const [name, { dw, db }] of Object.entries({ conv1, conv2, fc1, fc2 })) Object.assign(all, { [`${name}_w`]: dw, [`${name}_b`]: db });
  return { loss, all };
}

/** @returns {Parameters} */
const firstWeights = () => Object.fromEntries(Object.entries(makeWeights()).map(([name, values]) => [name, Float64Array.from(values)]));

const shown = (/** @type {number} */ value) => Number(value.toPrecision(9));

/** @param {number} batch @param {number} steps @param {"sgd"|"adam"} optimizer */
function train(batch, steps, optimizer) {
  const { x, y } = makeBatch(batch, 1);
  const [w, truth, rate] = [firstWeights(), oneHot(y), LEARNING_RATES[optimizer]];
  const zeros = () => /** @type {Parameters} */ (Object.fromEntries(Object.entries(w).map(([name, values]) => [name, new Float64Array(values.length)])));
  const [m, v] = [zeros(), zeros()];
  const losses = [];
  for (let step = 1; step <= steps; step++) {
    const { loss, all } = gradients(w, x, truth, batch);
    losses.push(shown(loss));
    for (const [name, g] of Object.entries(all)) {
      for (let i = 0; i < g.length; i++) {
        if (optimizer === "sgd") {
          m[name][i] = MOMENTUM * m[name][i] + g[i];
          w[name][i] -= rate * m[name][i];
        } else {
          m[name][i] = 0.9 * m[name][i] + 0.1 * g[i];
          v[name][i] = 0.999 * v[name][i] + 0.001 * g[i] ** 2;
          w[name][i] -= (rate * m[name][i]) / (1 - 0.9 ** step) / (Math.sqrt(v[name][i] / (1 - 0.999 ** step)) + 1e-8);
        }
      }
    }
  }
  console.log(`${optimizer}, batch ${batch}: ${losses.join(" ")}`);
  return losses;
}

/** Holds the gradients against central differences at a few places of each parameter. */
function checkGradients() {
  const count = 2;
  const { x, y } = makeBatch(count, 1);
  const [w, truth, next] = [firstWeights(), oneHot(y), random(9)];
  const { all } = gradients(w, x, truth, count);
  for (const [name, values] of Object.entries(w)) {
    let worst = 0;
    for (let tries = 0; tries < 8; tries++) {
      const i = Math.floor(next() * values.length);
      const kept = values[i];
      const lossAt = (/** @type {number} */ value) => {
        values[i] = value;
        return gradients(w, x, truth, count).loss;
      };
      const slope = (lossAt(kept + DIFFERENCE) - lossAt(kept - DIFFERENCE)) / (2 * DIFFERENCE);
      values[i] = kept;
      worst = Math.max(worst, Math.abs(slope - all[name][i]));
    }
    console.log(`gradient of ${name}: off by ${worst.toExponential(1)} at most`);
    if (!(worst < GRADIENT_TOLERANCE)) throw new Error("the reference is wrong");
  }
}

checkGradients();
/** @type {any} */
const expected = { learningRates: LEARNING_RATES };
for (const [optimizer, runs] of Object.entries(STEPS)) {
  expected[optimizer] = Object.fromEntries(runs.map(([batch, steps]) => [batch, train(batch, steps, /** @type {"sgd"|"adam"} */ (optimizer))]));
}
expected.infer = [...forward(firstWeights(), makeBatch(1, 7).x, 1).probabilities].map(shown);
writeFileSync(join(dirname(fileURLToPath(import.meta.url)), "expected.json"), `${JSON.stringify(expected, null, 1)}\n`);
