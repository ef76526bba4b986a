/**
 * System calls that make names, and say whose files are: all that a normal move of the cursor does without, and so made
 * ready when the first is needed.
 * @module
 */
import { FFIType } from "bun:ffi";
import { failed, lastError, openLibc, pathBytes } from "./libc.ts";
import { AT_FDCWD } from "./system-calls.ts";

const { i32, ptr, i64_fast: size } = FFIType;

const ENOENT = 2;
const EINTR = 4;
const EEXIST = 17;
const EINVAL = 22;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const AT_SYMLINK_FOLLOW = 0x400;
const SYS_RENAMEAT2 = process.arch === "arm64" ? 276 : 316;
/** `PATH_MAX`. */
const PATH_BYTES = 4096;

const openCalls = () =>
  openLibc({
    mkdir: { args: [ptr, i32], returns: i32 },
    unlink: { args: [ptr], returns: i32 },
    rename: { args: [ptr, ptr], returns: i32 },
    // renameat2 by its number: musl 1.2.3 has no such function, and a cursor could not be created with it.
    syscall: { args: [size, i32, ptr, i32, ptr, i32], returns: size },
    linkat: { args: [i32, ptr, i32, ptr, i32], returns: i32 },
    syncfs: { args: [i32], returns: i32 },
    fchown: { args: [i32, i32, i32], returns: i32 },
    fchmod: { args: [i32, i32], returns: i32 },
    realpath: { args: [ptr, ptr], returns: ptr },
  });

let calls: ReturnType<typeof openCalls> | undefined;

function ready(): ReturnType<typeof openCalls> {
  return (calls ??= openCalls());
}

/**
 * Makes these calls ready.
 *
 * @throws {@link FibError} `cursor_io`, where native calls cannot be had.
 */
export function prepareNaming(): void {
  ready();
}

/** Makes a folder, unless it is there. @throws {@link SystemError} */
export function makeFolder(path: string): void {
  const bytes = pathBytes(path);
  while (ready().mkdir(bytes, 0o777) !== 0) {
    if (failed("mkdir", path, EEXIST) === EEXIST) return;
  }
}

/** Removes a name, if it is there. @throws {@link SystemError} */
export function remove(path: string): void {
  const bytes = pathBytes(path);
  while (ready().unlink(bytes) !== 0) {
    if (failed("unlink", path, ENOENT) === ENOENT) return;
  }
}

/** Gives a file another name, in place of whatever has that. @throws {@link SystemError} */
export function rename(from: string, to: string): void {
  const [fromBytes, toBytes] = [pathBytes(from), pathBytes(to)];
  if (ready().rename(fromBytes, toBytes) !== 0) throw lastError("rename", from, to);
}

/**
 * renameat2(2).
 *
 * @param flags - Of which the kernel, or the file system, may know none.
 * @returns Whether it was done; false when there is a file that must not be replaced; undefined without such flags.
 * @throws {@link SystemError}
 */
export function renameWith(from: string, to: string, flags: number): boolean | undefined {
  const [fromBytes, toBytes] = [pathBytes(from), pathBytes(to)];
  while (Number(ready().syscall(SYS_RENAMEAT2, AT_FDCWD, fromBytes, AT_FDCWD, toBytes, flags)) !== 0) {
    const errno = failed("rename", to, EEXIST, EINVAL, ENOSYS, EOPNOTSUPP);
    if (errno === EEXIST) return false;
    if (errno !== EINTR) return undefined;
  }
  return true;
}

/** Gives a file that is open a name that nobody has. @throws {@link SystemError} */
export function nameOpenFile(fd: number, path: string): void {
  const self = `/proc/self/fd/${fd}`;
  const [fromBytes, toBytes] = [pathBytes(self), pathBytes(path)];
  const isNamed = ready().linkat(AT_FDCWD, fromBytes, AT_FDCWD, toBytes, AT_SYMLINK_FOLLOW) === 0;
  if (!isNamed) throw lastError("link", self, path);
}

/** syncfs(2): the whole file system of what is open. @throws {@link SystemError} */
export function syncFileSystem(fd: number): void {
  if (ready().syncfs(fd) !== 0) throw lastError("syncfs");
}

/** Gives a file away. @throws {@link SystemError} */
export function changeOwner(fd: number, uid: number, gid: number): void {
  while (ready().fchown(fd, uid, gid) !== 0) failed("fchown");
}

/** Sets who may do what with a file. @throws {@link SystemError} */
export function changeMode(fd: number, mode: number): void {
  while (ready().fchmod(fd, mode) !== 0) failed("fchmod");
}

/** A path without symbolic links. @throws {@link SystemError} */
export function realPath(path: string): string {
  const [bytes, found] = [pathBytes(path), new Uint8Array(PATH_BYTES)];
  while (ready().realpath(bytes, found) === null) failed("realpath", path);
  return new TextDecoder().decode(found.subarray(0, found.indexOf(0)));
}
