/**
 * The place in the page, kept in the fragment of its address, so that it can be sent to somebody: the part, and what that
 * part shows, such as `#sequence/705000`. It never reaches a server.
 * @module
 */
import { createStore, useStore } from "./store.ts";

/** The parts, in their order. */
export const PARTS = ["cursor", "sequence", "numbers", "tasks", "server"] as const;

/** One of them. */
export type PartName = (typeof PARTS)[number];

/** A place. */
export interface Place {
  readonly part: PartName;
  /** What is shown there, as the part spells it; empty for its beginning. */
  readonly path: readonly string[];
}

/** Reads a fragment; undefined for one that names no part. */
function readPlace(fragment: string): Place | undefined {
  const [name, ...path] = fragment.replace(/^#/, "").split("/").map(decoded);
  const part = PARTS.find((each) => each === name);
  return part === undefined ? undefined : { part, path };
}

/** The fragment of a place; a plus may stand in it as it is. */
export function writePlace({ part, path }: Place): string {
  return `#${[part, ...path.map(encodeURIComponent)].join("/").replaceAll("%2B", "+")}`;
}

const asked = createStore<Place | undefined>(undefined);

/** Follows the address from now on. */
export function followAddress(): void {
  addEventListener("hashchange", readAddress);
  readAddress();
}

/** Goes to where the address leads. */
export function readAddress(): void {
  const place = readPlace(location.hash);
  if (place !== undefined) keepShown(place, location.href);
  asked.set(place);
}

/**
 * What each part shows, or has shown last. An address holds one of them: the others are kept beside it, for a page that is
 * loaded again.
 */
let shown: Partial<Record<PartName, readonly string[]>> = history.state ?? {};

function keepShown({ part, path }: Place, url: string): void {
  shown = { ...shown, [part]: path };
  history.replaceState(shown, "", url);
}

/** What a part has shown last, in this tab. */
export function lastPath(part: PartName): readonly string[] {
  return shown[part] ?? [];
}

/** What the address asks of a part, anew each time somebody goes there; undefined where it asks nothing. */
export function useAsked(part: PartName): Place | undefined {
  const place = useStore(asked);
  return place?.part === part ? place : undefined;
}

/** Where somebody has gone last by an address. */
export function useAskedPlace(): Place | undefined {
  return useStore(asked);
}

/** Puts into the address what a part shows now. Nobody goes anywhere by that. */
export function showPlace(part: PartName, ...path: readonly string[]): void {
  const place = { part, path };
  keepShown(place, writePlace(place));
}

/** A half-written `%` is what it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
