// Nothing leaves the machine: a session in which everything is used, and the policy that holds the page to it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answering, browserForTests, downloaded, draw, says, settings, useDigits } from "./support.js";

const { open, url } = browserForTests();

test("a whole session asks no other site, breaks no policy and logs no error", async (t) => {
  // What `open` collects is checked at the end of every test; this one uses everything.
  /** @type {string[]} */
  const asked = [];
  const page = await open(t, { prepare: async (page) => void page.on("request", (request) => asked.push(request.url())) });
  await draw(page, 7);
  await useDigits(page, { trainCount: 60, testCount: 20 });
  await page.locator("#explore-split").selectOption("test");
  await page.locator("#explore-class").selectOption("3");
  await page.locator("#explore-grid .thumb").first().click();
  await says(page, "inspect-caption", /the network says/);
  await settings(page, { epochs: 2, "batch-size": 20, validation: 10 });
  await page.locator("#train-start").click();
  await says(page, "train-status", /^Done: 2 epochs/);
  await page.locator("#confusion td button:enabled").first().click();
  await page.locator("#cell-images .thumb").first().click();
  await page.locator("#test-run").click();
  await downloaded(page, "save-weights");
  await page.locator("#train-reset").click();
  await page.locator(".pad-pane #pad-clear").click();
  await page.reload();
  await answering(page);
  assert.ok(asked.some((request) => request.includes("/pkg/cpu/")), "what the workers ask for is seen");
  assert.deepEqual(asked.filter((request) => !request.startsWith(url()) && !/^(data|blob):/.test(request)), []);
});

test("the policy forbids other sites, inline scripts and eval", async (t) => {
  const page = await open(t, { expected: /./ });
  await answering(page);
  const refused = await page.evaluate(async () => {
    /** @type {string[]} */
    const refused = [];
    document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
    await fetch("https://example.com/").catch(() => {});
    document.body.append(Object.assign(document.createElement("script"), { textContent: "window.inlined = true" }));
    try {
      setTimeout("window.evaluated = true");
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { refused, ran: "inlined" in window || "evaluated" in window };
  });
  assert.equal(refused.ran, false);
  for (const directive of ["connect-src", "script-src-elem", "script-src"]) assert.ok(refused.refused.includes(directive), directive);
});
