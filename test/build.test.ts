/** What is built is the same wherever it is built: the folder's name is nowhere in it, and no chance. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { copyOfSources } from "./sources.ts";

// A compiler, a bundler, and compressors that take all the time that there is.
setDefaultTimeout(1_200_000);

const ROOT = path.resolve(import.meta.dir, "..");

test("make build makes the same bytes in another folder", async () => {
  using folder = await copyOfSources();
  // Not the flags of a make that runs this.
  const commit = fs.readFileSync(path.join(ROOT, "build/commit"), "utf8").trim();
  const env = { ...process.env, MAKEFLAGS: "" };
  const { exitCode, stderr } = Bun.spawnSync(["make", "build", `COMMIT=${commit}`], {
    cwd: folder.path,
    env,
  });
  expect({ exitCode, said: exitCode === 0 ? "" : stderr.toString() }).toEqual({ exitCode: 0, said: "" });
  const files = await Array.fromAsync(new Bun.Glob("**").scan(path.join(ROOT, "dist")));
  const built = files.filter((name) => name === "fibserver" || name.startsWith("client/"));
  expect(built.length).toBeGreaterThan(5);
  for (const name of built) {
    const [here, there] = [ROOT, folder.path].map((root) => fs.readFileSync(path.join(root, "dist", name)));
    expect({ name, isSame: here!.equals(there!) }).toEqual({ name, isSame: true });
  }
});

test("no install script of a package is run: one of them would tell somebody that it was installed", () => {
  const { stdout } = Bun.spawnSync([process.execPath, "pm", "untrusted"], { cwd: ROOT });
  const refused = Array.from(stdout.toString().matchAll(/^\.\/node_modules\/(\S+) @/gm), ([, name]) => name!);
  expect(refused.toSorted()).toEqual(["@scarf/scarf", "msgpackr-extract"]);
});
