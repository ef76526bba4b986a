/**
 * A disk that loses its power: ext4 in an image on a loop device, cut off with EXT4_IOC_SHUTDOWN.
 *
 * What was synced is there when the power is back, and what was only written is not: the
 * journal is not flushed, and nothing but a sync commits it (`commit=` is longer than any test).
 *
 *   using disk = ext4Disk();          // programs work in disk.path
 *   disk.losePower();                 // from here on each of their calls fails
 *   …                                 // end them: what is open cannot be unmounted
 *   disk.restorePower();              // the journal is replayed; look at what is there
 * @module
 */
import { dlopen } from "bun:ffi";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { isWorking, requires, requireTool } from "./binary.ts";

const IMAGE_BYTES = 16 * 1024 * 1024;
/** @see linux/fs/ext4/ext4.h */
const EXT4_IOC_SHUTDOWN = 0x8004587d;
const EXT4_GOING_FLAGS_NOLOGFLUSH = 2;

// Mounting in a namespace that ends with its command tries what a test does, and leaves nothing behind.
const canMountLoops =
  isWorking(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]) &&
  isWorking(["losetup", "--find"]);

/**
 * A `test` that uses {@link ext4Disk}. Elsewhere it is skipped with a line: a container without loop devices cannot
 * get them, not even under `CI=true`. A missing mkfs.ext4 fails there, since that can be installed.
 */
export const withPowerLoss = canMountLoops
  ? requireTool(["mkfs.ext4", "-V"], "apt-get install e2fsprogs")
  : requires(false, "it takes root, with the right to mount, and a free loop device");

/** A disk that can be cut off. */
export interface Disk extends Disposable {
  /** Where it is mounted; an empty folder at first, but for `lost+found`. */
  readonly path: string;
  /** Keeps what was synced and drops the rest; every call after it fails. */
  losePower(): void;
  /** Mounts again what is on the disk. All that had a file or a folder open there must have ended. */
  restorePower(): void;
}

/** Makes a disk and mounts it; gone at the end of the scope. */
export function ext4Disk(): Disk {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-disk-"));
  const [image, mountPoint] = [path.join(folder, "image"), path.join(folder, "mounted")];
  fs.writeFileSync(image, "");
  fs.truncateSync(image, IMAGE_BYTES);
  fs.mkdirSync(mountPoint);
  must("mkfs.ext4", "-q", image);
  const mount = () => must("mount", "-o", "loop,commit=3600", image, mountPoint);
  mount();
  return {
    path: mountPoint,
    losePower: () => shutDown(mountPoint),
    restorePower() {
      must("umount", mountPoint);
      waitUntilGone(image);
      mount();
    },
    [Symbol.dispose]() {
      // Lazily: a test that failed may have left something open.
      must("umount", "--lazy", mountPoint);
      fs.rmSync(folder, { recursive: true });
    },
  };
}

function shutDown(mountPoint: string): void {
  const { symbols } = dlopen("libc.so.6", { ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" } });
  const fd = fs.openSync(mountPoint, "r");
  const result = symbols.ioctl(fd, EXT4_IOC_SHUTDOWN, new Uint32Array([EXT4_GOING_FLAGS_NOLOGFLUSH]));
  fs.closeSync(fd);
  if (result !== 0) throw new Error("EXT4_IOC_SHUTDOWN failed");
}

/**
 * Whoever has copied the mounts of this machine, for a namespace of its own as other tests make them, holds the disk a
 * while longer, and mounting it meanwhile would give it back as it is: cut off.
 */
function waitUntilGone(image: string): void {
  const isHeld = () => Bun.spawnSync(["losetup", "--associated", image]).stdout.length > 0;
  for (const deadlineMs = performance.now() + 240_000; isHeld(); Bun.sleepSync(20)) {
    if (performance.now() > deadlineMs) throw new Error(`Somebody still holds ${image}`);
  }
}

function must(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}
