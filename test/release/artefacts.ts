/**
 * What `make release` has made, by name.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { version } from "../../package.json";

const ROOT = path.resolve(import.meta.dir, "../..");

/** The version that it is. */
export const VERSION = version;

/** The folder with all of it. */
export const RELEASE = path.join(ROOT, "dist/release");

/** One of its files. @throws {@link Error} when it has not been made. */
export function artefact(name: string): string {
  const file = path.join(RELEASE, name);
  if (!fs.existsSync(file)) throw new Error(`There is no ${file}: make release`);
  return file;
}

/** The platforms for which there is a program. */
export const PLATFORMS = ["linux-x64", "linux-arm64", "linux-x64-musl", "linux-arm64-musl"] as const;

/** That of this machine, on which the tests run; Bun itself is its witness. */
export const PLATFORM = `linux-${process.arch}` as (typeof PLATFORMS)[number];
