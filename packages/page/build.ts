/**
 * Builds the page for browsers, from `src/web/`, into the folder that is named: `app.js`, `app.css`, `icon.svg`, each also
 * as `.br`, `.zst` and `.gz`, the same bytes each time.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";
import { minify } from "terser";

/**
 * What of Hono's JSX a page does not need, by module of its package: 1.8 KB of the compressed program.
 * - In the place of title, script, style, link, meta, form, input and button it has components, which hoist the ones and give
 *   the others React's actions: here they are elements.
 * - Names and values of attributes and styles are checked before they become HTML: here they become properties of elements,
 *   and the page names attributes as HTML does, and no style but custom properties.
 */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "dom/intrinsic-element/components.js": "export const components_exports = {};",
  "utils.js": `export const normalizeIntrinsicElementKey = (name) => name;
    export const isValidAttributeName = () => true;
    export const isValidTagName = () => true;
    export const styleObjectForEach = (style, set) => Object.entries(style).forEach(([name, value]) => set(name, value));`,
};

const [out] = process.argv.slice(2);
const web = path.resolve(import.meta.dir, "../../src/web");
const built = await Bun.build({
  entrypoints: [path.join(web, "main.tsx"), path.join(web, "style.css")],
  outdir: out!,
  target: "browser",
  minify: true,
  naming: "app.[ext]",
  define: { "process.env.NODE_ENV": `"production"` },
  plugins: [forBrowsersAlone()],
});
if (!built.success) throw new AggregateError(built.logs, "Cannot build the page");
// Of what Bun has made small already, 1.7 of 36 KB as it is sent.
const script = path.join(out!, "app.js");
const { code } = await minify(fs.readFileSync(script, "utf8"), {
  module: true,
  ecma: 2020,
  compress: { passes: 3 },
});
fs.writeFileSync(script, code!);
fs.copyFileSync(path.join(web, "icon.svg"), path.join(out!, "icon.svg"));
for (const name of ["app.js", "app.css", "icon.svg"]) {
  const file = path.join(out!, name);
  const bytes = fs.readFileSync(file);
  fs.writeFileSync(`${file}.br`, zlib.brotliCompressSync(bytes));
  fs.writeFileSync(`${file}.zst`, Bun.zstdCompressSync(bytes, { level: 19 }));
  fs.writeFileSync(`${file}.gz`, zlib.gzipSync(bytes, { level: 9 }));
}

function forBrowsersAlone(): Bun.BunPlugin {
  return {
    name: "for browsers alone",
    setup: (build) => {
      for (const [file, contents] of Object.entries(LEFT_OUT))
        build.onLoad({ filter: new RegExp(`/hono/dist/jsx/${file.replaceAll(".", "\\.")}$`) }, () => ({
          contents,
        }));
    },
  };
}
