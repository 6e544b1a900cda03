import "@tensorflow/tfjs-backend-webgl";
import { createTf } from "./tfjs.js";

export const create = (options) => createTf("webgl", options);
