/**
 * Server-sent events, followed through cuts: the next connection says which event was the last.
 *
 * Not by EventSource: Node has none, and it can neither be told to give up nor say why a server refuses.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @module
 */
import { FibClientError } from "./error.ts";
import type { Exchange } from "./exchange.ts";
import type { Attempts } from "./retry.ts";
import { splitLines } from "./terms.ts";
import type { Transport } from "./transport.ts";

interface ServerEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/** A thousand times what the server says of a task. */
const EVENT_CHARS_MAX = 1024 * 1024;
/** A connection on which a server is heard after so long is a sound one: its heartbeats are 10 s apart. */
const SOUND_MS = 5000;

/**
 * The data of each event, parsed. Goes on until its reader has seen enough, or cannot go on. What is news only its
 * reader knows, who has to tell `attempts` of such progress: a server, or a proxy, can say the same for ever, and
 * end each time.
 *
 * @throws {@link FibClientError}; the signal's reason.
 */
export async function* followEvents(
  transport: Transport,
  path: string,
  attempts: Attempts,
): AsyncGenerator<unknown, void> {
  let lastId: string | undefined;
  for (;;) {
    const headers = {
      accept: "text/event-stream",
      ...(lastId !== undefined && { "last-event-id": lastId }),
    };
    try {
      const exchange = await transport.open({ path, headers }, attempts);
      if (!/^text\/event-stream\b/i.test(exchange.headers.get("content-type") ?? "")) {
        exchange.close();
        throw new FibClientError("bad_answer", `The answer to ${path} is no stream of events`);
      }
      const openedMs = performance.now();
      const onHeartbeat = () => {
        if (performance.now() - openedMs >= SOUND_MS) attempts.progress();
      };
      for await (const { id, data } of parseEvents(readPieces(exchange), onHeartbeat)) {
        lastId = id ?? lastId;
        yield parseData(data);
      }
      throw new FibClientError("unreachable", `The events at ${path} have ended too early`);
    } catch (error) {
      await attempts.wait(error);
    }
  }
}

/**
 * Events from bytes, wherever these were cut; one that is not whole is dropped.
 *
 * @param onHeartbeat - Told of each comment, by which a server shows that it is still there.
 * @throws {@link FibClientError} `bad_answer` for an event without end.
 */
export async function* parseEvents(
  pieces: AsyncIterable<Uint8Array>,
  onHeartbeat: () => void = () => {},
): AsyncGenerator<ServerEvent, void> {
  let id: string | undefined;
  let data: string[] = [];
  let charCount = 0;
  for await (const text of splitLines(pieces, "utf-8", EVENT_CHARS_MAX)) {
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === "data") data.push(value);
    else if (field === "id") id = value;
    if (line.startsWith(":")) onHeartbeat();
    charCount += field === "data" ? line.length + 1 : 0;
    if (charCount > EVENT_CHARS_MAX)
      throw new FibClientError("bad_answer", "The server sent an event without end");
    if (line !== "") continue;
    if (data.length > 0) yield { id, data: data.join("\n") };
    data = [];
    charCount = 0;
  }
}

async function* readPieces(exchange: Exchange): AsyncGenerator<Uint8Array, void> {
  try {
    for (let bytes = await exchange.readOn(); bytes !== undefined; bytes = await exchange.readOn()) {
      yield bytes;
    }
  } finally {
    exchange.close();
  }
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new FibClientError("bad_answer", `The server sent an event that is not JSON`, { cause });
  }
}
