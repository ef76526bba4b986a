/**
 * How the page writes errors.
 * @module
 */
import { FibClientError } from "@fibserver/client";
import { grouped } from "./numerals.ts";
import { token } from "./server.ts";

/** What an error means, in a line for whoever uses the page; the server's own words, which name flags, come with it. */
export function explained(error: unknown): { readonly title: string; readonly detail: string } {
  if (!(error instanceof FibClientError))
    return { title: "That cannot be used", detail: error instanceof Error ? error.message : String(error) };
  const { code, status, detail } = error;
  // A proxy's refusal says nothing of ours but its status.
  const byCode = code === "bad_answer" && (status ?? 0) >= 400 ? undefined : TITLES.get(code);
  // Nor has a foreign page's request anything to do with a token.
  if (status === 403 && token.get() === undefined) return { title: "The server does not allow that", detail };
  return {
    title: byCode ?? TITLES.get(String(status)) ?? "That did not work",
    detail: detail.replaceAll(LONG_NUMBER, grouped),
  };
}

/** A number in a sentence: no port, and no part of an id or a path. */
const LONG_NUMBER = /(?<=[ ('])\d{5,}\b/g;

/** By code, else by status. */
const TITLES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    unreachable: "The server does not answer",
    timeout: "The server does not answer",
    bad_answer: "What answers is no fibserver",
    changed: "The text has changed meanwhile",
    sequence_start: "This is the start of the sequence",
    sequence_end: "This is as far as this server goes",
    result_too_large: "That is larger than this server goes",
    too_many_tasks: "There are as many tasks as there may be",
    too_many_cursors: "There are as many cursors as there may be",
    cursor_unknown: "There is no such cursor",
    task_unknown: "There is no such task any more",
    "400": "That is no number this server can use",
    "401": "This server wants a token",
    "403": "This token does not allow that",
    "404": "There is nothing of that kind",
    "409": "That cannot be done now",
    "412": "Somebody else was faster",
    "422": "That is larger than this server goes",
    "429": "That is too much at once",
    "500": "The server has failed",
    "502": "The server does not answer",
    "503": "The server is busy",
    "504": "The server does not answer",
  }),
);

/** An error, where it came up. @param props.title - In the place of what it means. */
export function Notice({ error, ...given }: { readonly error: unknown; readonly title?: string }) {
  if (error === undefined) return null;
  const { title, detail } = { ...explained(error), ...given };
  return (
    <p class="notice" role="alert">
      <strong>{title}</strong> <span>{detail}</span>
    </p>
  );
}
