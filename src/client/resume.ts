/**
 * Texts that never change, read as bytes; after a cut, from the next byte on (RFC 9110, 14).
 *
 * The first request asks for a range too, the one from 0: only then does the server say how
 * long a streamed text is, and without its length a cut could pass for the end.
 * @module
 */
import { FibClientError } from "./error.ts";
import type { Exchange } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import type { Attempts } from "./retry.ts";
import type { Transport } from "./transport.ts";

/** A text that is being read. */
export interface Bytes {
  /** undefined if the server does not say; such a text cannot be resumed. */
  readonly sizeBytes: number | undefined;
  /** Each piece is asked for when it is wanted. To be iterated to its end, or returned. */
  readonly pieces: AsyncGenerator<Uint8Array, void>;
  /** Ends it at once, also while a piece is waited for. */
  readonly close: () => void;
}

interface Part {
  readonly exchange: Exchange;
  readonly start: number;
  readonly sizeBytes: number | undefined;
  readonly etag: string | null;
}

/**
 * Begins to read a text.
 *
 * @throws {@link FibClientError} when it is refused; the signal's reason.
 */
export async function openBytes(transport: Transport, path: string, limits: Limits): Promise<Bytes> {
  const { signal } = limits;
  signal?.throwIfAborted();
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const end = () => signal?.removeEventListener("abort", onAbort);
  const attempts = transport.attempts({ ...limits, signal: abort.signal });
  try {
    const first = await attempts.until(() => openFirst(transport, path, attempts));
    return {
      sizeBytes: first.sizeBytes,
      pieces: readPieces(transport, path, first, attempts, end),
      close: () => {
        end();
        abort.abort(new DOMException("The rest is not wanted", "AbortError"));
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

/**
 * A text as a stream of the web, of which one piece is asked for at a time.
 *
 * @param source - Open already, or what opens it when the first piece is wanted.
 */
export function streamOf(source: Bytes | (() => Promise<Bytes>)): ReadableStream<Uint8Array> {
  const open = typeof source === "function" ? source : () => Promise.resolve(source);
  let opened = typeof source === "function" ? undefined : open();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        opened ??= open();
        const { done, value } = await (await opened).pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        opened?.then(({ close }) => close()).catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

async function* readPieces(
  transport: Transport,
  path: string,
  first: Part,
  attempts: Attempts,
  onEnd: () => void,
): AsyncGenerator<Uint8Array, void> {
  const { sizeBytes, etag } = first;
  let part: Part | undefined = first;
  let position = 0;
  try {
    while (position !== sizeBytes) {
      attempts.limits.signal?.throwIfAborted();
      let piece: Uint8Array | undefined;
      try {
        part ??= await openRest(transport, path, position, first, attempts);
        piece = await readPiece(part, position);
      } catch (error) {
        part?.exchange.close();
        part = undefined;
        // Without a length and a tag, what comes next may be of another text.
        if (sizeBytes === undefined || etag === null) throw error;
        await attempts.wait(error);
        continue;
      }
      if (piece === undefined) return;
      if (piece.length > 0) attempts.progress();
      position += piece.length;
      yield piece;
    }
  } finally {
    part?.exchange.close();
    onEnd();
  }
}

/** The next piece; undefined at the end of a text whose length is not known. */
async function readPiece({ exchange, sizeBytes }: Part, position: number): Promise<Uint8Array | undefined> {
  const piece = await exchange.readOn();
  if (sizeBytes === undefined) return piece;
  if (piece === undefined) {
    throw new FibClientError("unreachable", `The text was cut at byte ${position} of ${sizeBytes}`);
  }
  if (position + piece.length > sizeBytes) {
    throw new FibClientError("bad_answer", `The text goes on after its ${sizeBytes} bytes`);
  }
  return piece;
}

async function openFirst(transport: Transport, path: string, attempts: Attempts): Promise<Part> {
  const part = await openPart(transport, path, 0, attempts);
  if (part.start === 0) return part;
  part.exchange.close();
  throw new FibClientError("bad_answer", `The answer to ${path} begins at byte ${part.start}`);
}

async function openRest(
  transport: Transport,
  path: string,
  position: number,
  first: Part,
  attempts: Attempts,
): Promise<Part> {
  const part = await openPart(transport, path, position, attempts, first.etag ?? undefined);
  if (part.start === position && part.sizeBytes === first.sizeBytes && part.etag === first.etag) return part;
  part.exchange.close();
  throw new FibClientError("changed", `The text at ${path} has changed since its first ${position} bytes`);
}

async function openPart(
  transport: Transport,
  path: string,
  position: number,
  attempts: Attempts,
  etag?: string,
): Promise<Part> {
  const headers = {
    range: `bytes=${position}-`,
    // A range of what was compressed on the way would be another one.
    "accept-encoding": "identity",
    ...(etag !== undefined && { "if-range": etag }),
  };
  const exchange = await transport.open({ path, headers }, attempts, 416);
  const { status } = exchange;
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(exchange.headers.get("content-range") ?? "");
  const tag = exchange.headers.get("etag");
  if (status === 206 && range?.[1] !== undefined) {
    return { exchange, start: Number(range[1]), sizeBytes: Number(range[2]), etag: tag };
  }
  // An empty text has no byte 0.
  if (status === 416 && range?.[2] === "0") return { exchange, start: 0, sizeBytes: 0, etag: tag };
  if (status === 200) {
    const length = exchange.headers.get("content-length") ?? "";
    return { exchange, start: 0, sizeBytes: /^\d+$/.test(length) ? Number(length) : undefined, etag: tag };
  }
  exchange.close();
  throw new FibClientError("bad_answer", `The answer to a request for a range is ${status}`, { status });
}
