import "@tensorflow/tfjs-backend-webgpu";
import { createTf } from "./tfjs.js";

export const create = (options) => createTf("webgpu", options);
