// Which GPU the browser offers, and whether it is one worth training on.

/** @typedef {import("./protocol.js").Device} Device */

/**
 * @typedef {object} Adapter
 * @property {string} vendor
 * @property {string} architecture
 * @property {string} device
 * @property {string} description
 * @property {boolean} fallback  Computes on the processor after all.
 * @property {string[]} features
 */

/** How the page begins to say that a GPU that was wanted, or was there, does not train. */
export const GPU_NOT_USED = "The GPU could not be used, so training runs on the CPU";

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;

/**
 * Asks the browser for its GPU adapter. Null where there is none or no WebGPU.
 * @param {any} [gpu]
 * @returns {Promise<Adapter|null>}
 */
export async function probeAdapter(gpu = /** @type {any} */ (globalThis.navigator)?.gpu) {
  if (!gpu) return null;
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return null;
    // Older browsers have the information behind a call.
    const info = adapter.info ?? (await adapter.requestAdapterInfo?.()) ?? {};
    const [vendor, architecture, device, description] = [info.vendor, info.architecture, info.device, info.description].map((text) => String(text ?? ""));
    const fallback = Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter) || SOFTWARE.test([vendor, architecture, device, description].join(" "));
    return { vendor, architecture, device, description, fallback, features: [...(adapter.features ?? [])] };
  } catch {
    return null;
  }
}

/**
 * An adapter's name for people.
 * @param {Adapter|null} adapter
 */
export function adapterName(adapter) {
  if (!adapter) return "";
  const name = [adapter.vendor, adapter.architecture].filter(Boolean).join(" ");
  return name || adapter.description || adapter.device || "unnamed adapter";
}

/**
 * Where training is to run, and in plain words why not on a GPU.
 * @param {Adapter|null} adapter
 * @param {string|null} forced  "cpu" or "gpu" from the page's address; anything else leaves the choice to the page.
 * @param {{navigator?:any, isSecureContext?:boolean}} [scope]  Tells why there is no adapter.
 * @returns {{device:Device, why:string|null}}
 */
export function chooseDevice(adapter, forced, scope = globalThis) {
  if (forced === "cpu") return { device: "cpu", why: "The page's address asks for the CPU (?device=cpu)." };
  if (!adapter) {
    const missing = scope.navigator?.gpu
      ? "This browser has WebGPU but offers no graphics adapter here"
      : scope.isSecureContext === false
        ? "WebGPU is there only on secure pages (https or localhost), and this one is not"
        : "This browser has no WebGPU";
    if (forced !== "gpu") return { device: "cpu", why: `${missing}, so training runs on the CPU.` };
    return { device: "cpu", why: `${GPU_NOT_USED}: ${missing.replace(/^This/, "this")}.` };
  }
  if (forced === "gpu") return { device: "gpu", why: null };
  if (adapter.fallback) {
    return { device: "cpu", why: `The WebGPU adapter here (${adapterName(adapter)}) is a software one, slower than training on the CPU directly. ?device=gpu uses it all the same.` };
  }
  return { device: "gpu", why: null };
}
