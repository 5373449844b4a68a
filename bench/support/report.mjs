// What a bench prints, and keeps as JSON.
import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { pinning } from './processes.mjs';

/** Of the minute before the bench: what else the machine was busy with. */
const [loadBefore] = loadavg();

const results = fileURLToPath(new URL('../results/', import.meta.url));

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that this share of the values does not exceed. */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** @param {string[][]} rows the first is the heading; all columns but the first are numbers */
export function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      return column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
    });
    console.log(cells.join('  '));
  }
}

/** A machine that is busy with other things makes every figure larger, and not by the same factor. */
export function warnWhereBusy() {
  if (loadBefore > availableParallelism() / 2) {
    console.log(`This machine is busy (load ${loadBefore.toFixed(1)}): trust no ratio near 1.`);
  }
}

function machine() {
  return { cores: availableParallelism(), loadBefore, node: process.version, arch: process.arch, pinning };
}

export function keep(name, result) {
  writeFileSync(
    `${results}${name}.json`,
    `${JSON.stringify({ machine: machine(), ...result }, undefined, 2)}\n`,
  );
  console.log(`kept in bench/results/${name}.json`);
}
