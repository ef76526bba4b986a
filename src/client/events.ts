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
  /** "message", unless it says otherwise. */
  readonly type: string;
  readonly data: string;
}

/** An event whose data was parsed. */
interface ParsedEvent extends Omit<ServerEvent, "data"> {
  readonly data: unknown;
}

/** A thousand times what the server says of a task. */
const EVENT_CHARS_MAX = 1024 * 1024;
const CR = 0x0d;
const LF = 0x0a;
/** A connection on which a server is heard after so long is a sound one: its heartbeats are 10 or 15 s apart. */
const SOUND_MS = 5000;

/**
 * Each event of some types, with its data parsed. Goes on until its reader has seen enough, or cannot go on. What is news only its
 * reader knows, who has to tell `attempts` of such progress: a server, or a proxy, can say the same for ever, and
 * end each time.
 *
 * @param types - Those that are read; others are a newer server's.
 * @throws {@link FibClientError}; the signal's reason.
 */
export async function* followEvents(
  transport: Transport,
  path: string,
  types: readonly string[],
  attempts: Attempts,
): AsyncGenerator<ParsedEvent, void> {
  let lastId: string | undefined;
  for (;;) {
    const headers = {
      accept: "text/event-stream",
      ...(lastId && { "last-event-id": lastId }),
    };
    try {
      const exchange = await transport.open({ path, headers }, attempts);
      if (!/^text\/event-stream\b/i.test(exchange.headers.get("content-type") ?? "")) {
        exchange.close();
        throw new FibClientError("bad_answer", `The answer to ${path} is no stream of events`);
      }
      const life = new Life(attempts);
      for await (const { id, type, data } of parseEvents(readPieces(exchange, life), () => life.beat())) {
        lastId = id ?? lastId;
        life.beat();
        if (!types.includes(type)) continue;
        const startMs = performance.now();
        yield { id, type, data: parseData(data) };
        life.skip(performance.now() - startMs);
      }
      throw new FibClientError("unreachable", `The events at ${path} have ended too early`);
    } catch (error) {
      await attempts.wait(error);
    }
  }
}

/** What a connection is held for: bytes that mean nothing are no sign that the server is still there. */
class Life {
  #heardMs = performance.now();
  #openedMs = this.#heardMs;
  readonly #attempts: Attempts;

  constructor(attempts: Attempts) {
    this.#attempts = attempts;
  }

  /** There was an event, or a heartbeat. */
  beat(): void {
    this.#heardMs = performance.now();
    if (this.#heardMs - this.#openedMs >= SOUND_MS) this.#attempts.progress();
  }

  /** So long its reader was busy, which makes no connection a silent one, nor a sound one. */
  skip(durationMs: number): void {
    this.#heardMs += durationMs;
    this.#openedMs += durationMs;
  }

  /** @throws {@link FibClientError} `unreachable`, when it is silent for too long: another connection may do better. */
  check(): void {
    const { timeoutMs } = this.#attempts.limits;
    if (performance.now() - this.#heardMs <= timeoutMs) return;
    throw new FibClientError("unreachable", `The server sent no event in ${timeoutMs / 1000} seconds`);
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
  let type = "";
  let data: string[] = [];
  let charCount = 0;
  for await (const line of splitLines(withLineFeeds(pieces), "utf-8", EVENT_CHARS_MAX)) {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === "data") data.push(value);
    else if (field === "event") type = value;
    // One that no header can hold is dropped; of NUL the specification says so.
    else if (field === "id" && /^[ -~]{0,200}$/.test(value)) id = value;
    if (line.startsWith(":")) onHeartbeat();
    charCount += field === "data" ? line.length + 1 : 0;
    if (charCount > EVENT_CHARS_MAX)
      throw new FibClientError("bad_answer", "The server sent an event without end");
    if (line !== "") continue;
    if (data.length > 0) yield { id, type: type || "message", data: data.join("\n") };
    type = "";
    data = [];
    charCount = 0;
  }
}

/** Lines may end with CR LF, and with CR alone. */
async function* withLineFeeds(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let before = LF;
  for await (const piece of pieces) {
    const kept = piece.filter((byte) => {
      const isSecond = before === CR && byte === LF;
      before = byte;
      return !isSecond;
    });
    yield kept.map((byte) => (byte === CR ? LF : byte));
  }
}

async function* readPieces(exchange: Exchange, life: Life): AsyncGenerator<Uint8Array, void> {
  try {
    for (let bytes = await exchange.readOn(); bytes !== undefined; bytes = await exchange.readOn()) {
      yield bytes;
      life.check();
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
