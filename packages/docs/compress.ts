/**
 * Compresses a file of the page of `/docs`, for the build: `FILE.br` and `FILE.gz`, the same bytes each time.
 * @module
 */
import fs from "node:fs";
import zlib from "node:zlib";

const [file] = process.argv.slice(2);
const bytes = fs.readFileSync(file!);
fs.writeFileSync(`${file}.br`, zlib.brotliCompressSync(bytes));
fs.writeFileSync(`${file}.gz`, zlib.gzipSync(bytes, { level: 9 }));
