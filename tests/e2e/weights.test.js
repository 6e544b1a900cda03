// Files of weights that are wrong are refused, each with its reason, and replace nothing.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { browserForTests, downloaded, draw, probabilities, says, settled } from "./support.js";

const { open } = browserForTests();

/** A safetensors file taken apart. @param {Buffer} file */
function parts(file) {
  const start = 8 + Number(file.readBigUInt64LE());
  return { header: JSON.parse(file.subarray(8, start).toString()), body: file.subarray(start) };
}

/** And put together. @param {Record<string, any>} header @param {Buffer} body */
function together(header, body) {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, body]);
}

test("wrong files of weights are refused with a reason, and the page answers as before", async (t) => {
  const page = await open(t);
  await settled(page);
  await draw(page, 7);
  const before = await probabilities(page);
  const good = readFileSync((await downloaded(page, "save-weights")).path);
  const { header, body } = parts(good);
  const names = Object.keys(header).filter((name) => name !== "__metadata__");
  assert.deepEqual(names.sort(), ["conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight", "fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]);
  assert.deepEqual(header["fc1.weight"].shape, [128, 9216], "PyTorch's layout");
  const last = names.reduce((a, b) => (header[b].data_offsets[0] > header[a].data_offsets[0] ? b : a));
  const { [last]: tensor, ...others } = header;
  const notFinite = Buffer.from(body);
  notFinite.writeFloatLE(NaN, header["conv2.weight"].data_offsets[0] + 40);
  for (const [what, file, reason] of /** @type {[string, Buffer, RegExp][]} */ ([
    ["empty", Buffer.alloc(0), /no valid safetensors file/],
    ["truncated", good.subarray(0, -100), /no valid safetensors file/],
    ["no safetensors", Buffer.from("<!doctype html><title>Not found</title>"), /no valid safetensors file/],
    ["without a tensor", together(others, body.subarray(0, tensor.data_offsets[0])), new RegExp(last)],
    ["with another name", together({ ...others, "fc3.bias": tensor }, body), new RegExp(`fc3\\.bias|${last}`)],
    ["of another shape", together({ ...header, "fc1.weight": { ...header["fc1.weight"], shape: [9216, 128] } }, body), /fc1\.weight.*9216/],
    ["not finite", together(header, notFinite), /conv2\.weight/],
  ])) {
    await page.locator("#load-weights").setInputFiles({ name: `${what}.safetensors`, mimeType: "", buffer: file });
    const said = await says(page, "weights-status", new RegExp(`^${what}\\.safetensors was not loaded: `));
    t.diagnostic(said);
    assert.match(said.slice(said.indexOf(": ")), reason, what);
    await page.locator("#pad-clear").click();
    await draw(page, 7);
    assert.deepEqual(await probabilities(page), before, what);
  }
  await page.locator("#load-weights").setInputFiles({ name: "good.safetensors", mimeType: "", buffer: good });
  await says(page, "weights-status", /^Loaded 1,199,882 parameters from good\.safetensors/);
});
