import { createJax } from "./jax.js";

export const create = (options) => createJax("wasm", options);
