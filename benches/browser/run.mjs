// Measures Glassbox in headless Chromium beside other libraries. `./build.sh bench browser --help` tells how;
// this is run in the project's root, with --site naming the folder that is built.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ADAPTERS, launch } from "./lib/browser.mjs";
import { machine } from "./lib/machine.mjs";
import { HELP, readOptions } from "./lib/options.mjs";
import { allPeers, bundles, entryOf, versions } from "./lib/peers.mjs";
import { serve } from "./lib/server.mjs";

const here = dirname(fileURLToPath(import.meta.url));

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

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
    return true;
  }
  if (!existsSync(join(options.site, "bench/entry.js"))) throw new Error(`there is no Glassbox in ${options.site}`);
  const { peers: all, mounts: sites } = allPeers(options.site, options.other);
  /** @type {[string, string][]} */
  const mounts = [["/pages/", join(here, "pages")], ["/bundles/", bundles(here)], ["/data/", "www/data"], ...sites];
  const server = await serve(mounts);
  try {
    const { adapter, found, software } = await chooseAdapter(server.origin, options.adapter);
    const place = { ...machine(), ...versions(here), chromium: found.chromium };
    const gpu = found.webgpu ? `${found.name}${software ? ": a software adapter, which ranks nothing about real GPUs" : ""}` : "none";
    console.log(`${place.cpu}, ${place.cores} cores, ${place.memoryGb} GiB, ${place.system}; Chromium ${place.chromium}, tfjs ${place.tfjs}, jax-js ${place.jax}`);
    console.log(`WebGPU: ${gpu}; WebGL: ${found.webgl ?? "none"}; Glassbox ${place.commit}${place.changed ? ", changed," : ""} of ${relative("", options.site)}/`);
    const lab = {
      ...{ here, options, site: options.site, data: "www/data", mounts, server, adapter, software },
      peers: choosePeers(all, options.peer, options.mode, software),
      entryOf: (/** @type {import("./lib/peers.mjs").Peer} */ peer) => entryOf(here, peer),
      say: (/** @type {string} */ text) => console.log(text),
    };
    const { run } = await import(`./modes/${options.mode}.mjs`);
    const about = { mode: options.mode, machine: place, adapter: { ...found, software }, options };
    const { result, right, files = {} } = await run(lab, about);
    const report = { ...about, ...result };
    const texts = { [options.json]: `${JSON.stringify(report, rounded, 1)}\n`, ...files };
    for (const [path, text] of Object.entries(texts)) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    console.log(`\nwritten: ${Object.keys(texts).join(" ")}`);
    return right;
  } finally {
    await server.close();
  }
}

/** Six digits are more than was measured. @param {string} _ @param {unknown} value */
export function rounded(_, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(`bench browser: ${/** @type {any} */ (error).message}`);
  process.exitCode = 2;
}
