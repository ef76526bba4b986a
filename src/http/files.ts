/**
 * Files that are part of the program: embedded by the build in what clients can unpack, asked for by names that have their
 * digest in them, and so kept by browsers for ever.
 *
 * zstd is there for the page and for what is made here: whoever takes it takes br as well, which is 6% smaller. Plain bytes
 * are unpacked when asked for.
 *
 * Each content is one `Blob`, which all its answers share: 400 readers who take none of 500 KB make the server 5 MB larger. Of
 * bytes Bun makes a copy for each answer (207 MB), and of a file's as well (106 to 211 MB).
 * @module
 */
import type { Context } from "hono";
import { GUARDED } from "./browser.ts";
import { namesCurrent } from "./conditions.ts";

/** What is sent, and in which codings it is there. */
export interface Sendable {
  readonly contentType: string;
  /** Names the content. */
  readonly digest: string;
  readonly content: (coding: Coding) => Blob | Promise<Blob>;
  readonly codings: readonly Coding[];
  readonly cacheControl: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Coding = "br" | "zstd" | "gzip" | "identity";

/** A file, by where the build has put it. */
export interface EmbeddedFile {
  readonly name: string;
  readonly contentType: string;
  readonly brotli: string;
  readonly zstd?: string;
  readonly gzip: string;
}

/** For an address whose content is another one in another version. */
const REVALIDATED = "public, no-cache";

/** Answers a GET or HEAD with the first coding that the client takes. */
export async function sendFile(c: Context, file: Sendable): Promise<Response> {
  const accepted = c.req.header("accept-encoding") ?? "";
  const coding = file.codings.find((name) => takes(accepted, name)) ?? "identity";
  const etag = `"${file.digest}-${coding}"`;
  const headers = {
    etag,
    "cache-control": file.cacheControl,
    vary: "Accept-Encoding",
    ...GUARDED,
    ...file.headers,
  };
  if (namesCurrent(c.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  const encoded = coding === "identity" ? {} : { "content-encoding": coding };
  return new Response(await file.content(coding), {
    headers: { ...headers, "content-type": file.contentType, ...encoded },
  });
}

/**
 * Makes files of the build ready to be sent.
 *
 * @returns By their names: `page.css` is `page.1f0c….css`.
 */
export async function openEmbedded(files: readonly EmbeddedFile[]): Promise<ReadonlyMap<string, Sendable>> {
  const named = files.map(async (file): Promise<[string, Sendable]> => {
    const digest = digestOf(await Bun.file(file.gzip).bytes());
    const dot = file.name.lastIndexOf(".");
    const sendable: Sendable = {
      contentType: file.contentType,
      digest,
      codings: file.zstd === undefined ? ["br", "gzip"] : ["br", "zstd", "gzip"],
      cacheControl: "public, max-age=31536000, immutable",
      content: keptByCoding(async (coding) => {
        const paths = { br: file.brotli, zstd: file.zstd!, gzip: file.gzip, identity: file.gzip };
        const packed = await Bun.file(paths[coding]).bytes();
        return new Blob([coding === "identity" ? Bun.gunzipSync(packed) : packed]);
      }),
    };
    return [`${file.name.slice(0, dot)}.${digest}${file.name.slice(dot)}`, sendable];
  });
  return new Map(await Promise.all(named));
}

/** A text that is made here. */
export function textFile(
  contentType: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Sendable {
  const plain = Buffer.from(text);
  return {
    contentType,
    digest: digestOf(plain),
    codings: ["br", "zstd", "gzip"],
    cacheControl: REVALIDATED,
    content: keptByCoding(async (coding) => new Blob([await PACK[coding](plain)])),
    headers,
  };
}

type Packed = Uint8Array<ArrayBuffer>;

const PACK: Readonly<Record<Coding, (plain: Packed) => Packed | Promise<Packed>>> = {
  br: async (plain) => (await import("node:zlib")).brotliCompressSync(plain),
  zstd: (plain) => Bun.zstdCompressSync(plain) as Packed,
  gzip: (plain) => Bun.gzipSync(plain),
  identity: (plain) => plain,
};

/** Reads each coding once, when it is asked for first. */
function keptByCoding(read: (coding: Coding) => Promise<Blob>): (coding: Coding) => Promise<Blob> {
  const kept: Partial<Record<Coding, Promise<Blob>>> = {};
  return (coding) => (kept[coding] ??= read(coding));
}

function digestOf(bytes: Uint8Array<ArrayBuffer>): string {
  return Bun.SHA256.hash(bytes, "hex").slice(0, 16);
}

/** Whether `Accept-Encoding` names a coding, and not with `q=0`. */
function takes(header: string, coding: Coding): boolean {
  return header.split(",").some((part) => {
    const [name, ...weights] = part.split(";").map((word) => word.trim().toLowerCase());
    return name === coding && !weights.some((weight) => /^q=0(\.0*)?$/.test(weight));
  });
}
