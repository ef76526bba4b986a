/**
 * How many bytes the bodies of answers have.
 *
 * Nothing tells what a socket has taken of a whole body (32 KiB at most), so it counts when it is handed over. What
 * makes a stream counts each piece when the connection has taken it, so what a client that leaves did not get is not
 * counted, and its answer is marked here. The size of a whole body is asked for by a clone, which shares it, at 0.7 µs;
 * the hot routes, which know theirs, say it.
 * @module
 */

/** Counts what was sent: a cell of `http_response_bytes_total`, or nothing. */
export interface SentBytes {
  add(sizeBytes: number): void;
}

const streaming = new WeakSet<Response>();

/** An answer with a body that may be a stream, which counts its own bytes. */
export function answerWith(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  init: ResponseInit,
): Response {
  const response = new Response(body, init);
  if (body instanceof ReadableStream) streaming.add(response);
  return response;
}

/** The size of a body that is whole; 0 for a stream. */
export function wholeBytes(response: Response): number {
  if (streaming.has(response)) return 0;
  const blob = Bun.peek(response.clone().blob());
  return blob instanceof Blob ? blob.size : 0;
}
