// Datasets as bytes: fetch with progress, check, unpack, keep; and the visitor's own files.
//
// Runs in the trainer's worker. What comes from a server or from storage is trusted only after its
// length and SHA-256 were checked against the crate's catalog; what is unpacked is bounded.

import { CodedError, failureOf } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").CatalogEntry} CatalogEntry
 * @typedef {import("./protocol.js").CatalogFile} CatalogFile
 * @typedef {import("./protocol.js").FileRole} FileRole
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 * @typedef {Record<FileRole, Bytes>} IdxFiles
 * @typedef {(what:string, receivedBytes:number, totalBytes:number)=>void} OnProgress
 * @typedef {(code:string, message:string)=>void} OnNotice
 *
 * @typedef {object} Means  What the browser has; tests put their own.
 * @property {typeof fetch} [fetch]
 * @property {CacheStorage|undefined} [caches]  Missing on insecure origins.
 * @property {SubtleCrypto|undefined} [subtle]  Missing on insecure origins.
 * @property {string} [base]  The address that `data/` is relative to.
 */

const CACHE = "glassbox-data-1";
/** Files of the visitor's own may unpack to this. */
export const OWN_LIMIT_BYTES = 512 * 1024 * 1024;
/** A new megabyte or the end is worth telling. */
const PROGRESS_STEP_BYTES = 128 * 1024;

/** @param {Uint8Array} bytes */
export const isGzip = (bytes) => bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;

/** @param {Uint8Array} bytes */
function looksLikePage(bytes) {
  const start = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().toLowerCase();
  return start.startsWith("<!doctype") || start.startsWith("<html") || start.startsWith("<head");
}

/**
 * Reads a stream to its end, or throws when it gives more than `limitBytes`.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {object} options
 * @param {number} options.limitBytes
 * @param {number} [options.expectedBytes]  Reserved at once where known.
 * @param {()=>CodedError} options.tooMuch
 * @param {AbortSignal} [options.signal]
 * @param {(receivedBytes:number)=>void} [options.onBytes]
 * @returns {Promise<Bytes>}
 */
async function readBounded(stream, { limitBytes, expectedBytes = 0, tooMuch, signal, onBytes }) {
  const reader = stream.getReader();
  let bytes = new Uint8Array(Math.min(expectedBytes || 65536, limitBytes));
  let length = 0;
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", cancel, { once: true });
  let ended = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      if (length + value.length > limitBytes) throw tooMuch();
      if (length + value.length > bytes.length) {
        const larger = new Uint8Array(Math.min(limitBytes, Math.max(bytes.length * 2, length + value.length)));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      length += value.length;
      onBytes?.(length);
    }
    ended = true;
  } finally {
    if (!ended) cancel();
    signal?.removeEventListener("abort", cancel);
  }
  return length === bytes.length ? bytes : bytes.slice(0, length);
}

/**
 * Unpacks gzipped bytes, and stops where they give more than `limitBytes`.
 * @param {Uint8Array} bytes
 * @param {object} options
 * @param {string} options.name
 * @param {number} options.limitBytes
 * @param {number} [options.expectedBytes]
 * @param {AbortSignal} [options.signal]
 */
export async function gunzip(bytes, { name, limitBytes, expectedBytes, signal }) {
  const packed = new Blob([/** @type {Bytes} */ (bytes)]).stream();
  const stream = packed.pipeThrough(/** @type {any} */ (new DecompressionStream("gzip")));
  const tooMuch = () => new CodedError("unpacked_too_large", `${name} unpacks to more than the ${limitBytes} bytes allowed`);
  try {
    return await readBounded(stream, { limitBytes, expectedBytes, tooMuch, signal });
  } catch (error) {
    const { code } = failureOf(error);
    if (error instanceof CodedError || code === "aborted") throw error;
    throw new CodedError("gzip_invalid", `${name} is no valid gzip file, or ends early`);
  }
}

/**
 * Checks a packed file by its length, and by SHA-256 where the browser can.
 * @param {Bytes} bytes
 * @param {CatalogFile} file
 * @param {SubtleCrypto|undefined} subtle
 */
