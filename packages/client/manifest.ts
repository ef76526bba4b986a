/**
 * Prints the package.json of `@fibserver/client`, which `make build` puts beside the module: what it has in common with
 * the server, its version above all, is written in the server's.
 * @module
 */
import root from "../../package.json" with { type: "json" };

const manifest = {
  name: "@fibserver/client",
  version: root.version,
  description: "Fibonacci numbers of any length, durable cursors and tasks, from a fibserver",
  keywords: ["fibonacci", "fibserver", "bigint"],
  license: root.license,
  type: "module",
  sideEffects: false,
  exports: { ".": { types: "./client.d.ts", default: "./client.js" } },
  engines: { node: ">=20" },
  // Packages with a scope are private unless they say so.
  publishConfig: { access: "public" },
};

process.stdout.write(`${JSON.stringify(manifest, undefined, 2)}\n`);
