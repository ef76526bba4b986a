/**
 * System calls on what is open, and on what is at a path: all that a normal move of the cursor needs, and what a shell
 * command prints with. Those that give files their names and owners are in naming-calls.ts.
 *
 * `fibserver n` is an empty program and some twenty calls. node:fs takes 0.9 ms to load, a fifth of an empty program,
 * and has neither flock nor renameat2. To make these ready takes 0.2 ms, once. What is opened is closed on exec.
 * @module
 */
import { FFIType } from "bun:ffi";
import { failed, lastError, openLibc, pathBytes } from "./libc.ts";

const { i32, ptr, u64, i64_fast: size } = FFIType;

/** As Linux has them on x64 and arm64. */
const isArm = process.arch === "arm64";
export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_NOFOLLOW = isArm ? 0o100000 : 0o400000;
export const O_DIRECTORY = isArm ? 0o40000 : 0o200000;
export const O_CLOEXEC = 0o2000000;
const SYS_STATX = isArm ? 291 : 332;

const EPERM = 1;
const ENOENT = 2;
const EAGAIN = 11;
const ENOSYS = 38;
const LOCK_EX_NB = 6;
const LOCK_UN = 8;
const F_GETFD = 1;
export const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
/** `S_IFMT` and `S_IFREG`. */
const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;

const openCalls = () =>
  openLibc({
    open: { args: [ptr, i32, i32], returns: i32 },
    close: { args: [i32], returns: i32 },
    pread: { args: [i32, ptr, u64, u64], returns: size },
    pwrite: { args: [i32, ptr, u64, u64], returns: size },
    write: { args: [i32, ptr, u64], returns: size },
    fsync: { args: [i32], returns: i32 },
    fdatasync: { args: [i32], returns: i32 },
    flock: { args: [i32, i32], returns: i32 },
    fcntl: { args: [i32, i32], returns: i32 },
    memcmp: { args: [ptr, ptr, u64], returns: i32 },
    // statx by its number: musl has had no such function for long.
    syscall: { args: [size, i32, ptr, i32, i32, ptr], returns: size },
  });

let calls: ReturnType<typeof openCalls> | undefined;

/** What is known of a file. */
export interface Stat {
  /** One number for each device; not the one of node:fs. */
  readonly dev: number;
  readonly ino: bigint;
  readonly uid: number;
  readonly gid: number;
  /** Type and rights. */
  readonly mode: number;
  readonly isFile: boolean;
  readonly sizeBytes: number;
  /** When the content was changed last, in ns. */
  readonly mtimeNs: bigint;
}

/** Whether native calls can be had; where not, each call throws `cursor_io` as {@link openLibc} does. */
export function isAvailable(): boolean {
  try {
    ready();
    return true;
  } catch {
    return false;
  }
}

/** Opens a file. @returns Its descriptor. @throws {@link SystemError} */
export function openFile(path: string, flags: number, mode = 0): number {
  const bytes = pathBytes(path);
  for (;;) {
    const fd = ready().open(bytes, flags | O_CLOEXEC, mode);
    if (fd >= 0) return fd;
    failed("open", path);
  }
}

/** Gives a descriptor back. */
export function closeFile(fd: number): void {
  // Whatever it says, the descriptor is gone.
  ready().close(fd);
}

/** Reads from an offset. @returns How many bytes there were. @throws {@link SystemError} */
export function readAt(fd: number, bytes: Uint8Array, offset: number): number {
  for (;;) {
    const count = Number(ready().pread(fd, bytes, bytes.length, offset));
    if (count >= 0) return count;
    failed("read");
  }
}

/** Writes at an offset. @returns How many bytes were written. @throws {@link SystemError} */
export function writeAt(fd: number, bytes: Uint8Array, offset: number): number {
  for (;;) {
    const count = Number(ready().pwrite(fd, bytes, bytes.length, offset));
    if (count >= 0) return count;
    failed("write");
  }
}

/** Writes to what may be a pipe. @returns How many bytes were written. @throws {@link SystemError} */
export function writeTo(fd: number, bytes: Uint8Array): number {
  for (;;) {
    const count = Number(ready().write(fd, bytes, bytes.length));
    if (count >= 0) return count;
    failed("write");
  }
}

/** Whether two arrays of the same length hold the same. `Buffer`, which can tell as well, takes 0.1 ms to load. */
export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return ready().memcmp(a, b, a.length) === 0;
}

