// Puts datasets into www/data/: from a folder, else from the catalog's mirrors.
//
//   node scripts/data.mjs [--from DIR] [NAME…]
//
// Without a name: MNIST, and whatever else of the catalog DIR holds. What is there and right stays.
// Names, sums and mirrors are read from the crate's catalog, so that they are written down once.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CATALOG = "src/data/catalog.rs";
const TARGET = "www/data";
const TIMEOUT_MS = 300_000;

/** The catalog's entries; anything unexpected in the source ends the program. */
function readCatalog() {
  const source = readFileSync(CATALOG, "utf8");
  const names = [...new Set(Array.from(source.matchAll(/"(\w[\w-]*-ubyte\.gz)"/g), (match) => match[1]))];
  const entries = source.split(/\bid: "/).slice(1).map((text) => {
    const sums = Array.from(text.matchAll(/"([0-9a-f]{64})"/g), (match) => match[1]);
    const mirrors = text.match(/\bmirrors: &\[([^\]]*)\]/)?.[1].match(/https:[^"]+/g) ?? [];
    return { id: text.slice(0, text.indexOf('"')), sums, mirrors, files: names.map((name, i) => ({ name, sha256: sums[i] })) };
  });
  const right = names.length === 4 && entries.length > 0 && entries.every((entry) => entry.sums.length === 4 && entry.mirrors.length > 0);
  if (!right) throw new Error(`${CATALOG} does not look as expected here: four files and four sums an entry, and mirrors`);
  return entries;
}

/** @param {Uint8Array} bytes @param {string} sha256 */
const isRight = (bytes, sha256) => createHash("sha256").update(bytes).digest("hex") === sha256;

/** @param {string} url */
async function download(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Where a file may come from, the first to be asked first. */
function sourcesOf(entry, file, from) {
  const mirrors = entry.mirrors.map((mirror) => ({ where: new URL(mirror).host, read: () => download(mirror + file.name) }));
  if (!from) return mirrors;
  return [{ where: join(from, entry.id), read: async () => readFileSync(join(from, entry.id, file.name)) }, ...mirrors];
}

/** Puts one file in its place and answers where it came from; null when it was there. */
async function put(entry, file, from) {
  const path = join(TARGET, entry.id, file.name);
  if (existsSync(path) && isRight(readFileSync(path), file.sha256)) return null;
  const failures = [];
  for (const { where, read } of sourcesOf(entry, file, from)) {
    try {
      const bytes = await read();
      if (!isRight(bytes, file.sha256)) throw new Error("its SHA-256 is another");
      mkdirSync(join(TARGET, entry.id), { recursive: true });
      // Renamed when whole, so that an interrupted run leaves no half file.
      writeFileSync(`${path}.part`, bytes);
      renameSync(`${path}.part`, path);
      return where;
    } catch (error) {
      failures.push(`${where}: ${error.cause?.code ?? error.code ?? error.message}`);
    }
  }
  throw new Error(`${file.name} is not to be had (${failures.join("; ")})`);
}

/** Puts a dataset's files in their place; false when that fails. */
async function putAll(entry, from) {
  try {
    const origins = new Set();
    for (const file of entry.files) origins.add(await put(entry, file, from));
    origins.delete(null);
    console.log(`data: ${entry.id} ${origins.size ? `put into ${TARGET} from ${[...origins].join(" and ")}` : "is there"}`);
    return true;
  } catch (error) {
    console.error(`data: ${entry.id}: ${error.message}`);
    return false;
  }
}

const args = process.argv.slice(2);
const from = args[0] === "--from" ? args.splice(0, 2)[1] : undefined;
const catalog = readCatalog();
const unknown = args.find((name) => !catalog.some((entry) => entry.id === name));
if (unknown !== undefined) {
  console.error(`data: there is no dataset called ${unknown}; there are ${catalog.map((entry) => entry.id).join(" and ")}`);
  process.exit(2);
}
const isWanted = (entry) => (args.length ? args.includes(entry.id) : entry.id === "mnist" || (from && existsSync(join(from, entry.id))));
let right = true;
for (const entry of catalog.filter(isWanted)) right = (await putAll(entry, from)) && right;
process.exitCode = right ? 0 : 1;
