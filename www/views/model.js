// Step 2: the network, layer by layer.

import { byId, h, say, whenChanged } from "./dom.js";
import { count } from "./format.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../store.js").ModelSummary} ModelSummary */

/** How the lecture names what the crate calls by PyTorch's names. @type {Record<string, string>} */
const KINDS = { Conv2d: "Convolution", MaxPool2d: "Max-pool" };

/** The lecture's network, shown until a run tells its own. @type {ModelSummary} */
const LECTURE = {
  name: "lecture",
  parameters: 1_199_882,
  multiplyAdds: 11_992_448,
  layers: [
    { name: "conv1", kind: "Conv2d", outputShape: [32, 26, 26], parameters: 320, multiplyAdds: 194_688 },
    { name: "relu1", kind: "ReLU", outputShape: [32, 26, 26], parameters: 0, multiplyAdds: 0 },
    { name: "conv2", kind: "Conv2d", outputShape: [64, 24, 24], parameters: 18_496, multiplyAdds: 10_616_832 },
    { name: "relu2", kind: "ReLU", outputShape: [64, 24, 24], parameters: 0, multiplyAdds: 0 },
    { name: "pool", kind: "MaxPool2d", outputShape: [64, 12, 12], parameters: 0, multiplyAdds: 0 },
    { name: "flatten", kind: "Flatten", outputShape: [9216], parameters: 0, multiplyAdds: 0 },
    { name: "fc1", kind: "Linear", outputShape: [128], parameters: 1_179_776, multiplyAdds: 1_179_648 },
    { name: "relu3", kind: "ReLU", outputShape: [128], parameters: 0, multiplyAdds: 0 },
    { name: "fc2", kind: "Linear", outputShape: [10], parameters: 1_290, multiplyAdds: 1_280 },
  ],
};

export function createModelView() {
  const summary = byId("model-summary", HTMLElement);
  const body = byId("model-layers", HTMLTableElement).tBodies[0];

  const show = whenChanged((/** @type {ModelSummary} */ model) => {
    say(
      summary,
      `${count(model.parameters)} weights to learn; ${(model.multiplyAdds / 1e6).toFixed(1)} million multiplications to read one image.`,
    );
    const most = Math.max(1, ...model.layers.map((layer) => layer.parameters));
    // A share that cannot be seen is a speck.
    const isSeen = (/** @type {number} */ parameters) => parameters / most > 0.02;
    body.replaceChildren(
      ...model.layers.map((layer) => {
        const share = h("span", { class: "share", "aria-hidden": "true" });
        share.style.width = `${(layer.parameters / most) * 100}%`;
        const row = h(
          "tr",
          { class: layer.parameters ? "has" : "plain" },
          h("th", { scope: "row" }, KINDS[layer.kind] ?? layer.kind, layer.parameters ? h("code", {}, layer.name) : ""),
          h("td", { class: "numeric" }, layer.outputShape.join("×")),
          h("td", { class: "number-cell" }, layer.parameters ? count(layer.parameters) : "–", isSeen(layer.parameters) ? share : ""),
          h("td", { class: "number-cell" }, layer.multiplyAdds ? count(layer.multiplyAdds) : "–"),
        );
        return row;
      }),
    );
  });

  /** @param {State} state */
  return ({ run }) => show(run?.model ?? LECTURE);
}
