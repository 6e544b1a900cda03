// The net in tfjs-core's operations, without its layers library: less to load, and less a step.

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { channelsLast, oneHot, PIXELS } from "../net.js";

/**
 * @param {string} backend
 * @param {any} options  Those of www/bench/entry.js.
 */
export async function createTf(backend, { optimizer, lr, momentum, weights }) {
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs has no ${backend} backend here`);
  await tf.ready();
  const values = channelsLast(weights);
  const variable = (name, shape) => tf.variable(tf.tensor(values[name], shape), true, name);
  const conv1 = [variable("conv1_w", [3, 3, 1, 32]), variable("conv1_b", [32])];
  const conv2 = [variable("conv2_w", [3, 3, 32, 64]), variable("conv2_b", [64])];
  const fc1 = [variable("fc1_w", [9216, 128]), variable("fc1_b", [128])];
  const fc2 = [variable("fc2_w", [128, 10]), variable("fc2_b", [10])];
  const variables = [conv1, conv2, fc1, fc2].flat();
  // Fused operations run fused kernels for inference, and fall back to separate ones inside a gradient.
  const convolve = (x, [filter, bias]) => tf.fused.conv2d({ x, filter, strides: 1, pad: "valid", bias, activation: "relu" });
  const logits = (x) => {
    const features = tf.reshape(tf.maxPool(convolve(convolve(x, conv1), conv2), 2, 2, "valid"), [-1, 9216]);
    const hidden = tf.fused.matMul({ a: features, b: fc1[0], bias: fc1[1], activation: "relu" });
    return tf.fused.matMul({ a: hidden, b: fc2[0], bias: fc2[1] });
  };
  const learner = optimizer === "adam" ? tf.train.adam(lr, 0.9, 0.999, 1e-8) : tf.train.momentum(lr, momentum);
  let x, y;
  return {
    info: { backend: tf.getBackend(), version: tf.version_core },
    setBatch(images, labels, count) {
      tf.dispose([x, y]);
      x = tf.tensor(images, [count, 28, 28, 1]);
      y = tf.tensor(oneHot(labels), [count, 10]);
    },
    async step(read = true) {
      const loss = tf.tidy(() => learner.minimize(() => tf.losses.softmaxCrossEntropy(y, logits(x)), true, variables));
      const value = read ? (await loss.data())[0] : undefined;
      loss.dispose();
      return value;
    },
    async infer(images) {
      const probabilities = tf.tidy(() => tf.softmax(logits(tf.tensor(images, [images.length / PIXELS, 28, 28, 1]))));
      const value = await probabilities.data();
      probabilities.dispose();
      return value;
    },
    setLearningRate(rate) {
      if (optimizer === "adam") learner.learningRate = rate;
      else learner.setLearningRate(rate);
    },
    memory: () => ({ tensors: tf.memory().numTensors, bytes: tf.memory().numBytes }),
  };
}
