/**
 * The server's own routes, as types: a path that the server does not have does not compile here.
 *
 * They come from the app by Hono's RPC types. Of `hc`, its client, only the types are used: at
 * runtime it would bring its own request code for what is one line here, and it puts parameters into paths
 * unencoded. Most answers are written as text by the server for speed, so what they hold is typed by hand
 * (in the modules that read them) where the app's type says nothing.
 * @module
 */
import type { ExtractSchema } from "hono/types";
import type { createApp } from "../http/app.ts";
import { shown } from "./limits.ts";

type Schema = ExtractSchema<ReturnType<typeof createApp>>;

/** The paths under `/v1`, with their parameters as the server names them. */
type Path = keyof Schema & `/v1/${string}`;

type ParameterOf<P extends string> = P extends `${string}/:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Next}`
    ? Name | ParameterOf<`/${Next}`>
    : Rest
  : never;

/** What the app's type says about the JSON of an answer. */
export type Output<P extends Path, Method extends keyof Schema[P]> = Schema[P][Method] extends {
  output: infer Body;
}
  ? Body
  : never;

/** Fills in a path. @throws TypeError for what would be another path. */
export function pathTo<P extends Path>(
  pattern: P,
  parameters: Readonly<Record<ParameterOf<P>, string>>,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const filled = pattern.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = (parameters as Readonly<Record<string, string>>)[name]!;
    // URLs resolve dots, and have no half of a surrogate pair.
    if (typeof value !== "string" || /^\.{0,2}$|\p{Cs}/u.test(value))
      throw new TypeError(`Cannot use ${shown(value)} for ${name}`);
    return encodeURIComponent(value);
  });
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(given).toString()}`;
}
