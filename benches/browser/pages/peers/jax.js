// The net in jax-js: one jitted function is the whole training step (forward, backward, optimizer), as JAX code has it.

import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { oneHot, PIXELS } from "../net.js";

/**
 * @param {"wasm"|"webgpu"} device
 * @param {any} options  Those of www/bench/entry.js.
 */
export async function createJax(device, { optimizer, lr, momentum, weights }) {
  if (!(await init(device)).includes(device)) throw new Error(`jax-js has no ${device} device here`);
  defaultDevice(device);
  const array = (name, shape) => np.array(weights[name]).reshape(shape);
  let parameters = {
    conv1_w: array("conv1_w", [32, 1, 3, 3]),
    conv1_b: array("conv1_b", [32, 1, 1]),
    conv2_w: array("conv2_w", [64, 32, 3, 3]),
    conv2_b: array("conv2_b", [64, 1, 1]),
    fc1_w: array("fc1_w", [9216, 128]),
    fc1_b: array("fc1_b", [128]),
    fc2_w: array("fc2_w", [128, 10]),
    fc2_b: array("fc2_b", [10]),
  };
  const zeros = () => tree.map((value) => np.zeros(value.shape), parameters);
  let state = optimizer === "adam" ? { m: zeros(), v: zeros() } : { m: zeros() };
  let steps = 0;

  const logits = (p, x) => {
    let h = nn.relu(lax.conv(x, p.conv1_w, [1, 1], "VALID").add(p.conv1_b));
    h = nn.relu(lax.conv(h, p.conv2_w, [1, 1], "VALID").add(p.conv2_b));
    h = lax.reduceWindow(h, np.max, [2, 2], [2, 2]).reshape([-1, 9216]);
    h = nn.relu(np.dot(h, p.fc1_w).add(p.fc1_b));
    return np.dot(h, p.fc2_w).add(p.fc2_b);
  };
  const lossOf = (p, x, y) => nn.logSoftmax(logits(p, x)).mul(y).sum().mul(-1 / x.shape[0]);

  // What changes from step to step comes in as an array, so that the step is compiled once: Adam's
  // two corrections of its moments, and the learning rate.
  const sgd = (p, { m: before }, gradients, changing) => {
    const rate = changing.slice(2);
    const m = tree.map((velocity, gradient) => velocity.mul(momentum).add(gradient), before, gradients);
    const after = tree.map((value, velocity) => value.sub(velocity.mul(rate.ref)), p, tree.ref(m));
    rate.dispose();
    return [after, { m }];
  };
  const adam = (p, before, gradients, changing) => {
    const m = tree.map((moment, gradient) => moment.mul(0.9).add(gradient.ref.mul(0.1)), before.m, tree.ref(gradients));
    const v = tree.map((moment, gradient) => moment.mul(0.999).add(gradient.ref.mul(gradient).mul(0.001)), before.v, gradients);
    const [first, second, rate] = [changing.ref.slice(0), changing.ref.slice(1), changing.slice(2)];
    const after = tree.map(
      (value, mean, variance) => value.sub(mean.mul(first.ref).mul(rate.ref).div(np.sqrt(variance.mul(second.ref)).add(1e-8))),
      p,
      tree.ref(m),
      tree.ref(v),
    );
    for (const scalar of [first, second, rate]) scalar.dispose();
    return [after, { m, v }];
  };
  const update = optimizer === "adam" ? adam : sgd;
  const step = jit((p, s, x, y, changing) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(p), x, y);
    return [loss, ...update(p, s, gradients, changing)];
  });
  const probabilities = jit((p, x) => nn.softmax(logits(p, x)));
  let x, y;
  return {
    info: { device, threads: 1 },
    setBatch(images, labels, count) {
      x?.dispose();
      y?.dispose();
      x = np.array(images).reshape([count, 1, 28, 28]);
      y = np.array(oneHot(labels)).reshape([count, 10]);
    },
    async step(read = true) {
      steps++;
      const changing = np.array(new Float32Array([1 / (1 - 0.9 ** steps), 1 / (1 - 0.999 ** steps), lr]));
      const [loss, nextParameters, nextState] = step(parameters, state, x.ref, y.ref, changing);
      parameters = nextParameters;
      state = nextState;
      if (!read) {
        loss.dispose();
        return undefined;
      }
      const value = (await loss.data())[0];
      await blockUntilReady(parameters); // the loss can be there before the new weights are
      return value;
    },
    infer: (images) => probabilities(tree.ref(parameters), np.array(images).reshape([images.length / PIXELS, 1, 28, 28])).data(),
    setLearningRate(rate) {
      lr = rate;
    },
  };
}
