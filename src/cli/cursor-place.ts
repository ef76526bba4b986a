/**
 * Which cursor a command means, where it is, and what can be done with it: in a file, in Redis, or at a server.
 * @module
 */
import {
  type CursorConfig,
  type Flags,
  resolveCursorConfig,
  resolveCursorName,
  resolveServerUrl,
} from "../config/config.ts";
import { addressOf } from "../config/redis-url.ts";
import { REDIS_URLS } from "../config/redis.ts";
import { FibError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import { CURSOR_FLAGS, PROCESS_FLAGS, REDIS_FLAGS } from "./flags.ts";
import { serverFlag, usageError } from "./hints.ts";

/** What another process does is not ours to set. */
export const LOCAL_FLAGS = { ...CURSOR_FLAGS, ...REDIS_FLAGS, ...PROCESS_FLAGS };

/** Where cursors are. */
export type Store = {
  /** The flags that say so once more, for a line to paste. */
  readonly at: string;
} & (
  | { readonly server: URL; readonly config?: undefined }
  | { readonly server?: undefined; readonly config: CursorConfig }
);

/** Which cursor is meant, and where it is. */
export type Place = Store & { readonly name: string };

/** A position, with F(index). */
export interface Shown {
  readonly index: number;
  readonly value: string;
}

/** One cursor; it has the names of the client library. */
export interface ShellCursor {
  readonly name: string;
  /** What has ended it for good; one elsewhere comes back. */
  readonly failure: FibError | undefined;
  /** @throws {@link FibError} `cursor_unknown`, and as the others do. */
  current(): Promise<Shown>;
  /** Makes it where there is none. @throws {@link FibError} as the place does. */
  next(): Promise<Shown>;
  previous(): Promise<Shown>;
  /** Makes it where there is none. */
  set(index: number): Promise<Shown>;
  /** @throws {@link FibError} `cursor_unknown`, `cursor_permanent`. */
  remove(): Promise<void>;
  /**
   * Where it is, and where it goes from now on, whoever moves it. What comes faster than it is taken is left out, the
   * last one never.
   *
   * @throws {@link FibError} `cursor_unknown`, also when it is removed meanwhile; as the others do, but for what passes by
   * itself; the signal's reason.
   */
  watch(signal: AbortSignal): AsyncIterable<Shown>;
  close(): Promise<void>;
}

/** As {@link resolveStore}, for a command with one cursor. */
export function resolvePlace(command: string, flags: Flags): Place {
  return { ...resolveStore(command, flags), name: resolveCursorName(flags, process.env) };
}

/**
 * Reads where the cursors of a command are. A server that is named wins over what the environment says of other places.
 *
 * @param command - Such as `fibserver cursor show`.
 * @throws {@link FibError} `bad_argument`.
 */
export function resolveStore(command: string, flags: Flags): Store {
  const { server } = flags;
  if (typeof server !== "string") {
    const at = placeFlags(flags);
    return { at, config: resolveCursorConfig(flags, process.env) };
  }
  const at = serverFlag(server);
  const given = Object.keys(LOCAL_FLAGS).find((flag) => flags[flag] !== undefined);
  if (given !== undefined) {
    const harmless = command === "fibserver" ? "fibserver c" : command;
    throw usageError(command, `--${given} has no meaning for another server`, `${harmless}${at}`);
  }
  return { at, server: resolveServerUrl(server, process.env) };
}

/** The flags that named a file or a Redis, without the passwords that may be in URLs. */
function placeFlags(flags: Flags): string {
  const given = ["file", ...Object.keys(REDIS_FLAGS)].flatMap((name) => {
    const value = flags[name];
    if (typeof value !== "string") return [];
    const isUrl = (REDIS_URLS as readonly string[]).includes(name);
    return ` ${name === "file" ? "-f" : `--${name}`} ${shellWord(isUrl ? addressOf(value) : value)}`;
  });
  return given.join("");
}

/** What is said where there is no such cursor. */
export function noCursor({ name, at }: Pick<Place, "name" | "at">): FibError {
  const list = `fibserver cursor list${at} shows which there are`;
  return new FibError("cursor_unknown", `Cannot find cursor ${name}: there is none; n makes it, ${list}`);
}

/** What is said when a cursor is removed while it is watched. */
export function wasRemoved({ name }: Pick<Place, "name">): FibError {
  return new FibError("cursor_unknown", `Cannot watch on: cursor ${name} was removed`);
}
