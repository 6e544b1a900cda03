// Chromium without a window, with an empty profile each time, so that nothing is warm that a visitor's would not be.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const LAUNCH_TIMEOUT_MS = 60_000;

/** What each adapter asks of Chromium: a software one needs nothing but Chromium itself. @type {Record<string, string[]>} */
export const ADAPTERS = {
  swiftshader: ["--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  native: process.platform === "linux" ? ["--enable-features=Vulkan", "--use-angle=vulkan", "--ignore-gpu-blocklist"] : ["--ignore-gpu-blocklist"],
};

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-extensions",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows",
  // Nothing but the server here can be reached.
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];

/** @param {string} adapter a key of ADAPTERS */
export async function launch(adapter) {
  const profile = mkdtempSync(join(tmpdir(), "glassbox-bench-"));
  const remove = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      // Playwright's own flags change what is measured, and of two --enable-features Chromium takes one.
      ignoreDefaultArgs: true,
      args: [...FLAGS, ...ADAPTERS[adapter], `--user-data-dir=${profile}`, "--remote-debugging-pipe", "about:blank"],
      timeout: LAUNCH_TIMEOUT_MS,
    });
    const close = async () => {
      await context.close().catch(() => {});
      remove();
    };
    return { context, version: context.browser()?.version() ?? "", close };
  } catch (error) {
    remove();
    throw error;
  }
}
