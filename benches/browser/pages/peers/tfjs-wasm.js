import { conv2dTranspose, matMul, registerGradient, reshape, slice, stack, unregisterGradient } from "@tensorflow/tfjs-core";
import { getThreadsCount, setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { createTf } from "./tfjs.js";

// The wasm backend of tfjs 4.22 has no kernel for a convolution's gradient by its filter
// (Conv2DBackpropFilter), so that it cannot train one as shipped. This puts another gradient in its
// place, of kernels that the backend does have: for each of the filter's taps one slice of the
// input and one matrix product. It can go once tfjs ships the kernel.
function addConvolutionGradient() {
  unregisterGradient("Conv2D");
  registerGradient({
    kernelName: "Conv2D",
    inputsToSave: ["x", "filter"],
    gradFunc: (dy, [x, filter], { strides, pad }) => ({
      x: () => conv2dTranspose(dy, filter, x.shape, strides, pad),
      filter: () => {
        const [height, width, inputs, outputs] = filter.shape;
        const [count, rows, columns] = dy.shape;
        const places = count * rows * columns;
        const gradient = reshape(dy, [places, outputs]);
        const taps = [];
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const seen = reshape(slice(x, [0, row, column, 0], [count, rows, columns, inputs]), [places, inputs]);
            taps.push(matMul(seen, gradient, true));
          }
        }
        return reshape(stack(taps), filter.shape);
      },
    }),
  });
}

export async function create(options) {
  setWasmPaths(new URL("./", import.meta.url).href);
  // It takes half of the machine's cores at most, whatever is asked for.
  setThreadsCount(options.threads);
  addConvolutionGradient();
  const net = await createTf("wasm", options);
  net.info.threads = getThreadsCount();
  return net;
}
