// One measurement: a fresh browser, one page, what it answers, and what it fetched for that.

import { launch } from "./browser.mjs";
import { watchOthers } from "./machine.mjs";

const COMPLAINT_LENGTH = 300;
const COMPLAINTS_MOST = 3;

/**
 * @typedef {object} Lab  What the measurements of a run share.
 * @property {string} here  The folder of this benchmark.
 * @property {any} options
 * @property {[prefix:string, folder:string][]} mounts
 * @property {Awaited<ReturnType<typeof import("./server.mjs").serve>>} server
 * @property {string} adapter  A key of ADAPTERS.
 * @property {boolean} software  Whether that adapter computes on the processor after all.
 * @property {import("./peers.mjs").Peer[]} peers  Those asked for.
 * @property {(peer:import("./peers.mjs").Peer)=>Promise<string>} entryOf
 * @property {(text:string)=>void} say
 */

/**
 * Opens the page that does `work`, and gives what it says; where that fails, `{error}`.
 * @param {Lab} lab
 * @param {{work:string} & Record<string, unknown>} settings
 * @param {object} [how]
 * @param {number} [how.limitMs]  Given up after it.
 * @param {(news:any)=>void} [how.onNews]  Told what the page reports on its way.
 * @param {(page:import("playwright-core").Page)=>Promise<any>} [how.drive]  Works the page, in place of waiting for its result.
 * @returns {Promise<any>}
 */
export async function measure({ adapter, server, options }, settings, { limitMs = options.limit * 1000, onNews, drive } = {}) {
  let browser, timer;
  const complaints = new Set();
  try {
    browser = await launch(adapter);
    const page = await browser.context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.add(message.text().slice(0, COMPLAINT_LENGTH));
    });
    page.on("pageerror", (error) => complaints.add(String(error).slice(0, COMPLAINT_LENGTH)));
    if (onNews) await page.exposeFunction("report", onNews);
    server.reset();
    const others = watchOthers();
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`given up after ${Math.round(limitMs / 1000)} s`)), limitMs);
    });
    late.catch(() => {});
    const work = async () => {
      await page.goto(`${server.origin}/pages/bench.html?${encodeURIComponent(JSON.stringify(settings))}`);
      return drive ? drive(page) : page.evaluate("window.result");
    };
    const result = await Promise.race([work(), late]);
    const sent = server.sent((path) => !path.startsWith("/pages/") && !path.startsWith("/data/"));
    const sum = (/** @type {"rawBytes"|"gzipBytes"} */ key) => sent.reduce((total, file) => total + file[key], 0);
    return { ...result, others: others(), rawBytes: sum("rawBytes"), gzipBytes: sum("gzipBytes"), complaints: [...complaints].slice(0, COMPLAINTS_MOST) };
  } catch (error) {
    return { error: String(/** @type {any} */ (error)?.message ?? error).slice(0, COMPLAINT_LENGTH), complaints: [...complaints].slice(0, COMPLAINTS_MOST) };
  } finally {
    clearTimeout(timer);
    await browser?.close();
  }
}

/**
 * How many threads a peer is tried with: those asked for, where it heeds them.
 * @param {Lab} lab
 * @param {import("./peers.mjs").Peer} peer
 * @returns {number[]}
 */
export const threadsOf = ({ options }, { threaded }) => (threaded ? options.threads : [1]);

/**
 * The most of them, for the modes that try a peer once.
 * @param {Lab} lab
 * @param {import("./peers.mjs").Peer} peer
 */
export const mostThreads = (lab, peer) => Math.max(...threadsOf(lab, peer));

/**
 * Whether a figure is of a software GPU, which ranks nothing about real ones.
 * @param {Lab} lab
 * @param {import("./peers.mjs").Peer} peer
 */
export const isSoftware = ({ software }, { kind }) => software && kind === "gpu";
