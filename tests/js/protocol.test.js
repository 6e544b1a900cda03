import assert from "node:assert/strict";
import { test } from "node:test";

import { CodedError, buffersOf, bytesOf, f32, failureOf, inWords, isCrash, only, sentence } from "../../www/protocol.js";

test("numbers go to bytes and back, aligned or not", () => {
  const values = new Float32Array([1.5, -2, 0.25]);
  assert.deepEqual([...f32(bytesOf(values))], [1.5, -2, 0.25]);
  const shifted = new Uint8Array(13);
  shifted.set(bytesOf(values), 1);
  assert.deepEqual([...f32(shifted.subarray(1))], [1.5, -2, 0.25]);
  assert.throws(() => f32(new Uint8Array(6)), RangeError);
});

test("bytesOf sees the part of a buffer that the values cover", () => {
  const part = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
  assert.deepEqual([...f32(bytesOf(part))], [2, 3]);
});

test("an answer without the event asked for is an error", () => {
  assert.equal(only([{ type: "finished" }, { type: "held", count: 3 }], "held").count, 3);
  assert.throws(() => only([{ type: "finished" }], "held"), { code: "unexpected_answer" });
});

test("only buffers that are covered wholly are handed over", () => {
  const whole = new Uint8Array(8);
  const part = new Uint8Array(16).subarray(0, 8);
  assert.deepEqual(buffersOf([{ type: "weights", bytes: whole }]), [whole.buffer]);
  assert.deepEqual(buffersOf([{ type: "weights", bytes: part }]), []);
});

test("messages become sentences; names stay as they are spelled", () => {
  assert.equal(sentence("the file is truncated"), "The file is truncated.");
  assert.equal(sentence("batch size: 0 is too small."), "Batch size: 0 is too small.");
  assert.equal(sentence("training images: the file is truncated"), "Training images: the file is truncated.");
  assert.equal(sentence("train-images.gz is no gzip file"), "train-images.gz is no gzip file.");
  assert.equal(sentence("fc1.weight has another shape…"), "fc1.weight has another shape…");
});

test("failures have a code and a sentence", () => {
  assert.deepEqual(failureOf(new CodedError("no_run", "no run")), { code: "no_run", message: "no run" });
  assert.equal(failureOf(new DOMException("x", "AbortError")).code, "aborted");
  assert.deepEqual(failureOf("odd"), { code: "unexpected", message: "odd" });
});

test("a crash is told in plain words, its raw text only to the console", (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const raw = "panicked at src/lab.rs:143:31:\na fault was asked for";
  assert.equal(inWords(new CodedError("panic", raw)), "a fault in its own program");
  assert.deepEqual(warn.mock.calls[0].arguments, [`panic: ${raw}`]);
  assert.equal(inWords(new CodedError("weights_shape", "fc1.weight has another shape")), "fc1.weight has another shape");
  assert.equal(warn.mock.callCount(), 1);
  assert.deepEqual(["panic", "device_failed", "crashed", "aborted"].map(isCrash), [true, true, true, false]);
});
