// Numbers and tables for people.

/**
 * Three digits that count, or what stands for nothing.
 * @param {number|null|undefined} value
 */
export function figure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

/** @param {number|null|undefined} bytes */
export const kilobytes = (bytes) => (bytes === null || bytes === undefined ? "–" : `${Math.round(bytes / 1000).toLocaleString("en")}`);

/**
 * Prints a table in Markdown. Columns of numbers are set to the right.
 * @param {string[]} head
 * @param {string[][]} rows
 */
export function printTable(head, rows) {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => (row[i] ?? "").length)));
  const isText = head.map((_, i) => rows.some((row) => /^[a-z]{2}/i.test(row[i] ?? "")));
  const line = (/** @type {string[]} */ cells) => `| ${cells.map((cell, i) => (isText[i] ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  console.log(line(head));
  console.log(`|${widths.map((width, i) => (isText[i] ? `${"-".repeat(width + 2)}` : `${"-".repeat(width + 1)}:`)).join("|")}|`);
  for (const row of rows) console.log(line(head.map((_, i) => row[i] ?? "")));
}

/**
 * A peer as tables and plots name it.
 * @param {{peer:string, kind:string, threads:number, software:boolean}} row
 */
export const nameOf = ({ peer, threads, software }) => `${peer}${threads > 1 ? `, ${threads} threads` : ""}${software ? " (software)" : ""}`;
