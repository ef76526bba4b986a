/**
 * The cursors of one machine: the default one in its file, and those with names in a database beside it.
 * @module
 */
import type { Config } from "../config/config.ts";
import { openFileCursor } from "../cursor/configured.ts";
import { EmbeddedCursors } from "../cursor/embedded.ts";
import type { GroupWatch } from "../cursor/group-watch.ts";
import { Cursors } from "../cursor/named.ts";
import type { Run } from "../cursor/procedure.ts";
import { startStore } from "../cursor/store-thread.ts";
import { runOnThreads } from "../cursor/threads.ts";
import type { FibError } from "../errors.ts";
import type { CursorSource } from "./metrics.ts";

/** Cursors that are open. */
export interface FileCursors extends CursorSource {
  readonly cursors: Cursors;
  readonly prepare: () => void;
  readonly close: () => Promise<unknown>;
}

/**
 * Opens them.
 *
 * @param onFailure - Told once why the default cursor can be used no more.
 * @param groups - Told of each group, and of what it waited for.
 * @throws {@link FibError} `cursor_damaged`, `cursor_io`, `cursor_locked`.
 */
export async function openFileCursors(
  config: Config,
  notice: (message: string) => void,
  onFailure: (error: FibError) => void,
  groups: GroupWatch,
): Promise<FileCursors> {
  const { file, indexMax, cursorsMax, clientsMax, clientTtlMs, lockTimeoutMs } = config;
  const run: Run = (procedure) => runOnThreads(procedure, groups.synced);
  const cursor = await openFileCursor(config, { run, notice, onFailure, groups });
  const limits = { indexMax, cursorsMax, clientsMax, clientTtlMs };
  const path = `${file}.cursors`;
  const onNamedFailure = ({ message }: Error) => notice(message);
  const named = new EmbeddedCursors({
    path,
    limits,
    lockTimeoutMs,
    start: startStore,
    notice,
    onFailure: onNamedFailure,
    groups,
  });
  return {
    cursors: new Cursors(cursor, named),
    waitingCount: () => cursor.pendingCount + named.pendingCount,
    count: () => named.count(),
    prepare: () => named.prepare(),
    close: () => Promise.all([cursor.close(), named.close()]),
  };
}
