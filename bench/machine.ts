/**
 * What a figure was measured on, and of what: a figure without that says nothing.
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { median } from "./measure.ts";
import { newFolder } from "./servers.ts";

/** What `make bench` itself writes: it makes no other commit of what was measured. */
const WRITTEN = ["README.md", "docs", "bench/results.json"];
const SYNCS = 50;
const BLOCK_BYTES = 4096;

/** CPU, memory, kernel, and the file system of the disk, with how long a sync takes there. */
export function describeMachine(): string {
  const cpus = os.cpus();
  const folder = newFolder("disk");
  const fileSystem = said(["df", "--output=fstype", folder])?.split("\n").at(-1) ?? "an unknown file system";
  const syncMs = median(Array.from({ length: SYNCS }, () => syncOnceMs(path.join(folder, "sync"))));
  fs.rmSync(folder, { recursive: true });
  const memoryGb = Math.round(os.totalmem() / 2 ** 30);
  return `${cpus[0]!.model.trim()}, ${cpus.length} cores, ${memoryGb} GB, Linux ${os.release()}, ${fileSystem} (${syncMs.toFixed(2)} ms for a sync)`;
}

function syncOnceMs(file: string): number {
  const descriptor = fs.openSync(file, "w");
  fs.writeSync(descriptor, Buffer.alloc(BLOCK_BYTES));
  fs.fsyncSync(descriptor);
  fs.writeSync(descriptor, Buffer.alloc(BLOCK_BYTES, 1), 0, BLOCK_BYTES, 0);
  const startMs = performance.now();
  fs.fdatasyncSync(descriptor);
  const ms = performance.now() - startMs;
  fs.closeSync(descriptor);
  return ms;
}

/** The commit of the sources that are measured, and whether they have changes beside. */
export function describeCommit(): string {
  const commit = said(["git", "rev-parse", "--short=12", "HEAD"]);
  if (commit === undefined) return "unknown";
  const without = WRITTEN.map((name) => `:(exclude)${name}`);
  const changes = said(["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ...without]);
  return changes === "" ? commit : `${commit} with changes`;
}

/** The version of a program that stands beside, such as `Redis 7.0.15`. */
export function versionOf(name: string, command: readonly string[]): string {
  const version = /\d+(\.\d+)+/.exec(said(command) ?? "")?.[0];
  return version === undefined ? name : `${name} ${version}`;
}

function said(command: readonly string[]): string | undefined {
  if (Bun.which(command[0]!) === null) return undefined;
  // nginx says its version on stderr.
  const { success, stdout, stderr } = Bun.spawnSync([...command]);
  return success ? (stdout.toString() || stderr.toString()).trim() : undefined;
}
