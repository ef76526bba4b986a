/**
 * Names of cursors and tasks for completion, asked where the line says. Who types waits for them, and has asked for
 * nothing yet: nothing is made or changed, nothing is said, and what takes too long is left out.
 * @module
 */
import type { FibClient } from "../../client/client.ts";
import { type CursorConfig, type Flags, resolveServerUrl } from "../../config/config.ts";
import { DEFAULT_NAME, isName } from "../../cursor-name.ts";
import { namesIn } from "../../cursor/inspect.ts";
import { statBehind } from "../../system-calls.ts";
import { resolveStore } from "../cursor-place.ts";
import type { Ask, Candidate } from "./candidates.ts";

/** Longer nobody waits for a list. */
const DEADLINE_MS = 1000;
const HASTE = { retriesMax: 0, timeoutMs: DEADLINE_MS };
/** More nobody reads; who types on gets others. */
const NAMES_MAX = 200;
/**
 * So many have room in this, whatever they are. What sends more is no list, and as long as bytes come at once no timer
 * has its turn: an endless answer took 2.5 to 4.3 s, measured on two busy cores.
 */
const BYTES_MAX = 4 * 2 ** 20;

/** Asks for names. @returns None where that fails, or takes too long. */
export const askNames: Ask = async (what, prefix, flags) => {
  const late = Bun.sleep(DEADLINE_MS).then(() => []);
  const found = what === "tasks" ? tasks(flags) : cursors(prefix, flags);
  const names = await Promise.race([found.catch(() => []), late]);
  return what === "removable cursors" ? names.filter(({ word }) => word !== DEFAULT_NAME) : names;
};

async function cursors(prefix: string, flags: Flags): Promise<readonly Candidate[]> {
  if (prefix !== "" && !isName(prefix)) return [];
  const { server, config } = resolveStore("fibserver", homely(flags));
  if (config !== undefined) return local(config, prefix);
  const listed = (await open(server)).cursors.list({ prefix, limit: NAMES_MAX, ...HASTE });
  return Array.fromAsync(listed, ({ name, index }) => ({ word: name, about: `index ${index}` }));
}

async function local(config: CursorConfig, prefix: string): Promise<readonly Candidate[]> {
  if (config.redis !== undefined) {
    const { openRedisCursors } = await import("../redis-cursor.ts");
    const { cursors: shared } = await openRedisCursors(config, config.redis, 0);
    const rows = await shared.list({ prefix, after: "", limit: NAMES_MAX });
    return rows.map(({ name, index }) => ({ word: name, about: `index ${index}` }));
  }
  const isThere = statBehind(config.file) !== undefined && DEFAULT_NAME.startsWith(prefix);
  const rows = named(config.file, prefix).map(({ name, index }) => ({ word: name, about: `index ${index}` }));
  return isThere ? [{ word: DEFAULT_NAME, about: "" }, ...rows] : rows;
}

// The default one is in another file: it is there also while somebody has this one alone.
function named(file: string, prefix: string) {
  try {
    return namesIn(`${file}.cursors`, prefix, NAMES_MAX);
  } catch {
    return [];
  }
}

/** The newest first. */
async function tasks({ server }: Flags): Promise<readonly Candidate[]> {
  const url = resolveServerUrl(typeof server === "string" ? server : undefined, process.env);
  const listed = (await open(url)).tasks.list({ order: "newest", limit: NAMES_MAX, ...HASTE });
  return Array.fromAsync(listed, ({ id, status }) => {
    const { state, kind, m, n, mod, from, count } = status;
    const words = [m, n, mod, from, count].filter((word) => word !== undefined);
    return { word: id, about: `${state}: ${kind} ${words.join(" ")}` };
  });
}

async function open(url: URL): Promise<FibClient> {
  return (await import("../remote.ts")).openClient(url, () => {}, fetchList);
}

async function fetchList(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  let rest = BYTES_MAX;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      rest -= bytes.length;
      if (rest < 0) controller.error(new Error("That is no list"));
      else controller.enqueue(bytes);
    },
  });
  return new Response(response.body?.pipeThrough(limit), response);
}

/** A file as the shell will name it: `~/` is the only thing in a word that is expanded here. */
function homely({ file, ...flags }: Flags): Flags {
  const home = process.env["HOME"];
  if (typeof file !== "string") return flags;
  return { ...flags, file: home && file.startsWith("~/") ? home + file.slice(1) : file };
}
