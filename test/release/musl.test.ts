/**
 * The program for musl, with musl 1.2.3 as Debian packages it.
 *
 * Alpine's libstdc++ is not to be had from Debian. In its place stands Debian's own, made for glibc, with what glibc has
 * and musl lacks from musl-for-glibc.c: loader, C library, threads and FFI are musl's, and C++'s library is not the one
 * that a user has. The program for musl on arm64 was not run: its loader is in Debian's arm64 packages alone.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { requireTool, requires, temporaryFolder } from "../binary.ts";
import { bareRoot, withBareRoot } from "../bare-root.ts";
import { withOpenssl } from "../certificates.ts";
import { neededBy } from "./elf.ts";
import { testProgram, testTls } from "./foreign.ts";

setDefaultTimeout(300_000);

const DIST = path.resolve(import.meta.dir, "../../dist");
const BINARY = path.join(DIST, "fibserver-linux-x64-musl");
const LOADER = "/lib/ld-musl-x86_64.so.1";
const DEBIAN = "/usr/lib/x86_64-linux-gnu";

const withMusl =
  process.arch === "x64"
    ? requireTool(["musl-gcc", "--version"], "apt-get install musl-tools")
    : requires(false, "this machine is no x64");

const libraries = temporaryFolder();
process.once("exit", () => libraries[Symbol.dispose]());

const inside = (name: string) => path.join(libraries.path, name);

/** Puts together what the program is loaded with. */
function makeLibraries(): void {
  for (const name of ["libstdc++.so.6", "libgcc_s.so.1"])
    fs.copyFileSync(path.join(DEBIAN, name), inside(name));
  // Debian's libstdc++ asks for glibc's loader, by whose name these come in.
  const line = "musl-gcc -shared -fPIC -O1 -Wall -Werror -o";
  const files = [inside("ld-linux-x86-64.so.2"), path.join(import.meta.dir, "musl-for-glibc.c")];
  const made = Bun.spawnSync([...line.split(" "), ...files]);
  if (made.exitCode !== 0) throw new Error(`musl-gcc: ${made.stderr.toString()}`);
}

const start = { binary: BINARY, env: { LD_LIBRARY_PATH: libraries.path } };
if (Bun.which("musl-gcc") !== null && process.arch === "x64") makeLibraries();

withMusl("the programs for musl ask for musl's loader and libstdc++, and for nothing else", async () => {
  expect(neededBy(BINARY)).toEqual({
    loader: LOADER,
    libraries: ["libc.musl-x86_64.so.1", "libstdc++.so.6"],
  });
  expect(neededBy(path.join(DIST, "fibserver-linux-arm64-musl"))).toEqual({
    loader: "/lib/ld-musl-aarch64.so.1",
    libraries: ["libc.musl-aarch64.so.1", "libstdc++.so.6"],
  });
});

testProgram(withMusl, "musl", start);
testTls(Bun.which("musl-gcc") === null ? withMusl : withOpenssl, "musl", start);

withBareRoot("in a root with musl's loader and these libraries the program needs nothing more", async () => {
  using root = bareRoot();
  root.add(BINARY, "/usr/bin/fibserver");
  root.add(fs.realpathSync(LOADER), LOADER);
  for (const name of fs.readdirSync(libraries.path))
    root.add(path.join(libraries.path, name), `/usr/lib/${name}`);
  const move = ["/usr/bin/fibserver", "n", "-f", "/tmp/cursor"];
  for (const stdout of ["1\n", "1\n", "2\n"])
    expect(await root.run(move)).toEqual({ stdout, stderr: "", exitCode: 0 });
});
