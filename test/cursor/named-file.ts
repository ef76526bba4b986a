/** A default cursor in its file, and a file of named ones that a test spoils. @module */
import { onTestFinished } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { Cursor } from "../../src/cursor/cursor.ts";
import { EmbeddedCursors } from "../../src/cursor/embedded.ts";
import type { GroupWatch } from "../../src/cursor/group-watch.ts";
import { Cursors, type NamedLimits } from "../../src/cursor/named.ts";
import { startStore } from "../../src/cursor/store-thread.ts";
import { runOnThreads } from "../../src/cursor/threads.ts";
import { temporaryFolder } from "../temporary.ts";
import { LIMITS } from "./contract.ts";

/** Everything that is listed, as long as that is little. */
export const ALL = { prefix: "", after: "", limit: 10 };

/** Opens both; the named ones are alone in a folder. All are closed when the test has ended. */
export async function openCursors(
  lockTimeoutMs = 5000,
  limits: Partial<NamedLimits> = {},
  groups?: GroupWatch,
) {
  const folder = path.join(temporaryFolder(), "named");
  fs.mkdirSync(folder);
  const file = path.join(folder, "cursors");
  const notices: string[] = [];
  const notice = (message: string) => notices.push(message);
  /** Another process's worth of named cursors. */
  const open = (place = file) => {
    const named = new EmbeddedCursors({
      path: place,
      limits: { ...LIMITS, ...limits },
      lockTimeoutMs,
      start: startStore,
      notice,
      onFailure: ({ message }) => notice(message),
      groups,
    });
    onTestFinished(() => named.close());
    return named;
  };
  const named = open();
  const own = await Cursor.open({
    path: path.join(temporaryFolder(), "cursor"),
    indexMax: 92,
    lockTimeoutMs,
    run: runOnThreads,
    notice: () => {},
  });
  onTestFinished(() => own.close());
  return { folder, file, notices, named, open, cursors: new Cursors(own, named) };
}

/** Damages all pages but the first. */
export function damagePages(file: string): void {
  const fd = fs.openSync(file, "r+");
  const sizeBytes = fs.fstatSync(fd).size - 4096;
  fs.writeSync(fd, Buffer.alloc(sizeBytes, 0x5a), 0, sizeBytes, 4096);
  fs.closeSync(fd);
}