/**
 * fsync(2): a new file with its mode and owner, or the names in a folder. Never made again, not after a signal either:
 * a second one may lie.
 *
 * @throws {@link SystemError}
 */
export function syncAll(fd: number): void {
  if (ready().fsync(fd) !== 0) throw lastError("fsync");
}

/** fdatasync(2): the bytes of a file whose size stays. Never made again, either. @throws {@link SystemError} */
export function syncData(fd: number): void {
  if (ready().fdatasync(fd) !== 0) throw lastError("fdatasync");
}

/**
 * Takes the exclusive lock between processes, and does not wait for it: that would hold up an event loop.
 *
 * flock and not fcntl: an fcntl lock vanishes when any descriptor of the file is closed. The kernel drops it with the
 * descriptor, so a killed process leaves nothing behind, and no clock is involved.
 *
 * @returns false when another descriptor holds it.
 * @throws {@link SystemError} where the file system has no locks.
 */
export function tryLock(fd: number): boolean {
  while (ready().flock(fd, LOCK_EX_NB) !== 0) {
    if (failed("flock", undefined, EAGAIN) === EAGAIN) return false;
  }
  return true;
}

/** Gives the lock back; the next process may take it at once. */
export function unlock(fd: number): void {
  ready().flock(fd, LOCK_UN);
}

/** What an open descriptor is. @throws {@link SystemError} */
export function statOf(fd: number): Stat {
  return statx("fstat", fd, "", AT_EMPTY_PATH)!;
}

/** What is at a path, a symbolic link itself; undefined when there is nothing. @throws {@link SystemError} */
export function statAt(path: string): Stat | undefined {
  return statx("lstat", AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}

/** What a path leads to; undefined when that is nothing. @throws {@link SystemError} */
export function statBehind(path: string): Stat | undefined {
  return statx("stat", AT_FDCWD, path, 0);
}

/** Whether a descriptor is closed by an exec, and so was opened by this process. */
export function isClosedOnExec(fd: number): boolean {
  // FD_CLOEXEC is 1; where nothing is open it is -1.
  const flags = ready().fcntl(fd, F_GETFD);
  return flags % 2 === 1;
}

function ready(): ReturnType<typeof openCalls> {
  return (calls ??= openCalls());
}

/** Bytes of `struct statx`, which is the same on each machine. */
const statBytes = new Uint8Array(256);
const statView = new DataView(statBytes.buffer);

/** @see statx(2), linux/stat.h */
function statx(name: string, fd: number, path: string, flags: number): Stat | undefined {
  const bytes = pathBytes(path);
  while (Number(ready().syscall(SYS_STATX, fd, bytes, flags, STATX_BASIC_STATS, statBytes)) !== 0) {
    const errno = failed(name, path, ENOENT, EPERM, ENOSYS);
    if (errno === ENOENT) return undefined;
    // What sandboxes of old answer to a call that they do not know.
    if (errno === EPERM || errno === ENOSYS) return statByNode(fd, path, flags);
  }
  const u32 = (at: number) => statView.getUint32(at, true);
  const u64At = (at: number) => statView.getBigUint64(at, true);
  const mode = statView.getUint16(28, true);
  return {
    dev: u32(136) * 2 ** 32 + u32(140),
    ino: u64At(32),
    uid: u32(20),
    gid: u32(24),
    mode,
    isFile: (mode & TYPE_MASK) === REGULAR,
    sizeBytes: Number(u64At(40)),
    mtimeNs: u64At(112) * 1_000_000_000n + BigInt(u32(120)),
  };
}

function statByNode(fd: number, path: string, flags: number): Stat | undefined {
  const { fstatSync, lstatSync, statSync } = process.getBuiltinModule("node:fs");
  const options = { bigint: true, throwIfNoEntry: false } as const;
  const found =
    flags === AT_EMPTY_PATH
      ? fstatSync(fd, { bigint: true })
      : (flags === AT_SYMLINK_NOFOLLOW ? lstatSync : statSync)(path, options);
  if (found === undefined) return undefined;
  const { dev, ino, uid, gid, mode, size: sizeBytes, mtimeNs } = found;
  return {
    dev: Number(dev),
    ino,
    uid: Number(uid),
    gid: Number(gid),
    mode: Number(mode),
    isFile: found.isFile(),
    sizeBytes: Number(sizeBytes),
    mtimeNs,
  };
}
