/**
 * Standard output that is written, or an error: `console.log` to a full device exits 0.
 * @module
 */
import fs from "node:fs";
import { FibError } from "../errors.ts";

const STDOUT = 1;
/** As Linux has it on x64 and arm64; node:fs does not name it. */
const O_CLOEXEC = 0o2000000;

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

/**
 * Makes sure that there is somewhere to print to, before something is done that cannot be taken back.
 *
 * @throws {@link FibError} `output_failed`, when the program was started with its output closed (`>&-`).
 */
export function requireOutput(): void {
  // Bun puts /dev/null in the place of a closed output, and that swallows everything. It opens it close-on-exec,
  // which no descriptor can be that came through an exec, so the `> /dev/null` of a user is told apart.
  const flags = /^flags:\t([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${STDOUT}`, "latin1"))?.[1];
  if (flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0) {
    throw new FibError("output_failed", "Cannot write the output: it is closed. Nothing was done");
  }
}

/** Says something to the person at the shell, who may have closed stderr. */
export function warn(message: string): void {
  try {
    fs.writeSync(2, `fibserver: ${message}\n`);
  } catch {}
}
