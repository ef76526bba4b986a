/** A copy of the tree, for tests that build it somewhere else. @module */
import fs from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./binary.ts";

const ROOT = path.resolve(import.meta.dir, "..");
/** What is made here, and what make has nothing to do with. */
const LEFT_OUT = new Set([".git", "build", "dist"]);

/** Copies sources and what was fetched for them into a new folder; nothing that was built. */
export async function copyOfSources(): Promise<ReturnType<typeof temporaryFolder>> {
  const folder = temporaryFolder();
  for (const name of fs.readdirSync(ROOT).filter((entry) => !LEFT_OUT.has(entry))) {
    // With its times: what was fetched is not fetched again.
    await Bun.$`cp -a ${path.join(ROOT, name)} ${folder.path}`;
  }
  return folder;
}
