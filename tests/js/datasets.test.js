import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { assignRoles, cutIdx, gunzip, idxHeader, loadCatalogFiles, loadOwnFiles } from "../../www/datasets.js";

/** An IDX file of unsigned bytes. */
function idx(dimensions, fill = (i) => i % 7) {
  const count = dimensions.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(4 + 4 * dimensions.length + count);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + dimensions.length);
  dimensions.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  for (let i = 0; i < count; i++) bytes[4 + 4 * dimensions.length + i] = fill(i);
  return bytes;
}

const plain = {
  trainImages: idx([12, 28, 28]),
  trainLabels: idx([12]),
  testImages: idx([4, 28, 28]),
  testLabels: idx([4]),
};
const names = { trainImages: "train-images.gz", trainLabels: "train-labels.gz", testImages: "t10k-images.gz", testLabels: "t10k-labels.gz" };
const packed = Object.fromEntries(Object.entries(plain).map(([role, bytes]) => [names[role], new Uint8Array(gzipSync(bytes))]));
const entry = {
  id: "mnist",
  title: "MNIST",
  classNames: [],
  mean: 0,
  std: 1,
  mirrors: ["https://mirror.example/m/"],
  licence: "",
  citation: "",
  files: Object.keys(plain).map((role) => ({
    role,
    name: names[role],
    bytes: packed[names[role]].length,
    unpackedBytes: plain[role].length,
    sha256: createHash("sha256").update(packed[names[role]]).digest("hex"),
  })),
};
const base = "https://site.example/sub/datasets.js";
const nameOf = (url) => String(url).split("/").at(-1);

/** A Cache Storage in memory. */
function memoryCaches(entries = new Map()) {
  return {
    entries,
    async open() {
      return {
        match: async (url) => (entries.has(url) ? new Response(entries.get(url)) : undefined),
        put: async (url, response) => void entries.set(url, new Uint8Array(await response.arrayBuffer())),
        delete: async (url) => entries.delete(url),
      };
    },
  };
}

/** A server of the packed files; `odd` answers in its place where it returns something. */
function server(odd = () => undefined) {
  const asked = [];
  const fetching = async (url, options) => {
    asked.push(String(url));
    options?.signal?.throwIfAborted();
    return (await odd(String(url), options)) ?? new Response(packed[nameOf(url)], { headers: { "content-type": "application/gzip" } });
  };
  return { asked, fetching };
}

const load = (fetching, options = {}, means = {}) =>
  loadCatalogFiles(entry, options, { fetch: fetching, caches: undefined, base, ...means });

test("four files come unpacked, from beside the page, with progress in bytes of bytes", async () => {
  const { asked, fetching } = server();
  const told = [];
  const files = await load(fetching, { onProgress: (...progress) => told.push(progress) });
  assert.deepEqual(files, plain);
  assert.equal(asked[0], "https://site.example/sub/data/mnist/train-images.gz");
  const total = entry.files.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.deepEqual(told[0], ["MNIST", 0, total]);
  assert.deepEqual(told.at(-1), ["MNIST", total, total]);
  assert.ok(told.every(([, received], i) => i === 0 || received >= told[i - 1][1]), "it never goes back");
});

test("a second visit needs no network", async () => {
  const caches = memoryCaches();
  await load(server().fetching, {}, { caches });
  assert.equal(caches.entries.size, 4);
  const offline = async () => {
    throw new TypeError("offline");
  };
  assert.deepEqual(await load(offline, {}, { caches }), plain);
});

test("a kept copy that is wrong is dropped and fetched anew", async () => {
  const caches = memoryCaches();
  await load(server().fetching, {}, { caches });
  const url = [...caches.entries.keys()][0];
  const damaged = caches.entries.get(url).slice();
  damaged[damaged.length - 1] ^= 1;
  caches.entries.set(url, damaged);
  const { asked, fetching } = server();
  assert.deepEqual(await load(fetching, {}, { caches }), plain);
  assert.deepEqual(asked, [url]);
  assert.deepEqual([...caches.entries.get(url)], [...packed["train-images.gz"]]);
});

test("a refusal of the server is no data, and is not kept", async () => {
  const caches = memoryCaches();
  const { fetching } = server(() => new Response("no", { status: 404 }));
  await assert.rejects(load(fetching, {}, { caches }), { code: "http_status", message: /404/ });
  assert.equal(caches.entries.size, 0);
});

test("a web page in the data's place is told from data, by its type and by its text", async () => {
  const page = "<!DOCTYPE html><title>hello</title>";
  for (const type of ["text/html; charset=utf-8", "application/octet-stream"]) {
    const { fetching } = server(() => new Response(page, { headers: { "content-type": type } }));
    await assert.rejects(load(fetching), { code: "html_page" });
  }
});

test("a wrong hash, a short and a long file are refused", async () => {
  const change = (how) => server((url) => (nameOf(url) === "t10k-images.gz" ? new Response(how(packed[nameOf(url)])) : undefined)).fetching;
  await assert.rejects(load(change((bytes) => bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)))), { code: "hash_mismatch" });
  await assert.rejects(load(change((bytes) => bytes.slice(0, -5))), { code: "size_mismatch" });
  await assert.rejects(load(change((bytes) => new Uint8Array([...bytes, ...new Uint8Array(9000)]))), { code: "size_mismatch" });
});

test("a lost connection says so, and a retry succeeds", async () => {
  let down = true;
  const { fetching } = server(() => {
    if (down) throw new TypeError("failed to fetch");
  });
  await assert.rejects(load(fetching), { code: "network" });
  down = false;
  assert.deepEqual(await load(fetching), plain);
});

