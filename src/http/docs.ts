/**
 * `/openapi.json`, and `/docs`, the same for people: Swagger UI, embedded, without a request to anybody else.
 *
 * Of five such pages, offline and under a strict Content-Security-Policy, it is the only one that works: RapiDoc and
 * Scalar violate it 39 and 8 times, Redoc and Elements render nothing. It is loaded with the first request for it.
 * @module
 */
import { Hono } from "hono";
import bundleBrotli from "../../build/docs/swagger-ui-bundle.js.br" with { type: "file" };
import bundleGzip from "../../build/docs/swagger-ui-bundle.js.gz" with { type: "file" };
import stylesBrotli from "../../build/docs/swagger-ui.css.br" with { type: "file" };
import stylesGzip from "../../build/docs/swagger-ui.css.gz" with { type: "file" };
import startBrotli from "../../build/docs/start.js.br" with { type: "file" };
import startGzip from "../../build/docs/start.js.gz" with { type: "file" };
import licencesBrotli from "../../build/docs/licences.txt.br" with { type: "file" };
import licencesGzip from "../../build/docs/licences.txt.gz" with { type: "file" };
import { FibError } from "../errors.ts";
import { openEmbedded, sendFile, textFile } from "./files.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const FILES = [
  { name: "swagger-ui.js", contentType: SCRIPT, brotli: bundleBrotli, gzip: bundleGzip },
  { name: "start.js", contentType: SCRIPT, brotli: startBrotli, gzip: startGzip },
  {
    name: "swagger-ui.css",
    contentType: "text/css; charset=utf-8",
    brotli: stylesBrotli,
    gzip: stylesGzip,
  },
  {
    name: "licences.txt",
    contentType: "text/plain; charset=utf-8",
    brotli: licencesBrotli,
    gzip: licencesGzip,
  },
] as const;

/** Swagger UI has its pictures in its style sheet. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The routes. */
export function docsRoutes() {
  let description: ReturnType<typeof loadDescription> | undefined;
  let docs: ReturnType<typeof loadDocs> | undefined;
  return new Hono()
    .get("/openapi.json", async (c) => sendFile(c, await (description ??= loadDescription())))
    .get("/docs", async (c) => sendFile(c, (await (docs ??= loadDocs())).page))
    .get("/docs/:file", async (c) => {
      const file = (await (docs ??= loadDocs())).files.get(c.req.param("file"));
      if (file !== undefined) return sendFile(c, file);
      throw new FibError("not_found", `Cannot find ${c.req.path}: /docs names its files`);
    });
}

async function loadDescription() {
  const { DOCUMENT } = await import("./openapi.ts");
  return textFile("application/json", JSON.stringify(DOCUMENT));
}

async function loadDocs() {
  const files = await openEmbedded(FILES);
  const [bundle, start, styles, licences] = [...files.keys()].map((name) => `docs/${name}`);
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>fibserver</title>
<link rel="icon" href="data:,">
<link rel="license" href="${licences}">
<link rel="stylesheet" href="${styles}">
<div id="description"></div>
<script src="${bundle}"></script>
<script src="${start}"></script>
</html>
`;
  const headers = { "content-security-policy": POLICY };
  return { files, page: textFile("text/html; charset=utf-8", page, headers) };
}
