// A run of the benchmark: the machine and its adapter, who is measured, the mode at work, and what is written.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";
import { machine } from "./machine.mjs";
import { allPeers, bundles, entryOf, versions } from "./peers.mjs";
import { serve } from "./server.mjs";

const here = join(dirname(fileURLToPath(import.meta.url)), "..");
const DATA = "www/data";

/**
 * What the browser computes on: its WebGPU and WebGL adapters.
 * @param {string} origin
 * @param {string} adapter
 */
async function describe(origin, adapter) {
  const { context, version, close } = await launch(adapter);
  try {
    const page = await context.newPage();
    await page.goto(`${origin}/pages/blank.html`);
    const found = await page.evaluate(async () => {
      const { adapterName, probeAdapter } = await import(`${location.origin}/glassbox/adapter.js`);
      const webgpu = await probeAdapter();
      const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
      const names = gl?.getExtension("WEBGL_debug_renderer_info");
      const webgl = gl && names ? String(gl.getParameter(names.UNMASKED_RENDERER_WEBGL)) : null;
      return { webgpu, name: adapterName(webgpu), webgl };
    });
    return { flags: adapter, chromium: version, ...found };
  } finally {
    await close();
  }
}

/** The adapter asked for; of "auto", a real GPU where there is one. @param {string} origin @param {string} asked */
async function chooseAdapter(origin, asked) {
  for (const flags of asked === "auto" ? ["native", "swiftshader"] : [asked]) {
    const found = await describe(origin, flags).catch((error) => {
      if (asked !== "auto") throw error;
      return null;
    });
    const software = found?.webgpu?.fallback ?? true;
    if (found && (asked !== "auto" || !software || flags === "swiftshader")) return { adapter: flags, found, software };
  }
  throw new Error("Chromium did not start");
}

/**
 * @param {import("./lib/peers.mjs").Peer[]} all
 * @param {string[]|null} asked
 * @param {string} mode
 * @param {boolean} software
 */
function choosePeers(all, asked, mode, software) {
  if (asked && asked.join() !== "all") {
    return asked.map((name) => {
      const peer = all.find((one) => one.name === name);
      if (!peer) throw new Error(`--peer is all, or of ${all.map((one) => one.name).join(", ")}, not ${name}`);
      return peer;
    });
  }
  if (asked || mode === "steps") return all;
  const ofDevice = all.filter(({ kind }) => kind === "cpu" || !software);
  return mode === "memory" ? ofDevice.filter(({ site, kind }) => site && kind === "cpu") : ofDevice;
}

/** Six digits are more than was measured. @param {string} _ @param {unknown} value */
const rounded = (_, value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value);

/** Says on what is measured. @param {any} about */
function tellPlace({ machine: place, adapter, options }) {
  const gpu = adapter.webgpu ? `${adapter.name}${adapter.software ? ", a software adapter, which ranks nothing about real GPUs" : ""}` : "none";
  console.log(`${place.cpu}, ${place.cores} cores, ${place.memoryGb} GiB, ${place.system}; Chromium ${place.chromium}, tfjs ${place.tfjs}, jax-js ${place.jax}`);
  console.log(`WebGPU: ${gpu}; WebGL: ${adapter.webgl ?? "none"}`);
  console.log(`Glassbox at ${place.commit}${place.changed ? " with changes" : ""}, from ${relative("", options.site)}/\n`);
}

/**
 * Does what the options say; answers whether all was right.
 * @param {ReturnType<typeof import("./options.mjs").readOptions>} options
 */
export async function runMode(options) {
  if (!existsSync(join(options.site, "bench/entry.js"))) throw new Error(`there is no Glassbox in ${options.site}`);
  const { peers: all, mounts: sites } = allPeers(options.site, options.other);
  /** @type {[string, string][]} */
  const mounts = [["/pages/", join(here, "pages")], ["/bundles/", bundles(here)], ["/data/", DATA], ...sites];
  const server = await serve(mounts);
  try {
    const { adapter, found, software } = await chooseAdapter(server.origin, options.adapter);
    const about = { mode: options.mode, machine: { ...machine(), ...versions(here), chromium: found.chromium }, adapter: { ...found, software }, options };
    tellPlace(about);
    const peers = choosePeers(all, options.peer, options.mode, software);
    const lab = {
      ...{ here, options, mounts, server, adapter, software, peers },
      entryOf: (/** @type {import("./peers.mjs").Peer} */ peer) => entryOf(here, peer),
      say: (/** @type {string} */ text) => console.log(text),
    };
    const { run } = await import(`../modes/${options.mode}.mjs`);
    const { result, right, plots = {} } = await run(lab, about);
    const json = `${JSON.stringify({ ...about, ...result }, rounded, 1)}\n`;
    /** @type {Record<string, string>} */
    const files = { [options.json]: json };
    for (const [name, svg] of Object.entries(plots)) files[join(options.out, `${name}.svg`)] = svg;
    // What a plot shows lies beside it.
    if (Object.keys(plots).length) files[join(options.out, `${options.mode}.json`)] = json;
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    console.log(`\nwritten: ${Object.keys(files).join(" ")}`);
    return right;
  } finally {
    await server.close();
  }
}