test("a connection that breaks off midway says so", async () => {
  const { fetching } = server((url) => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(packed[nameOf(url)].slice(0, 20));
    },
    pull(controller) {
      controller.error(new TypeError("terminated"));
    },
  })));
  await assert.rejects(load(fetching), { code: "network", message: /broke off/ });
});

test("cancelling stops in the middle of a file", async () => {
  const abort = new AbortController();
  let cancelled = false;
  const { fetching } = server((url) => new Response(new ReadableStream({
    pull(controller) {
      controller.enqueue(packed[nameOf(url)].slice(0, 10));
      abort.abort();
    },
    cancel() {
      cancelled = true;
    },
  })));
  await assert.rejects(load(fetching, { signal: abort.signal }), { name: "AbortError" });
  assert.ok(cancelled);
});

test("mirrors are asked only when allowed", async () => {
  const odd = (url) => (url.startsWith("https://site.example") ? new Response("", { status: 404 }) : undefined);
  const without = server(odd);
  await assert.rejects(load(without.fetching), { code: "http_status" });
  assert.ok(without.asked.every((url) => url.startsWith("https://site.example")));
  const allowed = server(odd);
  assert.deepEqual(await load(allowed.fetching, { mirrors: true }), plain);
  assert.ok(allowed.asked.includes("https://mirror.example/m/t10k-labels.gz"));
  // Where nobody has it, the site's own cause comes first, and the mirrors are named with theirs.
  const down = server((url) => new Response("", { status: url.startsWith("https://site.example") ? 404 : 503 }));
  await assert.rejects(load(down.fetching, { mirrors: true }), {
    code: "http_status",
    message: "train-images.gz: the server answered 404 (on this site). Then the mirrors were tried: mirror.example (the server answered 503)",
  });
});

test("without SHA-256 sizes are checked, and that is said", async () => {
  const notices = [];
  await load(server().fetching, { onNotice: (code) => notices.push(code) }, { subtle: undefined });
  assert.deepEqual(notices, ["hash_unavailable"]);
});

test("what the server unpacked on the way is taken by its exact size", async () => {
  const byName = Object.fromEntries(Object.entries(names).map(([role, name]) => [name, plain[role]]));
  const notices = [];
  const { fetching } = server((url) => new Response(byName[nameOf(url)]));
  assert.deepEqual(await load(fetching, { onNotice: (code) => notices.push(code) }), plain);
  assert.ok(notices.includes("hash_unavailable"));
  const { fetching: short } = server((url) => new Response(byName[nameOf(url)].slice(0, -1)));
  await assert.rejects(load(short), { code: "size_mismatch" });
});

test("unpacking stops at its bound", async () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(8_000_000)));
  assert.ok(bomb.length < 20_000);
  await assert.rejects(gunzip(bomb, { name: "bomb.gz", limitBytes: 100_000 }), { code: "unpacked_too_large" });
  await assert.rejects(gunzip(packed["train-images.gz"].slice(0, -12), { name: "cut.gz", limitBytes: 100_000 }), { code: "gzip_invalid" });
});

const file = (name, bytes) => new File([bytes], name);

test("own files are known by their headers and names, gzipped or not", async () => {
  const files = [
    file("t10k-labels", plain.testLabels),
    file("train-images.gz", packed["train-images.gz"]),
    file("t10k-images", plain.testImages),
    file("train-labels", plain.trainLabels),
  ];
  assert.deepEqual(await loadOwnFiles(files), plain);
});

test("without telling names the larger pair is the one to train on", () => {
  const assigned = assignRoles([
    { name: "a", bytes: plain.testImages },
    { name: "b", bytes: plain.trainLabels },
    { name: "c", bytes: plain.testLabels },
    { name: "d", bytes: plain.trainImages },
  ]);
  assert.deepEqual(assigned, plain);
});

test("a single pair is cut: the last sixth is for testing", () => {
  const { trainImages, trainLabels, testImages, testLabels } = assignRoles([
    { name: "images", bytes: plain.trainImages },
    { name: "labels", bytes: plain.trainLabels },
  ]);
  assert.deepEqual(idxHeader(trainImages).dimensions, [10, 28, 28]);
  assert.deepEqual(idxHeader(testImages).dimensions, [2, 28, 28]);
  assert.deepEqual([...trainLabels.slice(8), ...testLabels.slice(8)], [...plain.trainLabels.slice(8)]);
  assert.deepEqual([...testImages.slice(16)], [...plain.trainImages.slice(16 + 10 * 784)]);
});

test("a damaged pair is left whole, for the crate to say what is wrong", () => {
  const cut = plain.trainImages.slice(0, -3);
  const { trainImages, testImages } = assignRoles([{ name: "images", bytes: cut }, { name: "labels", bytes: plain.trainLabels }]);
  assert.equal(trainImages, cut);
  assert.equal(testImages, cut);
});

test("own files that make no dataset are refused in words", () => {
  assert.throws(() => assignRoles([{ name: "images", bytes: plain.trainImages }]), { code: "files_missing" });
  assert.throws(() => assignRoles([{ name: "a", bytes: plain.trainImages }, { name: "b", bytes: plain.trainImages }]), { code: "files_missing" });
  assert.throws(() => assignRoles([{ name: "a.png", bytes: new Uint8Array([0x89, 0x50, 0x4e, 0x47]) }, { name: "b", bytes: plain.trainLabels }]), { code: "idx_magic", message: /89 50 4e 47/ });
  assert.throws(() => assignRoles([{ name: "a", bytes: idx([3, 3]) }, { name: "b", bytes: plain.trainLabels }]), { code: "idx_rank" });
});

test("cutting keeps what is there", () => {
  const [head, tail] = cutIdx(plain.trainLabels, 5);
  assert.deepEqual([idxHeader(head).dimensions[0], idxHeader(tail).dimensions[0]], [5, 7]);
});
