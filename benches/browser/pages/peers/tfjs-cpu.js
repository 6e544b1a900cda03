import "@tensorflow/tfjs-backend-cpu";
import { createTf } from "./tfjs.js";

export const create = (options) => createTf("cpu", options);
