/**
 * System calls by their names in the manual, straight from the C library: those of the cursor and of the shell.
 *
 * `fibserver n` is an empty program and some twenty calls. node:fs takes 0.9 ms to load, a fifth of an empty program,
 * has neither flock nor renameat2, and what is synchronous there, is so here. Each call takes 15 µs to
 * be made ready, so those that a normal move does without are made ready when they are needed.
 *
 * What makes this more than a table: errno is read before anything else can run on this thread; a call that a signal
 * has interrupted is made again, except for close, which has closed; what is opened is closed on exec;
 * a NUL in a path would end it early. Errors are node:fs's, to the letter.
 *
 * The name `libc.so.6` leads to either library: musl takes each name of the C library for its own.
 * @see musl, ldso/dynlink.c, `load_library`: "Catch and block attempts to reload the implementation itself"
 * @module
 */
import { dlopen, type FFIFunction, FFIType, type Pointer, read } from "bun:ffi";
import { FibError } from "./errors.ts";

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
const O_CLOEXEC = 0o2000000;
const SYS_STATX = isArm ? 291 : 332;

const ENOENT = 2;
const EINTR = 4;
const EAGAIN = 11;
const EEXIST = 17;
const EINVAL = 22;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const LOCK_EX_NB = 6;
const LOCK_UN = 8;
const F_GETFD = 1;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
/** `S_IFMT` and `S_IFREG`. */
const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;
/** `PATH_MAX`. */
const PATH_BYTES = 4096;

/** What a normal move needs. */
const openCommon = () =>
  openLibc({
    __errno_location: { args: [], returns: ptr },
    open: { args: [ptr, i32, i32], returns: i32 },
    close: { args: [i32], returns: i32 },
    pread: { args: [i32, ptr, u64, u64], returns: size },
    pwrite: { args: [i32, ptr, u64, u64], returns: size },
    write: { args: [i32, ptr, u64], returns: size },
    fsync: { args: [i32], returns: i32 },
    fdatasync: { args: [i32], returns: i32 },
    flock: { args: [i32, i32], returns: i32 },
    fcntl: { args: [i32, i32], returns: i32 },
    // statx by its number: musl has had no such function for long.
    syscall: { args: [size, i32, ptr, i32, i32, ptr], returns: size },
  });

const openRare = () =>
  openLibc({
    mkdir: { args: [ptr, i32], returns: i32 },
    unlink: { args: [ptr], returns: i32 },
    rename: { args: [ptr, ptr], returns: i32 },
    renameat2: { args: [i32, ptr, i32, ptr, i32], returns: i32 },
    fchown: { args: [i32, i32, i32], returns: i32 },
    fchmod: { args: [i32, i32], returns: i32 },
    realpath: { args: [ptr, ptr], returns: ptr },
  });

let commonCalls: ReturnType<typeof openCommon> | undefined;
let rareCalls: ReturnType<typeof openRare> | undefined;
let errnoAddress: Pointer;

