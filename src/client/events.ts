/**
 * Server-sent events, followed through cuts: the next connection says which event was the last.
 *
 * Not by EventSource: Node has none, and it can neither be told to give up nor say why a server refuses.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @module
 */
import { FibClientError } from "./error.ts";
import type { Exchange } from "./exchange.ts";
import { type CallOptions, Retries } from "./retry.ts";
import { splitLines } from "./terms.ts";
import type { Transport } from "./transport.ts";

interface ServerEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/**
 * The data of each event, parsed. Goes on until its reader has seen enough, or cannot go on.
 *
 * @throws {@link FibClientError}; the signal's reason.
 */
export async function* followEvents(
  transport: Transport,
  path: string,
  options: CallOptions,
): AsyncGenerator<unknown, void> {
  const limits = transport.limits(options);
  const retries = new Retries(limits);
  let lastId: string | undefined;
  let lastData: string | undefined;
  for (;;) {
    const headers = {
      accept: "text/event-stream",
      ...(lastId !== undefined && { "last-event-id": lastId }),
    };
    try {
      const exchange = await transport.open({ path, headers }, limits);
      if (!/^text\/event-stream\b/i.test(exchange.headers.get("content-type") ?? "")) {
        exchange.close();
        throw new FibClientError("bad_answer", `The answer to ${path} is no stream of events`);
      }
      for await (const { id, data } of parseEvents(readPieces(exchange), () => retries.reset())) {
        lastId = id ?? lastId;
        // What is said again and again is no news.
        if (data !== lastData) retries.reset();
        lastData = data;
        yield parseData(data);
      }
      throw new FibClientError("unreachable", `The events at ${path} have ended too early`);
    } catch (error) {
      await retries.wait(error);
    }
  }
}

/**
 * Events from bytes, wherever these were cut; one that is not whole is dropped.
 *
 * @param onHeartbeat - Told of each comment, by which a server shows that it is still there.
 */
export async function* parseEvents(
  pieces: AsyncIterable<Uint8Array>,
  onHeartbeat: () => void = () => {},
): AsyncGenerator<ServerEvent, void> {
  let id: string | undefined;
  let data: string[] = [];
  for await (const text of splitLines(pieces, "utf-8")) {
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === "data") data.push(value);
    else if (field === "id") id = value;
    if (line.startsWith(":")) onHeartbeat();
    if (line !== "") continue;
    if (data.length > 0) yield { id, data: data.join("\n") };
    data = [];
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
