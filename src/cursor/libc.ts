/**
 * The C library, for the calls that neither Bun nor node:fs offers.
 * @module
 */
import { dlopen, type FFIFunction } from "bun:ffi";
import fs from "node:fs";
import { FibError } from "../errors.ts";

/**
 * Opens the C library that this binary was built for.
 *
 * @param calls - The signatures of what is wanted.
 * @throws {@link FibError} `cursor_io`, where the runtime cannot make native calls.
 */
export function openLibc<Calls extends Record<string, FFIFunction>>(calls: Calls) {
  try {
    return dlopen(libcName(), calls).symbols;
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

// glibc and musl name theirs differently.
function libcName(): string {
  const muslName = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  return fs.existsSync(`/lib/${muslName}`) && !isGlibc() ? muslName : "libc.so.6";
}

function isGlibc(): boolean {
  return fs.readFileSync("/proc/self/maps", "latin1").includes("/libc.so.6");
}
