/**
 * Texts that never change, read as bytes; after a cut, from the next byte on (RFC 9110, 14).
 *
 * The first request asks for a range too, the one from 0: only then does the server say how
 * long a streamed text is, and without its length a cut could pass for the end.
 * @module
 */
import { onAbort, unwanted } from "./abort.ts";
import { checkDigits, isDigits } from "./digits.ts";
import { FibClientError } from "./error.ts";
import type { Exchange } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import type { Attempts } from "./retry.ts";
import type { Transport } from "./transport.ts";

const NOTHING = new Uint8Array(0);

/** What is to be read. */
export interface Text {
  readonly path: string;
  /** A sequence, one term a line; else a number. */
  readonly hasLines: boolean;
  /** Where it is known before. */
  readonly sizeBytes?: number | undefined;
}

/** A text that is being read. */
export interface Bytes {
  /** undefined if the server does not say; such a text cannot be resumed. */
  readonly sizeBytes: number | undefined;
  /** Each piece is asked for when it is wanted, and holds digits only. To be iterated to its end, or returned. */
  readonly pieces: AsyncGenerator<Uint8Array, void>;
}

/** What opens a text, and ends by the limits that it is given. */
export type Open = (limits: Limits) => Promise<Bytes>;

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
export async function openBytes(transport: Transport, text: Text, limits: Limits): Promise<Bytes> {
  const attempts = transport.attempts(limits);
  const first = await attempts.until(() => openFirst(transport, text, attempts));
  return { sizeBytes: first.sizeBytes, pieces: readPieces(transport, text, first, attempts) };
}

/**
 * A text as a stream of the web, of which one piece is asked for at a time. Who cancels it ends all that was begun for it.
 *
 * @returns It, and what opens it before its first piece is wanted.
 */
export function streamOf(
  open: Open,
  limits: Limits,
): { readonly stream: ReadableStream<Uint8Array>; readonly begin: () => Promise<Bytes> } {
  const abort = new AbortController();
  let opened: Promise<Bytes> | undefined;
  let end: (() => void) | undefined;
  const begin = () => {
    if (opened !== undefined) return opened;
    end = onAbort(limits.signal, () => abort.abort(limits.signal!.reason));
    opened = open({ ...limits, signal: abort.signal });
    opened.catch(() => end?.());
    return opened;
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await (await begin()).pieces.next();
          if (!done) return controller.enqueue(value);
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        end?.();
      },
      cancel() {
        end?.();
        abort.abort(unwanted());
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, begin };
}

async function* readPieces(
  transport: Transport,
  text: Text,
  first: Part,
  attempts: Attempts,
): AsyncGenerator<Uint8Array, void> {
  const { sizeBytes, etag } = first;
  let part: Part | undefined = first;
  let position = 0;
  try {
    while (position !== sizeBytes) {
      attempts.limits.signal?.throwIfAborted();
      let piece: Uint8Array | undefined;
      try {
        part ??= await openRest(transport, text, position, first, attempts);
        piece = await readPiece(part, position);
        checkDigits(piece ?? NOTHING, text.hasLines);
      } catch (error) {
        part?.exchange.close();
        part = undefined;
        // Without a length and a tag, what comes next may be of another text.
        if (sizeBytes === undefined || etag === null) throw error;
        await attempts.wait(error);
        continue;
      }
      if (piece === undefined) break;
      if (piece.length > 0) attempts.progress();
      position += piece.length;
      yield piece;
    }
  } finally {
    part?.exchange.close();
  }
  if (position === 0 && !text.hasLines) throw new FibClientError("bad_answer", "The server sent no number");
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

async function openFirst(transport: Transport, text: Text, attempts: Attempts): Promise<Part> {
  const { path, sizeBytes } = text;
  const part = await openPart(transport, text, 0, attempts);
  if (part.start === 0 && part.sizeBytes === (sizeBytes ?? part.sizeBytes)) return part;
  part.exchange.close();
  const has =
    part.start === 0 ? `has ${part.sizeBytes} bytes, not ${sizeBytes}` : `begins at byte ${part.start}`;
  throw new FibClientError("bad_answer", `The answer to ${path} ${has}`);
}

async function openRest(
  transport: Transport,
  text: Text,
  position: number,
  first: Part,
  attempts: Attempts,
): Promise<Part> {
  const part = await openPart(transport, text, position, attempts, first.etag ?? undefined);
  if (part.start === position && part.sizeBytes === first.sizeBytes && part.etag === first.etag) return part;
  part.exchange.close();
  throw new FibClientError(
    "changed",
    `The text at ${text.path} has changed since its first ${position} bytes`,
  );
}

async function openPart(
  transport: Transport,
  { path, sizeBytes }: Text,
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
  // The lengths would be those of other bytes.
  const coding = exchange.headers.get("content-encoding") ?? "identity";
  if (coding !== "identity") {
    exchange.close();
    const words = `The answer to ${path} was compressed on its way (${coding}): a proxy must not do that`;
    throw new FibClientError("bad_answer", words, { status });
  }
  if (status === 206 && range?.[1] !== undefined) {
    return { exchange, start: Number(range[1]), sizeBytes: Number(range[2]), etag: tag };
  }
  // An empty text has no byte 0.
  if (status === 416 && range?.[2] === "0") return { exchange, start: 0, sizeBytes: 0, etag: tag };
  if (status === 200) {
    const length = exchange.headers.get("content-length") ?? "";
    return { exchange, start: 0, sizeBytes: isDigits(length) ? Number(length) : sizeBytes, etag: tag };
  }
  exchange.close();
  throw new FibClientError("bad_answer", `The answer to a request for a range is ${status}`, { status });
}
