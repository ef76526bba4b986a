/**
 * The C library, for system calls without node:fs: how they are called, and what is said when they fail.
 *
 * What makes this more than a table of signatures: errno is read before anything else can run on this thread, a call
 * that a signal has interrupted is made again (but not close, which has closed, nor a sync, which may lie), and a NUL in a
 * path would end it early.
 *
 * The name `libc.so.6` leads to either library: musl takes each name of the C library for its own.
 * @see musl, ldso/dynlink.c, `load_library`: "Catch and block attempts to reload the implementation itself"
 * @module
 */
import { dlopen, type FFIFunction, FFIType, type Pointer, read } from "bun:ffi";
import { FibError } from "./errors.ts";

const EINTR = 4;
const ERRNO = { __errno_location: { args: [], returns: FFIType.ptr } } as const;

/** Where this thread's errno is. */
let errnoAddress: Pointer;

/** Those that a cursor may meet and node:util does not know. */
const UNKNOWN_TO_NODE: Readonly<Record<number, readonly [code: string, reason: string]>> = {
  37: ["ENOLCK", "no locks available"],
  116: ["ESTALE", "stale file handle"],
  122: ["EDQUOT", "disk quota exceeded"],
};

/** What the system refused, in the words of node:fs. */
export class SystemError extends Error {
  /** Such as `ENOENT`. */
  readonly code: string;
  readonly syscall: string;

  constructor(errno: number, syscall: string, path?: string, toPath?: string) {
    // Loaded by a failure only: it takes 1 ms.
    const names = process.getBuiltinModule("node:util").getSystemErrorMap();
    const [code, reason] = names.get(-errno) ?? UNKNOWN_TO_NODE[errno] ?? [`errno ${errno}`, "unknown error"];
    super(`${code}: ${reason}, ${syscall}${path ? ` '${path}'` : ""}${toPath ? ` -> '${toPath}'` : ""}`);
    this.code = code;
    this.syscall = syscall;
  }
}

/**
 * Opens the C library. Each call takes 3 to 20 µs to be made ready, the first the most.
 *
 * @param calls - The signatures of what is wanted.
 * @throws {@link FibError} `cursor_io`, where the runtime cannot make native calls.
 */
export function openLibc<Calls extends Record<string, FFIFunction>>(calls: Calls) {
  try {
    const { symbols } = dlopen("libc.so.6", { ...calls, ...ERRNO });
    errnoAddress = (symbols as { __errno_location: () => Pointer }).__errno_location();
    return symbols;
  } catch (error) {
    // Bun compiles each native call, and starts without its compiler where address space is short.
    throw new FibError(
      "cursor_io",
      `Cannot call the C library: ${(error as Error).message}. Allow this process more address space and ` +
        "executable memory: ulimit -v unlimited; under systemd no LimitAS= and no MemoryDenyWriteExecute=",
      { cause: error },
    );
  }
}

/**
 * To be called at once after a call that has failed: the runtime makes calls of its own.
 *
 * @param expected - What is no error to the caller.
 * @returns errno: one of these, or EINTR for a call that is to be made again.
 * @throws {@link SystemError} for any other.
 */
export function failed(name: string, path?: string, ...expected: number[]): number {
  const errno = read.i32(errnoAddress);
  if (errno === EINTR || expected.includes(errno)) return errno;
  throw new SystemError(errno, name, path);
}

/** The error of a call that has failed and is not made again; to be called at once, as {@link failed}. */
export function lastError(name: string, path?: string, toPath?: string): SystemError {
  return new SystemError(read.i32(errnoAddress), name, path, toPath);
}

/** A path as the C library wants it. @throws {@link FibError} `bad_argument`, for a NUL in it. */
export function pathBytes(path: string): Uint8Array {
  if (path.includes("\0")) throw new FibError("bad_argument", "Cannot use a path with a NUL in it");
  return new TextEncoder().encode(`${path}\0`);
}
