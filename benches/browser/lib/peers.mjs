// Who is measured: our engines, and other libraries' bundled as a page of theirs would have them.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {"cpu"|"gpu"} kind
 * @property {boolean} threaded  Whether it heeds the number of threads.
 * @property {string|null} site  The site it is served from; null for other libraries.
 */

/** Ours are Glassbox on either device. @type {Peer[]} */
const KNOWN = [
  { name: "glassbox-cpu", kind: "cpu", threaded: true, site: "glassbox" },
  { name: "glassbox-gpu", kind: "gpu", threaded: false, site: "glassbox" },
  { name: "tfjs-wasm", kind: "cpu", threaded: true, site: null },
  { name: "jax-wasm", kind: "cpu", threaded: false, site: null },
  { name: "tfjs-cpu", kind: "cpu", threaded: false, site: null },
  { name: "tfjs-webgpu", kind: "gpu", threaded: false, site: null },
  { name: "jax-webgpu", kind: "gpu", threaded: false, site: null },
  { name: "tfjs-webgl", kind: "gpu", threaded: false, site: null },
];

/** Versions of what is measured against. @param {string} here */
export function versions(here) {
  const of = (/** @type {string} */ name) => JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8")).version;
  return { tfjs: of("@tensorflow/tfjs-core"), jax: of("@jax-js/jax"), esbuild: of("esbuild") };
}

/**
 * All peers, with those of other builds of this page (`--other before=/tmp/www`: before-cpu and
 * before-gpu), and the folders they are served from.
 * @param {string} site  Where this page is built.
 * @param {string[]} others  name=FOLDER
 */
export function allPeers(site, others) {
  /** @type {[string, string][]} */
  const mounts = [["/glassbox/", resolve(site)]];
  const peers = [...KNOWN];
  for (const text of others) {
    const [name, folder] = text.split(/=(.*)/);
    if (!/^[\w-]+$/.test(name) || !folder || !existsSync(join(folder, "bench/entry.js"))) {
      throw new Error(`--other takes NAME=FOLDER, a folder with bench/entry.js and pkg/ in it, not ${text}`);
    }
    mounts.push([`/${name}/`, resolve(folder)]);
    for (const kind of /** @type {("cpu"|"gpu")[]} */ (["cpu", "gpu"])) peers.push({ name: `${name}-${kind}`, kind, threaded: kind === "cpu", site: name });
  }
  return { peers, mounts };
}

/**
 * Makes a peer's module ready and gives its URL. Bundled by esbuild: minified, without what is not
 * used, split so that what the library fetches late comes late; the least that its user would ship.
 * @param {string} here
 * @param {Peer} peer
 */
export async function entryOf(here, { name, site }) {
  if (site) return `/${site}/bench/entry.js`;
  const out = join(bundles(here), name);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
    entryPoints: { peer: join(here, "pages/peers", `${name}.js`) },
    outdir: out,
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    logLevel: "error",
    legalComments: "none",
    mainFields: ["module", "browser", "main"],
    external: ["fs", "path", "util", "worker_threads", "perf_hooks", "os", "crypto", "url", "module"],
    define: { "process.env.NODE_ENV": '"production"' },
  });
  if (name === "tfjs-wasm") {
    for (const file of ["tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm", "tfjs-backend-wasm-threaded-simd.wasm"]) {
      cpSync(join(here, "node_modules/@tensorflow/tfjs-backend-wasm/dist", file), join(out, file));
    }
  }
  return `/bundles/${name}/peer.js`;
}

/** Made from the packages, and gone with them. @param {string} here */
export const bundles = (here) => join(here, "node_modules/.bundles");
