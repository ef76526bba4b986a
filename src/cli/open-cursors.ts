/**
 * Cursors with names, for a shell command: in `NAME.cursors` beside the cursor file, or in Redis. Apart from
 * `open-cursor.ts`, whose file is all that `fibserver n` needs.
 * @module
 */
import { type CursorConfig, resolveCursorsMax } from "../config/config.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import { makeStateFolder, openFileCursor } from "../cursor/configured.ts";
import { EmbeddedCursors } from "../cursor/embedded.ts";
import { look } from "../cursor/io-error.ts";
import { Cursors, type NamedCursors, NO_CLIENTS } from "../cursor/named.ts";
import { requireCursorPlace } from "../cursor/place.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { CursorStore } from "../cursor/store.ts";
import { statBehind } from "../system-calls.ts";
import { callsOf } from "../thread.ts";
import { type LocalCursor, openShellCursor } from "./open-cursor.ts";
import { requireOutput, warn } from "./output.ts";

/** Names that are asked for at once. */
const PAGE_COUNT = 1000;

/**
 * Opens one cursor. Others are left alone: one with a name can be used where the default one cannot, and the other way
 * around.
 *
 * @param makes - Whether the default one is made where there is none, in Redis, by opening it.
 * @throws {@link FibError} as `openShellCursor` does, or the store of the named ones.
 */
export async function openLocalCursor(
  config: CursorConfig,
  name: string,
  makes: boolean,
): Promise<LocalCursor> {
  if (name === DEFAULT_NAME && (makes || config.redis === undefined)) return openShellCursor(config);
  requireOutput();
  const cursors = await openNamed(config);
  const cursor = cursors.at(name);
  return {
    current: () => cursor.current(),
    submit: (request, answer) => {
      if (request.operation === "next" || request.operation === "set") makeStateFolder(config);
      return cursor.submit(request, answer);
    },
    watch: (listener) => cursor.watch(listener),
    close: () => cursors.close(),
  };
}

/** A cursor in a list, as a server tells of it. */
export interface CursorRow {
  readonly name: string;
  readonly index: string;
  readonly movedAt?: string;
}

/**
 * All cursors in the order of their names. Makes nothing: the default one is among them when it has a file.
 *
 * @throws {@link FibError} as {@link openLocalCursor} does.
 */
export async function* listLocalCursors(config: CursorConfig, prefix: string): AsyncGenerator<CursorRow> {
  const named = await openNamed(config);
  const opened = await openDefault(config);
  const cursors = opened === undefined ? named : new Cursors(opened, named);
  try {
    for (let after = ""; ;) {
      const page = await cursors.list({ prefix, after, limit: PAGE_COUNT });
      for (const { name, index, movedAtMs } of page) {
        const movedAt = movedAtMs === undefined ? undefined : new Date(movedAtMs).toISOString();
        yield { name, index: String(index), ...(movedAt && { movedAt }) };
      }
      if (page.length < PAGE_COUNT) return;
      after = page.at(-1)!.name;
    }
  } finally {
    await opened?.close();
    await named.close();
  }
}

async function openNamed(config: CursorConfig): Promise<NamedCursors> {
  const { indexMax, lockTimeoutMs, file } = config;
  const cursorsMax = resolveCursorsMax(process.env);
  if (config.redis !== undefined) {
    const { cursors, close } = await (
      await import("./redis-cursor.ts")
    ).openRedisCursors(config, config.redis, cursorsMax);
    return { at: (name) => cursors.at(name), list: (filter) => cursors.list(filter), close };
  }
  requireCursorPlace(file);
  return new EmbeddedCursors({
    path: `${file}.cursors`,
    limits: { indexMax, cursorsMax, ...NO_CLIENTS },
    lockTimeoutMs,
    // A command has nothing else to do meanwhile, and a thread takes longer to start than most that is done here.
    start: () => callsOf(new CursorStore()),
    notice: warn,
    onFailure: () => {},
  });
}

/** The one in a file, if there is a file; all that are in Redis are among the others. */
async function openDefault(config: CursorConfig): Promise<LocalCursor | undefined> {
  if (config.redis !== undefined || look(config.file, statBehind) === undefined) return undefined;
  return openFileCursor(config, { run: runBlocking, notice: warn });
}
