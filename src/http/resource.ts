/**
 * A text that never changes, over HTTP: conditional, in ranges, whole or streamed.
 *
 * Its size and its entity tag are known before any of it is computed, so HEAD, 304 and 416
 * compute nothing. Up to {@link WHOLE_BYTES_MAX} a body goes out whole, with its
 * Content-Length; beyond it is streamed, and Bun sends it in chunks without one (HEAD has it).
 * @see RFC 9110, sections 13 and 14
 * @module
 */
import type { Context } from "hono";
import { FibError } from "../errors.ts";
import type { ByteRange } from "../numbers/sequence.ts";
import { problem } from "./problem.ts";
import type { PortEnvironment } from "./server.ts";
import type { Source, Streams } from "./streams.ts";

/** Bodies up to this size are one buffer: more would let a hundred slow readers hold much memory. */
const WHOLE_BYTES_MAX = 256 * 1024;

/** What can be sent. */
export interface Resource {
  /** Names the content: same name, same bytes, also after an update. Without quotes. */
  readonly name: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** For an address whose content may be gone tomorrow; without it a cache may keep it for ever. */
  readonly cacheControl?: string;
  /** Computes what the range needs. */
  readonly open: (range: ByteRange, signal: AbortSignal) => Source | Promise<Source>;
}

/**
 * Answers a GET or HEAD for a resource.
 *
 * @throws {@link FibError} `overloaded`, and whatever computing throws.
 */
export async function sendResource(c: Context, resource: Resource, streams: Streams): Promise<Response> {
  const { sizeBytes, contentType } = resource;
  const etag = `"${resource.name}"`;
  const headers: Record<string, string> = {
    etag,
    "cache-control": resource.cacheControl ?? "public, max-age=31536000, immutable",
    vary: "Accept",
    "accept-ranges": "bytes",
  };
  if (matches(c.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  headers["content-type"] = contentType;

  const isHead = c.req.raw.method === "HEAD";
  const ifRange = c.req.header("if-range");
  // Of a HEAD a range is ignored (RFC 9110, 14.2).
  const asked = !isHead && (ifRange === undefined || ifRange === etag) ? c.req.header("range") : undefined;
  const range = asked === undefined ? undefined : parseRange(asked, sizeBytes);
  if (range === "unsatisfiable") {
    const error = new FibError(
      "range_not_satisfiable",
      `Cannot send '${asked!.slice(0, 60)}': ask for one range of the bytes 0 to ${sizeBytes - 1}`,
    );
    return problem(error, c.req.path, { "content-range": `bytes */${sizeBytes}` });
  }
  if (isHead) return new Response(null, { headers: { ...headers, "content-length": String(sizeBytes) } });
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  if (range) headers["content-range"] = `bytes ${start}-${end - 1}/${sizeBytes}`;
  const status = range ? 206 : 200;

  const startMs = performance.now();
  const source = await patiently(c, () => resource.open({ start, end }, c.req.raw.signal));
  headers["server-timing"] = `compute;dur=${(performance.now() - startMs).toFixed(2)}`;
  if (end - start <= WHOLE_BYTES_MAX) {
    return new Response(await readAll(source, end - start), { status, headers });
  }
  return new Response(streams.open(c.req.raw, source), { status, headers });
}

/**
 * The one range that a Range header asks for.
 *
 * @returns The bytes; undefined to send everything, for a unit that is not bytes; or "unsatisfiable", also for
 * several ranges and for what is no range, which RFC 9110 (14.2) lets a server refuse.
 */
function parseRange(header: string, sizeBytes: number): ByteRange | "unsatisfiable" | undefined {
  if (!/^\s*bytes\s*=/i.test(header)) return undefined;
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  if (match === null || (match[1] === "" && match[2] === "")) return "unsatisfiable";
  if (match[1] === "") {
    const start = Math.max(0, sizeBytes - Number(match[2]));
    return start < sizeBytes ? { start, end: sizeBytes } : "unsatisfiable";
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? sizeBytes : Math.min(Number(match[2]) + 1, sizeBytes);
  return start < end ? { start, end } : "unsatisfiable";
}

/** Waits for something that may take longer than a connection may be idle: Bun would end it. */
export async function patiently<Result>(
  c: Context,
  compute: () => Result | Promise<Result>,
): Promise<Result> {
  const result = compute();
  if (!(result instanceof Promise)) return result;
  const environment = c.env as Partial<PortEnvironment> | undefined;
  const end = environment?.keepOpen?.(c.req.raw);
  try {
    return await result;
  } finally {
    end?.();
  }
}

// Weak comparison (RFC 9110, 13.1.2): a cache may have weakened our tag.
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}

async function readAll(source: Source, sizeBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = new Uint8Array(sizeBytes);
  let length = 0;
  try {
    for (;;) {
      const next = source.next();
      const view = next instanceof Promise ? await next : next;
      if (view === undefined) return body;
      body.set(view, length);
      length += view.length;
    }
  } finally {
    source.close();
  }
}
