/**
 * The program for arm64, under qemu with Debian's arm64 libc: shell, server, numbers and tasks. `make test-arm64` runs
 * this alone.
 *
 * What qemu cannot show: how fast it is there, memory and CPU numbers of a small machine, the order of memory accesses
 * of a real CPU with several cores, and disks that lose power. System calls are those of this machine's kernel.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { requireTool } from "../binary.ts";
import { withOpenssl } from "../certificates.ts";
import { neededBy } from "./elf.ts";
import { testProgram, testTls } from "./foreign.ts";

// Under qemu on a busy machine the numbers alone have taken more than two minutes.
setDefaultTimeout(1_800_000);

const BINARY = path.resolve(import.meta.dir, "../../dist/fibserver-linux-arm64");
const LIBC = "/usr/aarch64-linux-gnu";
const start = { binary: BINARY, under: ["qemu-aarch64-static", "-L", LIBC] };

const qemu = requireTool(
  ["sh", "-c", `qemu-aarch64-static -L ${LIBC} ${LIBC}/lib/ld-linux-aarch64.so.1 --version`],
  "apt-get install qemu-user-static libc6-arm64-cross",
);

qemu("the program for arm64 is one, and asks for glibc's own libraries alone", async () => {
  expect(fs.readFileSync(BINARY).readUInt16LE(18)).toBe(183);
  expect(neededBy(BINARY)).toEqual({
    loader: "/lib/ld-linux-aarch64.so.1",
    libraries: ["ld-linux-aarch64.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"],
  });
});

testProgram(qemu, "arm64", start);
testTls(Bun.which("qemu-aarch64-static") === null ? qemu : withOpenssl, "arm64", start);