async function check(bytes, file, subtle) {
  if (bytes.length !== file.bytes) {
    throw new CodedError("size_mismatch", `${file.name} has ${bytes.length} bytes; ${file.bytes} are expected`);
  }
  if (!subtle) return;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== file.sha256) {
    throw new CodedError("hash_mismatch", `${file.name} is damaged or another file: its SHA-256 is ${hex.slice(0, 12)}…, expected ${file.sha256.slice(0, 12)}…`);
  }
}

/**
 * Fetches a file from one address. Answers its packed bytes, or its unpacked ones where the server
 * had it unpacked on the way (`Content-Encoding: gzip`).
 * @param {string} url
 * @param {CatalogFile} file
 * @param {typeof fetch} fetching
 * @param {AbortSignal|undefined} signal
 * @param {(receivedBytes:number)=>void} onBytes
 */
async function download(url, file, fetching, signal, onBytes) {
  /** @type {Response} */
  let response;
  try {
    response = await fetching(url, { signal, credentials: "omit" });
  } catch (error) {
    if (failureOf(error).code === "aborted" || signal?.aborted) throw error;
    throw new CodedError("network", `${file.name} could not be fetched: no connection, or it was refused`);
  }
  if (!response.ok) throw new CodedError("http_status", `${file.name}: the server answered ${response.status} ${response.statusText}`.trim());
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
    void response.body?.cancel().catch(() => {});
    throw new CodedError("html_page", `${file.name}: the server answered with a web page in its place`);
  }
  if (!response.body) throw new CodedError("network", `${file.name}: the server's answer is empty`);
  const limitBytes = Math.max(file.bytes, file.unpackedBytes);
  const tooMuch = () => new CodedError("size_mismatch", `${file.name} is longer than the ${file.bytes} bytes expected`);
  try {
    return await readBounded(response.body, { limitBytes, expectedBytes: file.bytes, tooMuch, signal, onBytes });
  } catch (error) {
    if (error instanceof CodedError || failureOf(error).code === "aborted" || signal?.aborted) throw error;
    throw new CodedError("network", `${file.name}: the connection broke off`);
  }
}

/**
 * Brings the four files of a catalog's dataset, unpacked: from this browser's storage, else from
 * the page's own site, else, where the visitor allowed it, from the mirrors.
 * @param {CatalogEntry} entry
 * @param {object} options
 * @param {boolean} [options.mirrors]
 * @param {AbortSignal} [options.signal]
 * @param {OnProgress} [options.onProgress]  Packed bytes of all four files.
 * @param {OnNotice} [options.onNotice]
 * @param {Means} [means]
 * @returns {Promise<IdxFiles>}
 */
export async function loadCatalogFiles(entry, { mirrors = false, signal, onProgress = () => {}, onNotice = () => {} }, means = {}) {
  const fetching = means.fetch ?? fetch;
  const caches = "caches" in means ? means.caches : globalThis.caches;
  const subtle = "subtle" in means ? means.subtle : globalThis.crypto?.subtle;
  const base = means.base ?? import.meta.url;
  const totalBytes = entry.files.reduce((sum, file) => sum + file.bytes, 0);
  // Private windows and full disks have no storage; the data is then fetched each time.
  const cache = await caches?.open(CACHE).catch(() => undefined);
  if (!subtle) onNotice("hash_unavailable", "This page is not served securely (https or localhost), so the data is checked by its size alone.");

  let before = 0;
  /** @type {Partial<IdxFiles>} */
  const found = {};
  for (const file of entry.files) {
    const local = new URL(`data/${entry.id}/${file.name}`, base).href;
    let told = -PROGRESS_STEP_BYTES;
    /** @param {number} received */
    const tell = (received) => {
      const now = Math.min(received, file.bytes);
      if (now - told < PROGRESS_STEP_BYTES && now !== file.bytes) return;
      told = now;
      onProgress(entry.title, before + now, totalBytes);
    };
    tell(0);

    let packed = await kept(cache, local, file, subtle);
    signal?.throwIfAborted();
    if (!packed) {
      const addresses = [local, ...(mirrors ? entry.mirrors.map((mirror) => new URL(file.name, mirror).href) : [])];
      const got = await firstOf(addresses, async (address) => {
        const bytes = await download(address, file, fetching, signal, tell);
        if (isGzip(bytes)) {
          await check(bytes, file, subtle);
          return bytes;
        }
        if (looksLikePage(bytes)) throw new CodedError("html_page", `${file.name}: the server answered with a web page in its place`);
        // Unpacked on the way; the catalog's SHA-256 is of the packed file.
        if (bytes.length !== file.unpackedBytes) throw new CodedError("size_mismatch", `${file.name} has ${bytes.length} bytes; ${file.bytes} are expected`);
        onNotice("hash_unavailable", "The server unpacked the data on its way, so it is checked by its size and its headers alone.");
        return bytes;
      }, signal);
      if (isGzip(got)) {
        packed = got;
        await cache?.put(local, new Response(got, { headers: { "content-type": "application/gzip" } })).catch((error) => {
          onNotice("data_not_kept", `The data could not be kept for a later visit (${error?.name ?? "storage"}).`);
        });
      } else {
        found[file.role] = got;
      }
    }
    if (packed) {
      const unpacked = await gunzip(packed, { name: file.name, limitBytes: file.unpackedBytes, expectedBytes: file.unpackedBytes, signal });
      if (unpacked.length !== file.unpackedBytes) {
        throw new CodedError("size_mismatch", `${file.name} unpacks to ${unpacked.length} bytes; ${file.unpackedBytes} are expected`);
      }
      found[file.role] = unpacked;
    }
    before += file.bytes;
    onProgress(entry.title, before, totalBytes);
  }
  return /** @type {IdxFiles} */ (found);
}

