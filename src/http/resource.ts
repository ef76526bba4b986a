/**
 * A text that never changes, over HTTP: conditional, in ranges, whole or streamed.
 *
 * Its entity tag is known before any of it is computed, so 304 and 412 compute nothing. So is the size of a number and of
 * a sequence: HEAD and 416 compute nothing of those either. What is found out about a number has no length before it is
 * known: it is computed first, also for HEAD (one without a Content-Length would be allowed, but not the 0 that Bun writes
 * then), and from there on it is like any other.
 *
 * Up to {@link WHOLE_BYTES_MAX} a body goes out whole, with its Content-Length; beyond it is streamed, and Bun sends it in
 * chunks without one (HEAD has it).
 * @see RFC 9110, sections 13 and 14
 * @module
 */
import type { Context } from "hono";
import { FibError } from "../errors.ts";
import type { ByteRange } from "../numbers/sequence.ts";
import { type Asker, askerOf, isHead, patiently } from "./asker.ts";
import { GUARDED, refuseForeignWork } from "./browser.ts";
import { shortened } from "../shell-word.ts";
import { namesCurrent, parseRange, passesIfMatch } from "./conditions.ts";
import { problem } from "./problem.ts";
import { answerWith } from "./sent.ts";
import { sliced, type Source, type Streams, WHOLE_BYTES_MAX } from "./streams.ts";

/** A text whose length is known. */
export interface Content {
  readonly sizeBytes: number;
  /** Computes what the range needs. */
  readonly open: (range: ByteRange, asker: Asker) => Source | Promise<Source>;
  /** Headers that say where in the content a part begins. */
  readonly placeOf?: (startByte: number) => Readonly<Record<string, string>>;
}

/** A text that has to be computed before its length is known. */
interface Computed {
  /** It takes a thread, for as long as it likes: a page of somebody else must not begin that. */
  readonly isLong: boolean;
  readonly compute: (asker: Asker) => Promise<Content>;
}

/** What can be sent. */
export type Resource = (Content | Computed) & {
  /** Names the content: same name, same bytes, also after an update. Without quotes and commas. */
  readonly name: string;
  readonly contentType: string;
  /** For an address whose content may be gone tomorrow; without it a cache may keep it for ever. */
  readonly cacheControl?: string;
};

/** A text that is there. */
export function contentOf(text: string): Content {
  const bytes = Buffer.from(text);
  return { sizeBytes: bytes.length, open: (range) => sliced([bytes], range, () => {}) };
}

/**
 * Answers a GET or HEAD for a resource.
 *
 * @throws {@link FibError} `overloaded`, and whatever computing throws; `forbidden` for a page of somebody else that
 * asks for what is long, or takes long.
 */
export async function sendResource(c: Context, resource: Resource, streams: Streams): Promise<Response> {
  const etag = `"${resource.name}"`;
  const headers: Record<string, string> = {
    etag,
    "cache-control": resource.cacheControl ?? "public, max-age=31536000, immutable",
    vary: "Accept",
    "accept-ranges": "bytes",
    ...GUARDED,
  };
  if (!passesIfMatch(c.req.header("if-match"), etag)) {
    throw new FibError(
      "precondition_failed",
      `Cannot send this: its tag is ${etag}, which If-Match does not name`,
    );
  }
  if (namesCurrent(c.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  headers["content-type"] = resource.contentType;

  const asker = askerOf(c);
  const startMs = performance.now();
  const content = "compute" in resource ? await computed(c, resource, asker) : resource;
  const { sizeBytes } = content;
  // A range is for GET (RFC 9110, 14.2).
  if (isHead(c)) return new Response(null, { headers: { ...headers, "content-length": String(sizeBytes) } });

  const ifRange = c.req.header("if-range");
  const asked = ifRange === undefined || ifRange === etag ? c.req.header("range") : undefined;
  const range = asked === undefined ? undefined : parseRange(asked, sizeBytes);
  if (range === "unsatisfiable") {
    const error = new FibError(
      "range_not_satisfiable",
      `Cannot send '${shortened(asked!)}': ask for one range of the bytes 0 to ${sizeBytes - 1}`,
    );
    return problem(error, c, { "content-range": `bytes */${sizeBytes}` });
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  if (range) {
    headers["content-range"] = `bytes ${start}-${end - 1}/${sizeBytes}`;
    Object.assign(headers, content.placeOf?.(start));
  }
  const status = range ? 206 : 200;
  if (sizeBytes > WHOLE_BYTES_MAX) refuseForeign(c);
  const source = await patiently(c, () => content.open({ start, end }, asker));
  headers["server-timing"] = `compute;dur=${(performance.now() - startMs).toFixed(2)}`;
  if (end - start <= WHOLE_BYTES_MAX) {
    return new Response(await readAll(source, end - start), { status, headers });
  }
  return answerWith(streams.open(asker, source), { status, headers });
}

async function computed(c: Context, { isLong, compute }: Computed, asker: Asker): Promise<Content> {
  if (isLong) refuseForeign(c);
  return await patiently(c, () => compute(asker));
}

function refuseForeign(c: Context): void {
  const refusal = refuseForeignWork(c);
  if (refusal) throw refusal;
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
