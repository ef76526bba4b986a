/**
 * A name is on disk when its folder is synced: also one that somebody else has made, who may have died before that.
 * @module
 */
import fs from "node:fs";

/** Puts the names in a folder on disk; blocks the thread. Throws as node:fs does. */
export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
