// The command line.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const MODES = ["steps", "curve", "memory", "scaling", "cold"];

export const HELP = `usage: ./build.sh bench browser [MODE] [OPTIONS]

Times Glassbox in headless Chromium beside other libraries, each with the same net, weights and data.

  steps (default)  one prediction, and training steps by batch; losses are checked
  curve            accuracy on MNIST's test images over seconds of training
  scaling          step time over batch, and Glassbox's epoch time over data
  memory           the wasm heap over thousands of training steps and predictions
  cold             first prediction after a cold navigation, and the bytes before it

  --dist           measure dist/, the optimised bundles, in place of www/
  --data DIR       where MNIST is (curve); or GLASSBOX_DATA=DIR
  --peer A,B       whom: all, or of glassbox-cpu glassbox-gpu tfjs-wasm jax-wasm tfjs-cpu tfjs-webgpu
                   jax-webgpu tfjs-webgl. By default steps takes all, memory Glassbox on the CPU, and the
                   others those of the CPU and, where there is a real GPU, those of the GPU
  --other N=DIR    one more build of this page to measure, as N-cpu and N-gpu (before and after)
  --adapter NAME   native, swiftshader (software), or auto, which takes a real GPU where there is one
  --threads 1,2    numbers of threads for those that heed it (1 and all cores); all but steps take the most
  --batch 10,64    batches (steps: 10,64,256; scaling: 1 to 256; curve: 64; memory: 10)
  --steps N        steps timed (20; on a software GPU 3 at most; scaling: 10; memory: 5000)
  --inferences N   predictions of memory (2000)
  --warm N         steps before those timed (3)
  --cold N         steps: fresh browsers for a cold first step (0); cold: navigations (5)
  --pipe N         steps for each loss that is read back (1)
  --optimizer O    sgd or adam (steps: sgd; curve: adam)
  --learning-rate  0.01 for sgd, 0.001 for adam
  --momentum       of sgd (0.9)
  --schedule S     curve: constant (default), or how the learning rate falls to 0 over the seconds: linear,
                   or cosine as in the page's quick start
  --shift          curve: training images moved by up to a pixel, as in the page's quick start
  --seconds N      curve: training time of each peer (60)
  --images N       curve: test images for each point (1000); the last point takes all 10,000
  --budget S       seconds for the timed part of one measurement (60; scaling: 15; software GPU: 30 at most)
  --limit S        seconds after which a measurement is given up (300; curve: ten times --seconds)
  --out DIR        where curve and scaling put their plots, with the figures beside them (docs)
  --json FILE      where the figures go (bench-results/browser-MODE.json)

Paths begin at the project's root. CHROMIUM names the browser. What a software GPU takes ranks nothing about real ones, and is marked.`;

/** @param {string} name @param {string|undefined} text @param {number} otherwise @param {number} [least] */
function number(name, text, otherwise, least = 0) {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < least) throw new Error(`--${name} takes a number from ${least}, not ${text}`);
  return value;
}

/** @param {string} name @param {string|undefined} text @param {number[]} otherwise */
const numbers = (name, text, otherwise) => (text === undefined ? otherwise : text.split(",").map((one) => number(name, one, 0, 1)));

/** @param {string} name @param {string} text @param {string[]} known */
function oneOf(name, text, known) {
  if (!known.includes(text)) throw new Error(`--${name} is one of ${known.join(", ")}, not ${text}`);
  return text;
}

/** @param {string[]} args */
export function readOptions(args) {
  const text = { type: /** @type {const} */ ("string") };
  const flag = { type: /** @type {const} */ ("boolean") };
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...{ site: text, peer: text, other: { ...text, multiple: true }, adapter: text, threads: text, batch: text, steps: text, inferences: text },
      ...{ warm: text, cold: text, pipe: text, optimizer: text, "learning-rate": text, momentum: text, schedule: text, shift: flag, seconds: text, images: text },
      ...{ budget: text, limit: text, out: text, json: text, help: flag },
    },
  });
  const [mode = "steps", ...more] = positionals;
  if (!MODES.includes(mode) || more.length) throw new Error(`the modes are ${MODES.join(", ")}, not ${positionals.join(" ")}`);
  const optimizer = oneOf("optimizer", values.optimizer ?? (mode === "curve" ? "adam" : "sgd"), ["sgd", "adam"]);
  const seconds = number("seconds", values.seconds, 60, 1);
  /** @type {Record<string, number[]>} */
  const batches = { scaling: [1, 2, 4, 8, 16, 32, 64, 128, 256], curve: [64], memory: [10] };
  /** @type {Record<string, number>} */
  const steps = { scaling: 10, memory: 5000 };
  const images = number("images", values.images, 1000, 100);
  return {
    mode,
    help: values.help ?? false,
    site: values.site ?? "www",
    peer: values.peer?.split(",") ?? null,
    other: values.other ?? [],
    adapter: oneOf("adapter", values.adapter ?? "auto", ["auto", "native", "swiftshader"]),
    threads: [...new Set(numbers("threads", values.threads, [1, availableParallelism()]))],
    batch: numbers("batch", values.batch, batches[mode] ?? [10, 64, 256]),
    steps: number("steps", values.steps, steps[mode] ?? 20, 1),
    inferences: number("inferences", values.inferences, 2000, 1),
    warm: number("warm", values.warm, 3),
    cold: number("cold", values.cold, mode === "cold" ? 5 : 0, mode === "cold" ? 1 : 0),
    pipe: number("pipe", values.pipe, 1, 1),
    optimizer,
    learningRate: number("learning-rate", values["learning-rate"], optimizer === "adam" ? 0.001 : 0.01),
    momentum: number("momentum", values.momentum, 0.9),
    shift: values.shift ?? false,
    schedule: oneOf("schedule", values.schedule ?? "constant", ["constant", "linear", "cosine"]),
    seconds,
    // Evaluated a hundred at a time.
    images: Math.min(10_000, Math.round(images / 100) * 100),
    budget: number("budget", values.budget, mode === "scaling" ? 15 : 60, 1),
    limit: number("limit", values.limit, mode === "curve" ? Math.max(300, 10 * seconds) : mode === "memory" ? 3600 : 300, 1),
    out: values.out ?? "docs",
    json: values.json ?? `bench-results/browser-${mode}.json`,
  };
}
