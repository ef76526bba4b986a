/**
 * `/` for people: the page, embedded, for whoever asks for HTML. Whoever asks for anything else gets what the earlier
 * service answered there (earlier.ts).
 *
 * Everything in it is named relative to its own address, so it works under any prefix. Its files are loaded with the first
 * request for it.
 * @module
 */
import { type Context, Hono } from "hono";
import scriptBrotli from "../../build/page/app.js.br" with { type: "file" };
import scriptGzip from "../../build/page/app.js.gz" with { type: "file" };
import scriptZstd from "../../build/page/app.js.zst" with { type: "file" };
import stylesBrotli from "../../build/page/app.css.br" with { type: "file" };
import stylesGzip from "../../build/page/app.css.gz" with { type: "file" };
import stylesZstd from "../../build/page/app.css.zst" with { type: "file" };
import iconBrotli from "../../build/page/icon.svg.br" with { type: "file" };
import iconGzip from "../../build/page/icon.svg.gz" with { type: "file" };
import iconZstd from "../../build/page/icon.svg.zst" with { type: "file" };
import { FibError } from "../errors.ts";
import { openEmbedded, sendFile, textFile } from "./files.ts";

const FILES = [
  {
    name: "app.js",
    contentType: "text/javascript; charset=utf-8",
    brotli: scriptBrotli,
    gzip: scriptGzip,
    zstd: scriptZstd,
  },
  {
    name: "app.css",
    contentType: "text/css; charset=utf-8",
    brotli: stylesBrotli,
    gzip: stylesGzip,
    zstd: stylesZstd,
  },
  {
    name: "icon.svg",
    contentType: "image/svg+xml",
    brotli: iconBrotli,
    gzip: iconGzip,
    zstd: iconZstd,
  },
] as const;

/** Nothing from elsewhere, nothing inline, no text that becomes a script. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The files of the page; `/` itself is {@link sendPage}. */
export function pageRoutes() {
  return new Hono().get("/page/:file", async (c) => {
    const file = (await openPage()).files.get(c.req.param("file"));
    if (file !== undefined) return sendFile(c, file);
    throw new FibError("not_found", `Cannot find ${c.req.path}: / names its files`);
  });
}

/** Answers with the page. */
export async function sendPage(c: Context): Promise<Response> {
  return sendFile(c, (await openPage()).page);
}

/** What is embedded can always be read. */
let opened: ReturnType<typeof loadPage> | undefined;

function openPage(): ReturnType<typeof loadPage> {
  return (opened ??= loadPage());
}

async function loadPage() {
  const files = await openEmbedded(FILES);
  const [script, styles, icon] = [...files.keys()].map((name) => `page/${name}`);
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="A durable cursor through the Fibonacci sequence, and exact numbers of any length">
<title>fibserver</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="${styles}">
<script type="module" src="${script}"></script>
<div id="app"><header class="top"><span class="mark">fibserver</span></header>
<p class="late">This page has not come whole yet. If it stays so, load it again.</p></div>
<noscript>
<main>
<h1>fibserver</h1>
<p>A durable cursor through the Fibonacci sequence, and exact numbers of any length. This page needs JavaScript; what
it shows can be had without: the <a href="docs">reference of all routes</a> and <a href="openapi.json">the same as
OpenAPI</a>, <a href="v1/cursor">where the cursor stands</a>,
<a href="v1/fibonacci/1000?format=text"><i>F</i>(1000)</a>,
<a href="v1/sequence?count=100">the first hundred terms</a>, and <a href="v1/status">how the server is</a>.</p>
</main>
</noscript>
</html>
`;
  const headers = { "content-security-policy": POLICY, vary: "Accept, Accept-Encoding" };
  return { files, page: textFile("text/html; charset=utf-8", page, headers) };
}