/**
 * The copy kept in this browser, where it is there and right; a wrong one is dropped.
 * @param {Cache|undefined} cache
 * @param {string} url
 * @param {CatalogFile} file
 * @param {SubtleCrypto|undefined} subtle
 */
async function kept(cache, url, file, subtle) {
  if (!cache) return null;
  try {
    const response = await cache.match(url);
    if (!response) return null;
    const bytes = new Uint8Array(await response.arrayBuffer());
    await check(bytes, file, subtle);
    return bytes;
  } catch {
    await cache.delete(url).catch(() => false);
    return null;
  }
}

/**
 * The first address that answers rightly; else what each of them did, the first cause first.
 * @template T
 * @param {string[]} addresses
 * @param {(address:string)=>Promise<T>} ask
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
async function firstOf(addresses, ask, signal) {
  /** @type {{host:string, code:string, message:string}[]} */
  const failures = [];
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      failures.push({ host: new URL(address).host, ...failureOf(error) });
    }
  }
  const [{ code, message }, ...mirrors] = failures;
  if (mirrors.length === 0) throw new CodedError(code, message);
  const name = new URL(addresses[0]).pathname.split("/").at(-1) ?? "";
  // Said once, at the beginning, is enough for the file's name.
  const others = mirrors.map((mirror) => `${mirror.host} (${mirror.message.replace(name, "").replace(/^:? /, "")})`);
  throw new CodedError(code, `${message} (on this site). Then the mirrors were tried: ${others.join(", ")}`);
}

/**
 * An IDX file's header, where it is one of unsigned bytes.
 * @param {Uint8Array} bytes
 * @returns {{rank:number, dimensions:number[], start:number}|null}
 */
export function idxHeader(bytes) {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8) return null;
  const rank = bytes[3];
  const start = 4 + 4 * rank;
  if (bytes.length < start) return { rank, dimensions: [], start };
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { rank, dimensions: Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis)), start };
}

/**
 * Cuts an IDX file into its first `count` items and the rest, each an IDX file.
 * @param {Bytes} bytes
 * @param {number} count
 * @returns {[Bytes, Bytes]}
 */
export function cutIdx(bytes, count) {
  const header = idxHeader(bytes);
  if (!header) throw new CodedError("idx_magic", "this is no IDX file of unsigned bytes");
  const [total, ...shape] = header.dimensions;
  const itemBytes = shape.reduce((product, size) => product * size, 1);
  /**
   * @param {number} from
   * @param {number} to
   */
  const part = (from, to) => {
    const piece = new Uint8Array(header.start + (to - from) * itemBytes);
    piece.set(bytes.subarray(0, header.start));
    new DataView(piece.buffer).setUint32(4, to - from);
    piece.set(bytes.subarray(header.start + from * itemBytes, header.start + to * itemBytes), header.start);
    return piece;
  };
  return [part(0, count), part(count, total)];
}

