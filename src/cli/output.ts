/**
 * Standard output that is written, or an error: `console.log` to a full device exits 0. And what is told on stderr.
 * @module
 */
import { CODES, FibError } from "../errors.ts";
import { jsonLine, visible } from "../shell-word.ts";
import { withoutTokens } from "../token.ts";
import * as systemCalls from "../system-calls.ts";

const STDOUT = 1;
export const STDERR = 2;

/** Descriptors that were looked at. */
const openFds = new Set<number>();

interface OutputCalls {
  readonly write: (fd: number, bytes: Uint8Array) => number;
  readonly isClosedOnExec: (fd: number) => boolean;
}

/** 0.2 ms to make ready. */
const NATIVE: OutputCalls = {
  write: systemCalls.writeTo,
  isClosedOnExec: systemCalls.isClosedOnExec,
};

/** Where no native call can be made; 1 ms to load, and so not imported. */
const BY_NODE: OutputCalls = {
  write: (fd, bytes) => nodeFs().writeSync(fd, bytes),
  isClosedOnExec: (fd) => {
    try {
      const flags = /^flags:\t([0-7]+)$/m.exec(
        nodeFs().readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"),
      )?.[1];
      return (Number.parseInt(flags ?? "0", 8) & systemCalls.O_CLOEXEC) !== 0;
    } catch {
      // Without /proc nobody can tell.
      return false;
    }
  },
};

let chosen: OutputCalls | undefined;

const calls = (): OutputCalls => (chosen ??= systemCalls.isAvailable() ? NATIVE : BY_NODE);

const nodeFs = () => process.getBuiltinModule("node:fs");

/**
 * Writes all of it before it returns.
 *
 * @throws {@link FibError} `output_failed`, when the reader is gone or the device is full.
 */
export function print(text: string): void {
  write(STDOUT, new TextEncoder().encode(text));
}

/**
 * Writes all bytes to a descriptor before it returns.
 *
 * @param what - Names it in an error.
 * @throws {@link FibError} `output_failed`, with the system's error as its cause.
 */
export function write(fd: number, bytes: Uint8Array, what = "the output"): void {
  if (fd === STDOUT || fd === STDERR) requireOutput(fd, what);
  for (let sent = 0; sent < bytes.length;) {
    try {
      sent += calls().write(fd, bytes.subarray(sent));
    } catch (error) {
      // A pipe that somebody else made non-blocking is full: its reader needs a moment.
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") Bun.sleepSync(1);
      else
        throw new FibError("output_failed", `Cannot write ${what}: ${(error as Error).message}`, {
          cause: error,
        });
    }
  }
}

/**
 * Makes sure that there is somewhere to print to. Before something is done that cannot be taken back, this is called
 * by itself; it looks once.
 *
 * @param what - Names it in an error.
 * @throws {@link FibError} `output_failed`, when the program was started with it closed (`>&-`).
 */
export function requireOutput(fd = STDOUT, what = "the output"): void {
  if (openFds.has(fd)) return;
  // Bun puts /dev/null in the place of a closed output, and that swallows everything. It opens it close-on-exec,
  // which no descriptor can be that came through an exec, so the `> /dev/null` of a user is told apart.
  if (calls().isClosedOnExec(fd)) throw new FibError("output_failed", `Cannot write ${what}: it is closed`);
  openFds.add(fd);
}

/** Whether an error says that the reader of a pipe has seen enough (`| head`), which nobody needs to be told. */
export function isReaderGone({ code, cause }: FibError): boolean {
  if (code !== "output_failed") return false;
  for (let error = cause; error instanceof Error; error = error.cause) {
    if ("code" in error && error.code === "EPIPE") return true;
  }
  return false;
}

/** Says something to the person at the shell, in one line. */
export function warn(message: string): void {
  toStderr(`fibserver: ${visible(message)}\n`);
}

/**
 * Tells of an error.
 *
 * @param json - As one line that a program can read: the problem document of the HTTP server (RFC 9457), with the
 * exit status in the place of HTTP's.
 */
export function tell(error: FibError, json: boolean): void {
  // A token that was put where a file or a host belongs, too.
  const detail = withoutTokens(error.message);
  const { title: known, exit } = CODES[error.code];
  const { serverCode } = error;
  const code = serverCode ?? error.code;
  const title = serverCode === undefined ? known : "The request is refused";
  const type = `urn:fibserver:error:${code}`;
  const { requestId } = error;
  if (json) toStderr(`${jsonLine({ type, title, exit, detail, code, requestId })}\n`);
  // The stack of a bug has lines of its own.
  else if (error.code === "internal") toStderr(`fibserver: ${detail}\n`);
  else warn(detail);
}

// The person may have closed it.
function toStderr(text: string): void {
  try {
    calls().write(STDERR, new TextEncoder().encode(text));
  } catch {}
}
