/**
 * Standard output that is written, or an error: `console.log` to a full device exits 0.
 * @module
 */
import fs from "node:fs";
import { FibError } from "../errors.ts";

const STDOUT = 1;

/**
 * Writes all of it before it returns.
 *
 * @throws {@link FibError} `output_failed`, when the reader is gone or the device is full.
 */
export function print(text: string): void {
  write(STDOUT, Buffer.from(text));
}

/**
 * Writes all bytes to a descriptor before it returns.
 *
 * @throws {@link FibError} `output_failed`, with the system's error as its cause.
 */
export function write(fd: number, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) {
    try {
      sent += fs.writeSync(fd, bytes, sent);
    } catch (error) {
      // A pipe that somebody else made non-blocking is full: its reader needs a moment.
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") Bun.sleepSync(1);
      else throw new FibError("output_failed", `Cannot write the output: ${String(error)}`, { cause: error });
    }
  }
}

/** Says something to the person at the shell, who may have closed stderr. */
export function warn(message: string): void {
  try {
    fs.writeSync(2, `fibserver: ${message}\n`);
  } catch {}
}