/**
 * Gives the visitor's own files their parts. What is wrong inside a file is left to the crate,
 * which says it with the numbers.
 * @param {{name:string, bytes:Bytes}[]} files  Unpacked.
 * @returns {IdxFiles}
 */
export function assignRoles(files) {
  if (files.length < 2 || files.length > 4) {
    throw new CodedError("files_missing", `choose an images file and its labels file, or both of them twice (training and test); ${files.length} file(s) were given`);
  }
  /** @type {{name:string, bytes:Bytes, count:number}[]} */
  const images = [];
  /** @type {typeof images} */
  const labels = [];
  for (const { name, bytes } of files) {
    const header = idxHeader(bytes);
    const count = header?.dimensions[0] ?? 0;
    const kind = header?.rank === 3 ? images : header?.rank === 1 ? labels : /label/i.test(name) ? labels : /image/i.test(name) ? images : null;
    if (!kind) {
      const got = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      if (header) throw new CodedError("idx_rank", `${name} has ${header.rank} dimension(s); images have 3 and labels have 1`);
      throw new CodedError("idx_magic", `${name} is no IDX file of unsigned bytes: it starts with ${got || "nothing"}, expected 00 00 08 03 (images) or 00 00 08 01 (labels)`);
    }
    kind.push({ name, bytes, count });
  }
  if (images.length !== labels.length) {
    throw new CodedError("files_missing", `each images file needs its labels file; ${images.length} of images and ${labels.length} of labels were given`);
  }
  if (images.length === 2) {
    const [trainImages, testImages] = trainFirst(images);
    const [trainLabels, testLabels] = trainFirst(labels);
    return { trainImages: trainImages.bytes, trainLabels: trainLabels.bytes, testImages: testImages.bytes, testLabels: testLabels.bytes };
  }
  const [{ bytes: pixels, count }] = images;
  const [{ bytes: classes, count: classCount }] = labels;
  if (!whole(pixels, 3) || !whole(classes, 1) || count !== classCount || count < 2) {
    // The crate says what is wrong; cutting such files would hide it.
    return { trainImages: pixels, trainLabels: classes, testImages: pixels, testLabels: classes };
  }
  const trainCount = count - Math.max(1, Math.floor(count / 6));
  const [trainImages, testImages] = cutIdx(pixels, trainCount);
  const [trainLabels, testLabels] = cutIdx(classes, trainCount);
  return { trainImages, trainLabels, testImages, testLabels };
}

/**
 * Whether a file is as long as its header says.
 * @param {Uint8Array} bytes
 * @param {number} rank
 */
function whole(bytes, rank) {
  const header = idxHeader(bytes);
  return header?.rank === rank && header.dimensions.length === rank
    && bytes.length === header.start + header.dimensions.reduce((product, size) => product * size, 1);
}

/**
 * @template {{name:string, count:number}} T
 * @param {T[]} pair
 * @returns {T[]}
 */
function trainFirst(pair) {
  const isTest = pair.map(({ name }) => /t10k|test/i.test(name));
  const isTrain = pair.map(({ name }) => /train/i.test(name));
  if (isTest[0] !== isTest[1]) return isTest[0] ? [pair[1], pair[0]] : pair;
  if (isTrain[0] !== isTrain[1]) return isTrain[0] ? pair : [pair[1], pair[0]];
  return [...pair].sort((a, b) => b.count - a.count);
}

/**
 * Reads the visitor's own files, gzipped or not.
 * @param {File[]} files
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {OnProgress} [options.onProgress]
 * @param {number} [options.limitBytes]
 */
export async function loadOwnFiles(files, { signal, onProgress = () => {}, limitBytes = OWN_LIMIT_BYTES } = {}) {
  if (files.length > 4) throw new CodedError("files_missing", `at most four files make a dataset; ${files.length} were given`);
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let receivedBytes = 0;
  const read = [];
  for (const file of files) {
    onProgress("your files", receivedBytes, totalBytes);
    if (file.size > limitBytes) throw new CodedError("file_too_large", `${file.name} has ${file.size} bytes; at most ${limitBytes} are taken`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    signal?.throwIfAborted();
    read.push({ name: file.name, bytes: isGzip(bytes) ? await gunzip(bytes, { name: file.name, limitBytes, signal }) : bytes });
    receivedBytes += file.size;
  }
  onProgress("your files", totalBytes, totalBytes);
  return assignRoles(read);
}
