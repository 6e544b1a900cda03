// The page as it is written: what index.html says must fit the modules and the crate's catalog.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const read = (path) => readFileSync(join(root, path), "utf8");
const html = read("www/index.html");
const ids = new Map(Array.from(html.matchAll(/<([a-z]\w*)\b[^>]*?\bid="([^"]+)"/g), ([, tag, id]) => [id, tag]));

/** The modules that a module needs before it runs, itself left out. */
function needs(module, seen = new Set()) {
  for (const [, path] of read(`www/${module}`).matchAll(/^(?:import|export)\b[^"\n]*?\bfrom "(\.[^"]+)"/gm)) {
    const needed = normalize(join(dirname(module), path));
    if (seen.has(needed)) continue;
    seen.add(needed);
    needs(needed, seen);
  }
  return seen;
}

test("every module that main.js needs is fetched at once, and nothing else", () => {
  const preloaded = Array.from(html.matchAll(/rel="modulepreload" href="([^"]+)"/g), (match) => match[1]);
  assert.deepEqual(preloaded.toSorted(), [...needs("main.js")].sort());
});

test("the bundle and the weights of the first answer are fetched with the page", () => {
  const preloaded = Array.from(html.matchAll(/rel="preload" as="fetch" crossorigin href="([^"]+)"/g), (match) => match[1]);
  assert.deepEqual(preloaded, ["pkg/cpu/glassbox_bg.wasm", "models/lecture.safetensors"]);
  assert.match(read("www/engine.js"), /\.\/pkg\/\$\{device\}\/glassbox_bg\.wasm/);
  assert.match(read("www/reader.js"), /\.\/models\/lecture\.safetensors/);
});

test("the policy lets the page ask its own site and the catalog's mirrors, and no one else", () => {
  const policy = html.match(/http-equiv="Content-Security-Policy"\s+content="([^"]+)"/)?.[1] ?? "";
  const directives = new Map(policy.split(";").map((text) => text.trim().split(/\s+/)).map(([name, ...values]) => [name, values]));
  assert.deepEqual(directives.get("default-src"), ["'self'"]);
  assert.deepEqual(directives.get("script-src"), ["'self'", "'wasm-unsafe-eval'"]);
  const mirrors = read("src/data/catalog.rs").matchAll(/"(https:\/\/[^"]+\/)"/g);
  assert.deepEqual(directives.get("connect-src")?.toSorted(), ["'self'", ...new Set(Array.from(mirrors, ([, url]) => new URL(url).origin))].sort());
});

test("nothing on the page is from elsewhere, and nothing needs inline styles or scripts", () => {
  const links = Array.from(html.matchAll(/\b(?:src|href)="([^"#]+)"/g), (match) => match[1]);
  assert.deepEqual(links.filter((link) => /^(?:[a-z]+:)?\/\//.test(link)), []);
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\bstyle="|\bon[a-z]+="/);
  for (const link of links.filter((link) => /\.(js|css|html)$/.test(link) && !link.startsWith("vendor/"))) {
    assert.ok(existsSync(join(root, "www", link)), link);
  }
});

test("every element that a view looks up is there, of the kind it expects", () => {
  const kinds = { HTMLButtonElement: "button", HTMLInputElement: "input", HTMLSelectElement: "select", HTMLCanvasElement: "canvas", HTMLTableElement: "table", HTMLProgressElement: "progress", HTMLDetailsElement: "details", HTMLDialogElement: "dialog", HTMLFormElement: "form" };
  const views = readdirSync(join(root, "www/views")).map((name) => `www/views/${name}`);
  let looked = 0;
  for (const source of [...views, "www/main.js"].map(read)) {
    const lookups = [
      ...Array.from(source.matchAll(/byId\("([^"]+)", (\w+)\)/g), ([, id, kind]) => [id, kind]),
      ...Array.from(source.matchAll(/\bbutton\("([^"]+)"\)/g), ([, id]) => [id, "HTMLButtonElement"]),
    ];
    for (const [id, kind] of lookups) {
      looked++;
      assert.ok(ids.has(id), `there is no #${id}`);
      if (kind in kinds) assert.equal(ids.get(id), kinds[kind], `#${id}`);
    }
  }
  assert.ok(looked > 50);
});

test("the benchmark's folder has no index.html, which others would take for the site's root", () => {
  assert.ok(existsSync(join(root, "www/bench/entry.js")));
  assert.ok(!existsSync(join(root, "www/bench/index.html")));
});

test("ids are unique; labels, descriptions and links within the page lead somewhere", () => {
  const all = Array.from(html.matchAll(/\bid="([^"]+)"/g), (match) => match[1]);
  assert.equal(new Set(all).size, all.length);
  for (const [, targets] of html.matchAll(/\b(?:for|aria-labelledby|aria-describedby)="([^"]+)"/g)) {
    for (const target of targets.split(" ")) assert.ok(all.includes(target), target);
  }
  for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) assert.ok(all.includes(target), target);
});
