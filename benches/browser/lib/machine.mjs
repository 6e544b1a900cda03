// Where the numbers come from, and whether the machine was quiet meanwhile.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";

const TICKS_PER_SECOND = 100;

/** @param {string[]} args */
function git(args) {
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()}`,
    node: process.version,
    commit: git(["rev-parse", "--short", "HEAD"]),
    changed: git(["status", "--porcelain"]) !== "",
    date: new Date().toISOString(),
  };
}

/** This process and all below it, from /proc: Linux only, elsewhere nothing. */
function family() {
  /** @type {Map<number, {parent:number, ticks:number}>} */
  const all = new Map();
  for (const name of existsSync("/proc/stat") ? readdirSync("/proc") : []) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, "utf8");
      // Behind the name, which may hold spaces: state, parent, …, then four times from the twelfth on.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      all.set(Number(name), { parent: Number(fields[1]), ticks });
    } catch {
      // It ended meanwhile.
    }
  }
  const isOurs = (/** @type {number} */ id) => {
    for (let at = id; at > 1; at = all.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  return [...all].filter(([id]) => isOurs(id)).map(([id, { ticks }]) => ({ id, ticks }));
}

/**
 * Starts to watch the processors; what it gives tells how many cores other programs have kept busy
 * since. Null where the system does not say. Believe a row only when this is near 0.
 * @returns {()=>number|null}
 */
export function watchOthers() {
  const now = () => {
    if (!existsSync("/proc/stat")) return null;
    const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").split("\n")[0].split(/\s+/).map(Number);
    const own = family().reduce((sum, { ticks }) => sum + ticks, 0);
    return { busy: user + nice + system + irq + softirq + steal - own, atMs: Date.now() };
  };
  const before = now();
  return () => {
    const after = now();
    if (!before || !after) return null;
    const seconds = (after.atMs - before.atMs) / 1000;
    return Math.max(0, (after.busy - before.busy) / TICKS_PER_SECOND / seconds);
  };
}

/**
 * Memory held by our browser's processes, by kind, in bytes. Null where the system does not say.
 * @returns {{renderer:number, gpu:number}|null}
 */
export function browserMemory() {
  if (!existsSync("/proc/stat")) return null;
  const held = { renderer: 0, gpu: 0 };
  for (const { id } of family()) {
    try {
      const kind = readFileSync(`/proc/${id}/cmdline`, "utf8").match(/--type=(renderer|gpu-process)/)?.[1];
      const resident = Number(readFileSync(`/proc/${id}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m)?.[1] ?? 0) * 1024;
      if (kind) held[kind === "renderer" ? "renderer" : "gpu"] += resident;
    } catch {
      // It ended meanwhile.
    }
  }
  return held;
}
