/**
 * Which packages are within the program: those of which the bundler takes a module, and those that are built in otherwise.
 * @module
 */
import fs from "node:fs";
import path from "node:path";

const MODULES = path.resolve(import.meta.dir, "../../node_modules");

/**
 * Built in, and in no graph of modules: the page of /docs comes as a file, and the numbers' WebAssembly has parts of
 * AssemblyScript's library in it.
 */
const BUILT_IN = ["assemblyscript", "swagger-ui-dist"];

const IN_PACKAGE = /node_modules\/((?:@[^/]+\/)?[^/]+(?:\/node_modules\/(?:@[^/]+\/)?[^/]+)*)\//;

/** What a package says of itself. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** The folders of the packages within the program, such as `hono` or `a/node_modules/b`, in order. */
export async function packagesWithin(entryPoints: readonly string[]): Promise<string[]> {
  const { metafile } = await Bun.build({
    entrypoints: [...entryPoints],
    target: "bun",
    format: "esm",
    splitting: true,
    metafile: true,
  });
  const folders = Object.keys(metafile!.inputs).flatMap((file) => IN_PACKAGE.exec(file)?.[1] ?? []);
  return [...new Set([...folders, ...BUILT_IN])].toSorted();
}

/** Where a package is. @param folder - As {@link packagesWithin} names it. */
export function packageFolder(folder: string): string {
  return path.join(MODULES, folder);
}

/** Reads a package's manifest; undefined when it is not installed, as those for other systems are not. */
export function manifestOf(folder: string): Manifest | undefined {
  const file = path.join(packageFolder(folder), "package.json");
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Manifest) : undefined;
}
