// A static server on 127.0.0.1 that keeps a list of what it sent, and when it was asked for.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

/** @type {Record<string, string>} */
const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Wasm threads need it (SharedArrayBuffer). */
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** A compressed copy that saves less than this share is not sent; as scripts/precompress.mjs has it. */
const LEAST_SAVED = 0.05;

/** @typedef {{path:string, atMs:number, rawBytes:number, gzipBytes:number}} Sent  `atMs`: since 1970, when it was asked for. */

/** @type {Map<string, {size:number, changedMs:number, body:Buffer}>} */
const compressed = new Map();

/** A file's gzip copy: the one beside it (dist/ has some), else made here. @param {string} file */
function gzipOf(file) {
  const { size, mtimeMs } = statSync(file);
  const known = compressed.get(file);
  if (known?.size === size && known.changedMs === mtimeMs) return known.body;
  const body = existsSync(`${file}.gz`) ? readFileSync(`${file}.gz`) : gzipSync(readFileSync(file), { level: 9 });
  compressed.set(file, { size, changedMs: mtimeMs, body });
  return body;
}

/**
 * @param {[prefix:string, folder:string][]} mounts  The first that fits is taken.
 * @param {object} [options]
 * @param {boolean} [options.isolated]  Cross-origin isolated pages, which may have threads.
 * @param {boolean} [options.gzip]  Sends compressed copies, as a host does.
 */
export async function serve(mounts, { isolated = true, gzip = false } = {}) {
  /** @type {{path:string, file:string, atMs:number}[]} */
  let log = [];

  /** @param {string} path */
  function find(path) {
    for (const [prefix, folder] of mounts) {
      if (!path.startsWith(prefix)) continue;
      const relative = normalize(path.slice(prefix.length) || "index.html");
      const file = join(folder, relative.endsWith("/") ? `${relative}index.html` : relative);
      if (!relative.startsWith("..") && existsSync(file) && statSync(file).isFile()) return file;
    }
    return null;
  }

  const server = createServer((request, response) => {
    const atMs = Date.now();
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname);
    const file = find(path);
    const head = { ...(isolated ? ISOLATED : {}), "Cache-Control": "no-store" };
    if (!file) {
      response.writeHead(404, head).end("not found");
      return;
    }
    log.push({ path, file, atMs });
    let body = readFileSync(file);
    const coded = gzip && extname(file) !== ".gz" && gzipOf(file).length < body.length * (1 - LEAST_SAVED);
    if (coded) body = gzipOf(file);
    response
      .writeHead(200, { ...head, "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Length": body.length, ...(coded ? { "Content-Encoding": "gzip" } : {}) })
      .end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));

  return {
    origin: `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`,
    reset() {
      log = [];
    },
    /**
     * What was sent since the last reset, each file once.
     * @param {(path:string)=>boolean} [of]
     * @returns {Sent[]}
     */
    sent(of = () => true) {
      const seen = new Set();
      return log
        .filter(({ path }) => of(path) && !seen.has(path) && seen.add(path))
        .map(({ path, file, atMs }) => {
          const rawBytes = statSync(file).size;
          const gzipBytes = extname(file) === ".gz" ? rawBytes : Math.min(rawBytes, gzipOf(file).length);
          return { path, atMs, rawBytes, gzipBytes };
        });
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