/** What the system refused, as node:fs would say it. */
export class SystemError extends Error {
  /** Such as `ENOENT`. */
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(errno: number, syscall: string, path?: string) {
    // Loaded by a failure only: it takes 1 ms.
    const names = process.getBuiltinModule("node:util").getSystemErrorMap();
    const [code, reason] = names.get(-errno) ?? [`errno ${errno}`, "unknown error"];
    super(`${code}: ${reason}, ${syscall}${path ? ` '${path}'` : ""}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** What is known of a file. */
export interface Stat {
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
  /** The device that it is, if it is one; as node:fs numbers them. */
  readonly rdev: number;
}

/**
 * Opens the C library.
 *
 * @param calls - The signatures of what is wanted.
 * @throws {@link FibError} `cursor_io`, where the runtime cannot make native calls.
 */
export function openLibc<Calls extends Record<string, FFIFunction>>(calls: Calls) {
  try {
    return dlopen("libc.so.6", calls).symbols;
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

/** Whether native calls can be had; where not, each call throws `cursor_io` as {@link openLibc} does. */
export function isAvailable(): boolean {
  try {
    common();
    return true;
  } catch {
    return false;
  }
}

/** Opens a file. @returns Its descriptor. @throws {@link SystemError} */
export function openFile(path: string, flags: number, mode = 0): number {
  const bytes = pathBytes(path);
  for (;;) {
    const fd = common().open(bytes, flags | O_CLOEXEC, mode);
    if (fd >= 0) return fd;
    failed("open", path);
  }
}

/** Gives a descriptor back. */
export function closeFile(fd: number): void {
  // Whatever it says, the descriptor is gone.
  common().close(fd);
}

/** Reads from an offset. @returns How many bytes there were. @throws {@link SystemError} */
export function readAt(fd: number, bytes: Uint8Array, offset: number): number {
  for (;;) {
    const count = Number(common().pread(fd, bytes, bytes.length, offset));
    if (count >= 0) return count;
    failed("read");
  }
}

/** Writes at an offset. @returns How many bytes were written. @throws {@link SystemError} */
export function writeAt(fd: number, bytes: Uint8Array, offset: number): number {
  for (;;) {
    const count = Number(common().pwrite(fd, bytes, bytes.length, offset));
    if (count >= 0) return count;
    failed("write");
  }
}

/** Writes to what may be a pipe. @returns How many bytes were written. @throws {@link SystemError} */
export function writeTo(fd: number, bytes: Uint8Array): number {
  for (;;) {
    const count = Number(common().write(fd, bytes, bytes.length));
    if (count >= 0) return count;
    failed("write");
  }
}

/** fsync(2): a new file with its mode and owner, or the names in a folder. @throws {@link SystemError} */
export function syncAll(fd: number): void {
  while (common().fsync(fd) !== 0) failed("fsync");
}

/** fdatasync(2): the bytes of a file whose size stays. @throws {@link SystemError} */
export function syncData(fd: number): void {
  while (common().fdatasync(fd) !== 0) failed("fdatasync");
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
  while (common().flock(fd, LOCK_EX_NB) !== 0) {
    if (failed("flock", undefined, EAGAIN) === EAGAIN) return false;
  }
  return true;
}

/** Gives the lock back; the next process may take it at once. */
export function unlock(fd: number): void {
  common().flock(fd, LOCK_UN);
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
  const flags = common().fcntl(fd, F_GETFD);
  return flags > 0 && flags % 2 === 1;
}

/** Makes a folder, unless it is there. @throws {@link SystemError} */
export function makeFolder(path: string): void {
  const bytes = pathBytes(path);
  while (rare().mkdir(bytes, 0o777) !== 0) {
    if (failed("mkdir", path, EEXIST) === EEXIST) return;
  }
}

/** Removes a name, if it is there. @throws {@link SystemError} */
export function remove(path: string): void {
  const bytes = pathBytes(path);
  while (rare().unlink(bytes) !== 0) {
    if (failed("unlink", path, ENOENT) === ENOENT) return;
  }
}

/** Gives a file another name, in place of whatever has that. @throws {@link SystemError} */
export function rename(from: string, to: string): void {
  const [fromBytes, toBytes] = [pathBytes(from), pathBytes(to)];
  while (rare().rename(fromBytes, toBytes) !== 0) failed("rename", from);
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
  while (rare().renameat2(AT_FDCWD, fromBytes, AT_FDCWD, toBytes, flags) !== 0) {
    const errno = failed("rename", to, EEXIST, EINVAL, ENOSYS, EOPNOTSUPP);
    if (errno !== EINTR) return errno === EEXIST ? false : undefined;
  }
  return true;
}

/** Gives a file away. @throws {@link SystemError} */
export function changeOwner(fd: number, uid: number, gid: number): void {
  while (rare().fchown(fd, uid, gid) !== 0) failed("fchown");
}

/** Sets who may do what with a file. @throws {@link SystemError} */
export function changeMode(fd: number, mode: number): void {
  while (rare().fchmod(fd, mode) !== 0) failed("fchmod");
}

/** A path without symbolic links. @throws {@link SystemError} */
export function realPath(path: string): string {
  const [bytes, found] = [pathBytes(path), new Uint8Array(PATH_BYTES)];
  while (rare().realpath(bytes, found) === null) failed("realpath", path);
  return new TextDecoder().decode(found.subarray(0, found.indexOf(0)));
}

/** The folder of a path, as dirname(3) has it. node:path takes 0.3 ms to load. */
export function folderOf(path: string): string {
  let end = path.length;
  while (end > 1 && path[end - 1] === "/") end--;
  end = path.lastIndexOf("/", end - 1);
  if (end === -1) return ".";
  while (end > 0 && path[end - 1] === "/") end--;
  return end === 0 ? "/" : path.slice(0, end);
}

function common(): ReturnType<typeof openCommon> {
  if (commonCalls === undefined) {
    commonCalls = openCommon();
    errnoAddress = commonCalls.__errno_location() as Pointer;
  }
  return commonCalls;
}

function rare(): ReturnType<typeof openRare> {
  common();
  return (rareCalls ??= openRare());
}

/**
 * To be called at once after a call that has failed: the runtime makes calls of its own.
 *
 * @param expected - What is no error to the caller.
 * @returns errno: one of these, or that of a call that a signal has interrupted and that is to be made again.
 * @throws {@link SystemError} for any other.
 */
function failed(name: string, path?: string, ...expected: number[]): number {
  const errno = read.i32(errnoAddress);
  if (errno === EINTR || expected.includes(errno)) return errno;
  throw new SystemError(errno, name, path);
}

function pathBytes(path: string): Uint8Array {
  if (path.includes("\0")) throw new FibError("bad_argument", "Cannot use a path with a NUL in it");
  return new TextEncoder().encode(`${path}\0`);
}

/** Bytes of `struct statx`, which is the same on each machine. */
const statBytes = new Uint8Array(256);
const statView = new DataView(statBytes.buffer);

/** @see statx(2), linux/stat.h */
function statx(name: string, fd: number, path: string, flags: number): Stat | undefined {
  const bytes = pathBytes(path);
  while (Number(common().syscall(SYS_STATX, fd, bytes, flags, STATX_BASIC_STATS, statBytes)) !== 0) {
    if (failed(name, path, ENOENT) === ENOENT) return undefined;
  }
  const u32 = (at: number) => statView.getUint32(at, true);
  const u64At = (at: number) => statView.getBigUint64(at, true);
  const mode = statView.getUint16(28, true);
  return {
    dev: deviceNumber(u32(136), u32(140)),
    ino: u64At(32),
    uid: u32(20),
    gid: u32(24),
    mode,
    isFile: (mode & TYPE_MASK) === REGULAR,
    sizeBytes: Number(u64At(40)),
    mtimeNs: u64At(112) * 1_000_000_000n + BigInt(u32(120)),
    rdev: deviceNumber(u32(128), u32(132)),
  };
}

/** @see makedev(3) */
function deviceNumber(major: number, minor: number): number {
  return (major >>> 12) * 2 ** 44 + (minor >>> 8) * 2 ** 20 + (major & 0xfff) * 2 ** 8 + (minor & 0xff);
}
