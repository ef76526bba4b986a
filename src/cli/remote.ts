/**
 * A server that is asked by a shell command, through the client library.
 * @module
 */
import { FibClient, FibClientError } from "../client/client.ts";
import { CODES, type ErrorCode, FibError } from "../errors.ts";
import { goAnswer } from "../go-answer.ts";
import { LETTERS, printPosition } from "./moves.ts";
import { requireOutput } from "./output.ts";

/** Somebody waits at the shell: a server that is not there is reported within a second. */
const RETRIES_MAX = 3;

/** A client for a command. */
export function openClient(url: URL): FibClient {
  return new FibClient(url, { retriesMax: RETRIES_MAX });
}

/**
 * Does something that asks a server.
 *
 * @throws {@link FibError} for each error of the client: with the server's own code where we know it, else `unreachable`.
 */
export async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FibClientError)) throw error;
    const code = error.code === "task_cancelled" ? "task_failed" : error.code;
    const known = Object.hasOwn(CODES, code) ? (code as ErrorCode) : "unreachable";
    throw new FibError(known, error.detail, { cause: error });
  }
}

/** As `runMoves` does, on a server's cursor. */
export async function runRemoteMoves(
  url: URL,
  letters: readonly (keyof typeof LETTERS)[],
  json: boolean,
): Promise<void> {
  requireOutput();
  const { cursor } = openClient(url);
  for (const letter of letters) {
    const { index, value } = await asking(() => cursor[LETTERS[letter]]({ as: "text" }));
    printPosition(index, json ? goAnswer(value) : value, letter === "c" ? "stays at" : "has moved to");
  }
}
