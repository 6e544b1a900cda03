// Writes FILE.gz and FILE.br beside each file of a folder, where that makes it clearly smaller.
//
//   node scripts/precompress.mjs FOLDER
//
// Static hosts that look for them (nginx's gzip_static, for one) then send them as they are.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** A copy that saves less than this share is not worth its place. */
const LEAST_SAVED = 0.05;
const COMPRESSED = /\.(gz|br|png|jpg|webp|woff2)$/;

/** @param {Uint8Array} bytes */
const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });

const folder = process.argv[2];
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isFile() || COMPRESSED.test(path)) continue;
  const bytes = readFileSync(path);
  for (const [ending, copy] of [[".gz", gzipSync(bytes, { level: 9 })], [".br", brotli(bytes)]]) {
    if (copy.length < bytes.length * (1 - LEAST_SAVED)) writeFileSync(path + ending, copy);
  }
}
