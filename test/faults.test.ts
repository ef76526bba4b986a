/**
 * Disks that fail, fill up, go slow or lose power: an answered move is kept, and what cannot be done is said.
 *
 * The faults are injected into the compiled program's own system calls by strace, or are
 * real: a full tmpfs, a missing right, an ext4 file system that is shut down.
 */
import { expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  isWorking,
  mustRequest,
  readTrace,
  request,
  requires,
  requireTool,
  run,
  runInShell,
  type Server,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";
import { ext4Disk, withPowerLoss } from "./power-loss.ts";

setDefaultTimeout(300_000);

const MANY = ["--max-index", "1000000"];
/** The calls that Bun may answer with; it uses sendto today. */
const SENDS = "sendto,sendmsg,write,writev,pwritev";

const withPrlimit = requireTool(["prlimit", "--version"], "apt-get install util-linux");
const withBoth = isWorking(["strace", "-o", "/dev/null", "true"]) ? withFailingDisk : withStrace;
const withSetpriv =
  process.getuid?.() === 0
    ? requireTool(["setpriv", "--bounding-set=-all", "true"], "apt-get install util-linux")
    : test;
// Inside of a mount namespace that ends with its command, this tries what the tests do.
const canMount = isWorking(["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=8k", "none", "/mnt"]);
const withTmpfs = requires(canMount, "it takes root, with the right to mount");

const withOverlay = requires(
  canMount && /\toverlay$/m.test(fs.readFileSync("/proc/filesystems", "utf8")),
  "it takes root, with the right to mount an overlay",
);

/** Sixteen moves at once, all that are answered refused. */
async function expectRefusals(server: Server): Promise<void> {
  const replies = await Promise.all(Array.from({ length: 16 }, () => goNext(server)));
  const answered = replies.filter((reply) => reply !== undefined);
  expect(answered.length).toBeGreaterThan(0);
  for (const reply of answered) {
    expect(reply).toEqual({ status: 503, body: '{"value":"-3","status":"503"}', retryAfter: "1" });
  }
}

for (const [fault, said] of [
  ["pwrite64:error=EIO:when=2+", "Cannot write"],
  ["pwrite64:error=ENOSPC:when=2+", "Cannot write"],
  ["pwrite64:retval=10:when=2+", "only 10 of 4096 bytes"],
] as const) {
  withStrace(`${fault} is answered with 503 and ends the server with 74`, async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    await run(["cursor", "set", "10", "-f", file]);
    const trace = path.join(folder.path, "trace");
    await using server = await startServer(["-f", file], {
      under: strace(trace, "pwrite64,fdatasync", fault),
    });
    await expectRefusals(server);
    expect(await server.ended()).toBe(74);
    expect(server.log()).toContain(said);
    const failed = (await readTrace(trace, server.pid)).filter((line) => line.includes("INJECTED"));
    expect(failed.length, "nothing is tried again on that descriptor").toBe(1);
    expect(await positionOf(file)).toBeWithin(10, 10 + 16 + 1);
    expect((await run(["-f", file, "n"])).exitCode).toBe(0);
  });
}

for (const fault of ["fail", "interrupt"] as const) {
  withFailingDisk(
    `a sync that meets ${fault} is answered with 503, once, and ends the server with 74`,
    async () => {
      using folder = temporaryFolder();
      using faults = failingDisk();
      const file = path.join(folder.path, "cursor");
      await run(["cursor", "set", "10", "-f", file]);
      await using server = await startServer(["-f", file], { env: faults.env });
      faults.begin(fault, "data");
      await expectRefusals(server);
      expect(await server.ended()).toBe(74);
      expect(server.log()).toContain("Cannot sync");
      expect(faults.faultedCount(), "nothing is tried again").toBe(1);
      expect(await positionOf(file)).toBeWithin(10, 10 + 16 + 1);
      expect((await run(["-f", file, "n"])).exitCode).toBe(0);
    },
  );
}

for (const fault of ["EIO", "EINTR"]) {
  for (const [call, when] of [
    ["fsync", 1],
    ["fdatasync", 1],
    ["fdatasync", 2],
  ] as const) {
    withStrace(
      `${call} number ${when} that meets ${fault} ends a letter with 74, and is not made again`,
      async () => {
        using folder = temporaryFolder();
        const file = path.join(folder.path, "cursor");
        await run(["cursor", "set", "10", "-f", file]);
        const trace = path.join(folder.path, "trace");
        const under = strace(trace, "fsync,fdatasync", `${call}:error=${fault}:when=${when}`);
        const { exitCode, stdout, stderr } = await run(["n", "-f", file], { under });
        expect({ exitCode, stdout }).toEqual({ exitCode: 74, stdout: "" });
        expect(stderr).toMatch(new RegExp(`^fibserver: Cannot sync .*: ${fault}: `));
        const calls = fs.readFileSync(trace, "latin1").match(/\bf(?:data)?sync\(/g);
        expect(calls?.length).toBe(call === "fsync" ? 1 : 1 + when);
        expect((await run(["n", "-f", file])).exitCode).toBe(0);
      },
    );
  }
}

withFailingDisk("a sync that fails keeps the moves that were answered before it", async () => {
  using folder = temporaryFolder();
  using faults = failingDisk();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "10", "-f", file]);
  await using server = await startServer(["-f", file], { env: faults.env });
  for (const index of [11, 12, 13]) expect(await mustRequest(server, "next")).toMatchObject({ index });
  faults.begin("fail", "data");
  const response = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("1");
  expect(await response.json()).toMatchObject({ code: "cursor_io", status: 503 });
  expect(await server.ended()).toBe(74);
  expect(await positionOf(file)).toBeWithin(13, 15);
});

for (const flags of [[], ["-t"]]) {
  withFailingDisk(
    `while a sync stalls everything else goes on, and one thread waits ${flags.join()}`,
    async () => {
      using folder = temporaryFolder();
      using faults = failingDisk();
      const file = path.join(folder.path, "cursor");
      await using server = await startServer(["-f", file, ...flags], { env: faults.env });
      expect(await mustRequest(server, "next")).toMatchObject({ index: 1 });
      // On a disk that was fast until now.
      faults.begin("stall", "data");
      const moves = Array.from({ length: 8 }, () => mustRequest(server, "next"));
      await until("the sync stalls", () => faults.faultedCount() === 1);
      await expectAnswers(server, '{"value":"1","status":"200"}');
      expect(moves.map((move) => Bun.peek.status(move))).not.toContain("fulfilled");
      expect(faults.faultedCount()).toBe(1);
      faults.end("stall", "data");
      const indexes = (await Promise.all(moves)).map(({ index }) => index);
      expect(indexes.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    },
  );
}

withFailingDisk(
  "a stalled sync of the folder holds up the moves on a replaced file, and nothing else",
  async () => {
    using folder = temporaryFolder();
    using faults = failingDisk();
    const file = path.join(folder.path, "cursor");
    await using server = await startServer(["-f", file], { env: faults.env });
    await run(["cursor", "set", "40", "-f", `${file}.other`]);
    faults.begin("stall", "folder");
    fs.renameSync(`${file}.other`, file);
    const move = mustRequest(server, "next");
    await until("the sync stalls", () => faults.faultedCount() === 1);
    await expectAnswers(server);
    expect(Bun.peek.status(move)).toBe("pending");
    faults.end("stall", "folder");
    expect(await move).toMatchObject({ index: 41 });
  },
);

withFailingDisk("SIGTERM ends a server within its deadline while a sync stalls", async () => {
  using folder = temporaryFolder();
  using faults = failingDisk();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file], { env: faults.env });
  faults.begin("stall", "data");
  const move = request(server, "next");
  await until("the sync stalls", () => faults.faultedCount() === 1);
  server.kill("SIGTERM");
  // The deadline is 10 s; the stall has no end.
  await until("the server ended", () => !isRunning(server.pid), 60);
  expect(await server.ended()).toBe(0);
  expect(server.log()).toContain("Ending at the deadline");
  expect(await move).toBeUndefined();
  expect(await positionOf(file)).toBeWithin(0, 2);
});

withStrace("a server makes no file that vanishes while it opens the one that replaced its own", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const name of [file, `${file}.other`]) await run(["cursor", "set", "10", "-f", name]);
  const under = strace(path.join(folder.path, "trace"), "openat", "openat:error=ENOENT:when=2+");
  // Only opens of this path, all of which are the main thread's.
  await using server = await startServer(["-f", file], { under: [...under, "-P", file] });
  fs.renameSync(`${file}.other`, file);
  expect(await goNext(server)).toMatchObject({ status: 503 });
  const { stdout } = await run(["-f", file, "c"]);
  expect(stdout).toBe("55\n");
});

withStrace("a Go server's file that is read short is not taken for index 0", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  fs.writeFileSync(file, Buffer.from("00000000000000030000000000000005", "hex"));
  const under = [...strace(path.join(folder.path, "trace"), "pread64", "pread64:retval=0"), "-P", file];
  const { stdout, stderr, exitCode } = await run(["-f", file, "c"], { under });
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
  expect(stderr).toContain("only 0 of 16 bytes were read");
  expect((await run(["-f", file, "c"])).stdout).toBe("5\n");
});

withStrace(
  "a lock that is interrupted is tried again, and not taken for one that another process holds",
  async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    const trace = path.join(folder.path, "trace");
    const under = strace(trace, "flock", "flock:error=EINTR:when=1+2");
    expect(await run(["-f", file, "n"], { under })).toEqual({ stdout: "1\n", stderr: "", exitCode: 0 });
    const twice = { under: strace(trace, "flock", "flock:error=EINTR:when=1..2") };
    const { stdout, exitCode } = await run(["-f", file, "--lock-timeout", "0", "n"], twice);
    expect({ stdout, exitCode }).toEqual({ stdout: "1\n", exitCode: 0 });
  },
);

withStrace(
  "a rename that is interrupted is made again, and by nothing that could replace a file",
  async () => {
    using folder = temporaryFolder();
    const trace = path.join(folder.path, "trace");
    const under = strace(trace, "renameat2,?rename", "renameat2:error=EINTR:when=1");
    await run(["-f", path.join(folder.path, "cursor"), "n"], { under });
    const calls = fs.readFileSync(trace, "latin1").match(/\brename\w*\(/g);
    expect(calls).toEqual(["renameat2(", "renameat2("]);
  },
);

withStrace("a link that takes the place of a file which may only be read is not followed", async () => {
  using folder = temporaryFolder();
  const [file, link] = [path.join(folder.path, "cursor"), path.join(folder.path, "link")];
  await run(["cursor", "set", "10", "-f", file]);
  fs.symlinkSync(file, link);
  const inject = strace(path.join(folder.path, "trace"), "openat,open", "openat,open:error=EACCES:when=1");
  const { stdout, stderr, exitCode } = await run(["-f", link, "c"], { under: [...inject, "-P", link] });
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 65 });
  expect(stderr).toContain("it is a symbolic link");
  expect(stderr, "what it leads to was not opened").not.toContain("can only be read");
});

withFailingDisk("what a killed creation leaves is cleared away by the next one", async () => {
  using folder = temporaryFolder();
  using faults = failingDisk();
  const file = path.join(folder.path, "cursor");
  faults.begin("kill", "file");
  for (let attempt = 0; attempt < 3; attempt++) {
    expect((await run(["-f", file, "n"], { env: faults.env })).exitCode).toBe(137);
    expect(fs.readdirSync(folder.path)).toEqual(["cursor.fibserver-new"]);
  }
  expect((await run(["-f", file, "n"])).stdout).toBe("1\n");
  expect(fs.readdirSync(folder.path)).toEqual(["cursor"]);
});

test("address space too short for native calls is said, with what to do", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const letter of ["n", "c"]) {
    // First without a file, then with one.
    const line = `ulimit -v 2000000; timeout 120 $FIBSERVER -f cursor ${letter}`;
    const { stdout, stderr, exitCode } = await runInShell(line, folder.path);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
    expect(stderr).toContain("ulimit -v unlimited");
    expect(stderr).not.toContain("    at ");
    await run(["cursor", "set", "3", "-f", file]);
  }
  // Nor does it hide that there is nowhere to print to.
  for (const command of ["version", "-f cursor n"]) {
    const line = `ulimit -v 2000000; timeout 120 $FIBSERVER ${command} >&-`;
    expect(await runInShell(line, folder.path)).toMatchObject({
      stderr: "fibserver: Cannot write the output: it is closed\n",
      exitCode: 74,
    });
  }
});

for (const line of ["BUN_JSC_useJIT=0", "ulimit -v 2000000;"]) {
  test(`a result replaces a file without native calls (${line})`, async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "out");
    for (const isThere of [false, true]) {
      if (isThere) fs.chmodSync(file, 0o600);
      const result = await runInShell(`${line} $FIBSERVER fib 10 -o out`, folder.path);
      expect(result).toEqual({ stdout: "", stderr: "", exitCode: 0 });
      expect(fs.readFileSync(file, "utf8")).toBe("55\n");
    }
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  });
}

test("a closed output is refused before the cursor moves", async () => {
  using folder = temporaryFolder();
  const closed = await runInShell("$FIBSERVER -f cursor n >&-", folder.path);
  expect(closed.exitCode).toBe(74);
  expect(closed.stderr).toContain("it is closed");
  expect(fs.readdirSync(folder.path)).toEqual([]);
  // An output that somebody wants to go nowhere is another thing, however it was opened.
  for (const nowhere of ["> /dev/null", "1<> /dev/null"]) {
    expect(await runInShell(`$FIBSERVER -f cursor n ${nowhere}`, folder.path)).toMatchObject({ exitCode: 0 });
  }
  expect((await runInShell("$FIBSERVER -f cursor c", folder.path)).stdout).toBe("1\n");
});

withTmpfs("a server follows a file with the same inode number on another device", async () => {
  using below = mounted(["-t", "tmpfs", "none"]);
  const file = path.join(below.path, "cursor");
  fs.writeFileSync(file, fs.readFileSync(await cursorAt(10)));
  const before = fs.statSync(file);
  await using server = await startServer(["-f", file]);
  using _above = mounted(["-t", "tmpfs", "none"], below.path);
  fs.writeFileSync(file, fs.readFileSync(await cursorAt(40)));
  expect(fs.statSync(file)).toMatchObject({ ino: before.ino });
  expect(fs.statSync(file).dev).not.toBe(before.dev);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 41 });
});

withOverlay("a server follows a file whose inode number differs beyond 2^53", async () => {
  using lower = mounted(["-t", "tmpfs", "none"]);
  using upper = mounted(["-t", "tmpfs", "none"]);
  for (const [name, index] of [
    ["cursor", 10],
    ["other", 40],
  ] as const) {
    fs.writeFileSync(path.join(lower.path, name), fs.readFileSync(await cursorAt(index)));
  }
  for (const name of ["files", "work"]) fs.mkdirSync(path.join(upper.path, name));
  const layers = `lowerdir=${lower.path},upperdir=${upper.path}/files,workdir=${upper.path}/work,xino=on`;
  using disk = mounted(["-t", "overlay", "-o", layers, "none"]);
  const [file, other] = [path.join(disk.path, "cursor"), path.join(disk.path, "other")];
  expect(fs.statSync(file).ino, "as numbers they are the same").toBe(fs.statSync(other).ino);
  await using server = await startServer(["-f", file]);
  fs.renameSync(other, file);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 41 });
});

withStrace("a shell command whose sync fails prints nothing and exits 74", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "10", "-f", file]);
  const under = strace(path.join(folder.path, "trace"), "fdatasync", "fdatasync:error=EIO:when=2");
  const { stdout, stderr, exitCode } = await run(["-f", file, "n", "n"], { under });
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
  expect(stderr).toContain("Cannot sync");
});

for (const damaged of [undefined, 0, 1] as const) {
  const kind = damaged === undefined ? "a whole file" : `a file whose copy ${damaged} is damaged`;
  withStrace(`a fault while ${kind} is rewritten at the start leaves the position`, async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    await run(["cursor", "set", "10", "-f", file]);
    await run(["-f", file, "n"]);
    const whole = fs.readFileSync(file);
    if (damaged !== undefined) whole.fill(0xff, damaged * 4096, damaged * 4096 + 20);
    fs.writeFileSync(file, whole);
    const position = await positionOf(copyOf(file));
    let faultCount = 0;
    for (const fault of [
      "fdatasync:error=EIO",
      "pwrite64:error=EIO",
      "pwrite64:retval=10",
      "fdatasync:signal=SIGKILL",
      "pwrite64:signal=SIGKILL",
    ]) {
      for (let when = 1, exitCode = -1; exitCode !== 0; when++) {
        const copy = copyOf(file);
        const under = strace(path.join(folder.path, "trace"), "pwrite64,fdatasync", `${fault}:when=${when}`);
        ({ exitCode } = await run(["-f", copy, "c"], { under }));
        expect([0, 74, 137]).toContain(exitCode);
        expect(await positionOf(copy), `${fault}:when=${when}`).toBe(position);
        if (exitCode !== 0) faultCount++;
        expect(when).toBeLessThan(10);
      }
    }
    expect(faultCount).toBe(5);
  });
}

withStrace("the only good copy is not written to before the bad one is repaired and on disk", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const damaged of [0, 1]) {
    await run(["cursor", "set", "10", "-f", file]);
    const bytes = fs.readFileSync(file);
    bytes.fill(0xff, damaged * 4096, damaged * 4096 + 20);
    fs.writeFileSync(file, bytes);
    const trace = path.join(folder.path, `trace-${damaged}`);
    const under = strace(trace, "pwrite64,fdatasync");
    const { stderr, exitCode } = await run(["-f", file, "n"], { under });
    expect(exitCode).toBe(0);
    expect(stderr).toContain("was half damaged and is repaired");
    const calls = fs.readFileSync(trace, "latin1").matchAll(/fdatasync\(|, \d+\)(?= += 4096)/g);
    const [intoBad, intoGood] = [`, ${damaged * 4096})`, `, ${(1 - damaged) * 4096})`];
    const order = [...calls].map(([call]) => call);
    expect(order).toEqual([intoBad, "fdatasync(", intoGood, "fdatasync("]);
  }
});

for (const error of ["EPERM", "ENOSYS"]) {
  withStrace(
    `where statx is answered with ${error}, as old sandboxes do, a file is used all the same`,
    async () => {
      using folder = temporaryFolder();
      const file = path.join(folder.path, "cursor");
      const under = strace(path.join(folder.path, "trace"), "statx", `statx:error=${error}`);
      for (const value of ["1\n", "1\n", "2\n"]) {
        expect(await run(["-f", file, "n"], { under })).toEqual({ stdout: value, stderr: "", exitCode: 0 });
      }
    },
  );
}

withStrace("a file that is read short is not taken for damaged", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "10", "-f", file]);
  const bytes = fs.readFileSync(file);
  for (const count of [0, 4096]) {
    const under = [
      ...strace(path.join(folder.path, "trace"), "pread64", `pread64:retval=${count}`),
      "-P",
      file,
    ];
    const { stdout, stderr, exitCode } = await run(["-f", file, "c"], { under });
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
    expect(stderr).toContain(`only ${count} of 8192 bytes were read; try again`);
  }
  expect(fs.readFileSync(file)).toEqual(bytes);
});

withStrace(
  "where a file system knows no flags of rename, a file is created and taken over all the same",
  async () => {
    using folder = temporaryFolder();
    using traces = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    for (const errno of ["EINVAL", "ENOSYS", "EOPNOTSUPP"]) {
      for (const [content, value] of [
        [undefined, "1\n"],
        [Buffer.from("00000000000000030000000000000005", "hex"), "8\n"],
      ] as const) {
        fs.rmSync(file, { force: true });
        if (content !== undefined) fs.writeFileSync(file, content);
        const under = strace(path.join(traces.path, "trace"), "renameat2", `renameat2:error=${errno}`);
        const { stdout, exitCode } = await run(["-f", file, "n"], { under });
        expect({ errno, stdout, exitCode }).toEqual({ errno, stdout: value, exitCode: 0 });
      }
    }
  },
);

withStrace("a creation that fails leaves nothing behind", async () => {
  using folder = temporaryFolder();
  using traces = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const fault of [
    "pwrite64:retval=4096",
    "pwrite64:error=ENOSPC",
    "fsync:error=EIO",
    "renameat2:error=EROFS",
  ]) {
    const under = strace(path.join(traces.path, "trace"), "pwrite64,fsync,renameat2", `${fault}:when=1`);
    const { stdout, stderr, exitCode } = await run(["-f", file, "n"], { under });
    expect({ fault, stdout, exitCode }).toEqual({ fault, stdout: "", exitCode: 74 });
    expect(stderr).toContain(`Cannot create ${file}`);
    expect(fs.readdirSync(folder.path)).toEqual([]);
  }
});

withBoth("while a sync runs other requests are answered, and moves gather for the next one", async () => {
  using folder = temporaryFolder();
  using faults = failingDisk();
  const trace = path.join(folder.path, "trace");
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], {
    under: strace(trace, "fdatasync"),
    env: faults.env,
  });
  faults.begin("stall", "data");
  const first = mustRequest(server, "next");
  await until("its sync runs", () => faults.faultedCount() === 1);
  await expectAnswers(server, '{"value":"0","status":"200"}');
  const gathered = Promise.all(Array.from({ length: 64 }, () => mustRequest(server, "next")));
  await until("all of them wait", async () => (await waitingCount(server)) === 65);
  expect(Bun.peek.status(first)).toBe("pending");
  faults.end("stall", "data");
  expect(await first).toMatchObject({ index: 1 });
  const indexes = (await gathered).map(({ index }) => index);
  expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i + 2));
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  // One at the start, one for the first move, and one for the 64.
  expect(countCalls(await readTrace(trace, server.pid), "fdatasync")).toBe(3);
});

withStrace("on a disk of 300 ms a sync the groups grow", async () => {
  using folder = temporaryFolder();
  const trace = path.join(folder.path, "trace");
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), ...MANY], {
    under: strace(trace, "fdatasync", "fdatasync:delay_enter=300000"),
  });
  const indexes = await movesOf(server, { clientCount: 64, moveCount: 10 });
  expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 640 }, (_, i) => i + 1));
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  expect(countCalls(await readTrace(trace, server.pid), "fdatasync")).toBeLessThan(640 / 8);
});

for (const [disk, inject] of [
  ["fast", undefined],
  ["slow", "fdatasync:delay_enter=3000"],
] as const) {
  withStrace(`on a ${disk} disk every answer of a move is sent after the sync that covers it`, async () => {
    using folder = temporaryFolder();
    const trace = path.join(folder.path, "trace");
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), ...MANY], {
      under: strace(trace, `pwrite64,fdatasync,${SENDS}`, inject),
    });
    await movesOf(server, { clientCount: 8, moveCount: 25 });
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    expect(checkOrder(await readTrace(trace, server.pid))).toBe(200);
  });
}

withStrace(
  "clients that leave, half-close or pipeline during a sync make at most one move a request",
  async () => {
    using folder = temporaryFolder();
    const under = strace(path.join(folder.path, "trace"), "fdatasync", "fdatasync:delay_enter=50000");
    await using server = await startServer(["-f", path.join(folder.path, "cursor")], { under });
    const next = "GET /api0/next HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let { index } = await mustRequest(server, "current");
    for (const [bytes, end] of [
      [next, "terminate"],
      [next, "shutdown"],
      [next.repeat(3), "terminate"],
      [next.repeat(3), "shutdown"],
      [next.slice(0, -2), "shutdown"],
    ] as const) {
      await using connection = await connect(server);
      // The server reads from it before from whatever comes later.
      connection.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await until("it is accepted", () => connection.received().includes("ok\n"));
      connection.write(bytes);
      connection[end]();
      // Its own sync ends after those of the moves before it.
      const after = await mustRequest(server, "next");
      const requestCount = bytes.split("\r\n\r\n").length - 1;
      expect(after.index - index, `${bytes} ${end}`).toBeWithin(1, 1 + requestCount + 1);
      await until("no move is under way", async () => (await waitingCount(server)) === 0);
      ({ index } = await mustRequest(server, "current"));
    }
  },
);

withPrlimit("a creation over the limit on a file's size leaves nothing behind", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const { stdout, stderr, exitCode } = await run(["-f", file, "n"], { under: ["prlimit", "--fsize=4096"] });
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
  expect(stderr).toContain(`Cannot create ${file}`);
  expect(fs.readdirSync(folder.path)).toEqual([]);
});

withTmpfs(
  "on a full disk a creation fails and leaves nothing, and a cursor that exists goes on",
  async () => {
    using disk = mounted(["-t", "tmpfs", "-o", "size=8k", "none"]);
    const [file, filler] = [path.join(disk.path, "cursor"), path.join(disk.path, "filler")];
    fs.writeFileSync(filler, new Uint8Array(4096));
    const { stdout, stderr, exitCode } = await run(["-f", file, "n"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
    expect(stderr).toContain(`Cannot create ${file}`);
    expect(fs.readdirSync(disk.path)).toEqual(["filler"]);

    fs.rmSync(filler);
    expect((await run(["-f", file, "n"])).stdout).toBe("1\n");
    expect(() => fs.writeFileSync(filler, "x")).toThrow("ENOSPC");
    expect((await run(["-f", file, "n", "n", "n"])).stdout).toBe("1\n2\n3\n");
    await using server = await startServer(["-f", file]);
    expect(await mustRequest(server, "next")).toMatchObject({ index: 5 });
  },
);

withTmpfs("on a disk that is mounted read-only c works, and n says why not", async () => {
  using disk = mounted(["-t", "tmpfs", "none"]);
  const file = path.join(disk.path, "cursor");
  await run(["cursor", "set", "7", "-f", file]);
  expect(Bun.spawnSync(["mount", "-o", "remount,ro", disk.path]).exitCode).toBe(0);
  await expectReadOnly(file, "EROFS", []);
});

withSetpriv("without the right to write c works, and n says why not", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "7", "-f", file]);
  fs.chmodSync(file, 0o444);
  // Root without capabilities is held to the file's mode like anybody else.
  await expectReadOnly(file, "EACCES", process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-all"] : []);
});

withSetpriv("a FIFO that may only be read is refused without waiting for its other end", async () => {
  using folder = temporaryFolder();
  const fifo = path.join(folder.path, "fifo");
  expect(Bun.spawnSync(["mkfifo", "-m", "0444", fifo]).exitCode).toBe(0);
  const under = ["timeout", "120", "setpriv", "--bounding-set=-all"];
  const { stdout, stderr, exitCode } = await run(["-f", fifo, "n"], { under });
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 65 });
  expect(stderr).toContain("it is not a regular file");
});

test("SIGTERM under load ends with 0 and keeps each answered move", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file, ...MANY]);
  // A connection that was used once, stays open and idle, and must not hold up the end.
  await using idle = await connect(server);
  idle.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("the idle connection has its answer", () => idle.received().includes("ok\n"));
  let requestedCount = 0;
  let indexLast = 0;
  const client = async () => {
    for (; requestedCount < 20_000;) {
      requestedCount++;
      const response = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" }).catch(() => undefined);
      // Refused while it stops, or no longer connected: either way this client is done.
      if (response?.status !== 200) return;
      const body = await response.json().catch(() => undefined);
      if (body === undefined) return;
      indexLast = Math.max(indexLast, Number((body as { index: string }).index));
    }
  };
  const clients = Array.from({ length: 16 }, client);
  await until("the load runs", () => indexLast > 100);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  await Promise.all(clients);
  expect(server.log(), "the end did not wait for the deadline").not.toContain("Connections were cut");
  expect(await positionOf(file)).toBeWithin(indexLast, requestedCount + 1);
});

test("two SIGTERM at once are one, as `timeout` sends them; one that comes later kills", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using twice = await startServer(["-f", file]);
  twice.kill("SIGTERM");
  twice.kill("SIGTERM");
  expect(await twice.ended()).toBe(0);
  await using again = await startServer(["-f", file]);
  // A request that is not whole holds the end up until its deadline.
  await using busy = await connect(again);
  busy.write("PUT /v1/cursor HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{");
  await until("the request has arrived", () => request(again, "current").then(Boolean));
  again.kill("SIGTERM");
  await until("it has noticed", () => again.log().includes("Stopping"));
  const noticedMs = performance.now();
  await until("a second is over", () => performance.now() - noticedMs > 1000);
  again.kill("SIGTERM");
  expect(await again.ended()).toBe(137);
});

withPrlimit(
  "100 connections on 40 descriptors: it survives, and serves again when they are gone",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")], {
      under: ["prlimit", "--nofile=40"],
    });
    // Its thread has started: the runtime ends a process that finds no descriptor for that.
    expect((await fetch(`${server.url}/v1/fibonacci/1000000?format=text`)).status).toBe(200);
    {
      await using crowd = new AsyncDisposableStack();
      for (let i = 0; i < 100; i++) {
        const connection = crowd.use(await connect(server));
        connection.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
      }
      await until("it has no descriptor left", () => fs.readdirSync(`/proc/${server.pid}/fd`).length === 40);
    }
    // Bun may leave a connection waiting that came while there was no descriptor for it, until another one comes.
    const answers = async () => {
      const signal = AbortSignal.timeout(5000);
      return fetch(`${server.url}/livez`, { signal, keepalive: false }).then(({ ok }) => ok, () => false); // prettier-ignore
    };
    await until("it answers again", answers);
    await until("theirs are free", () => fs.readdirSync(`/proc/${server.pid}/fd`).length < 30);
    expect(await mustRequest(server, "next")).toMatchObject({ index: 1 });
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
  },
);

withPowerLoss("a loss of power under load keeps each answered move", async () => {
  using disk = ext4Disk();
  const file = path.join(disk.path, "cursor");
  let indexLast = 0;
  let requestedCount = 0;
  {
    await using server = await startServer(["-f", file, ...MANY]);
    const client = async () => {
      for (; requestedCount < 20_000;) {
        requestedCount++;
        const answer = await request(server, "next").catch(() => undefined);
        if (answer === undefined) return;
        indexLast = Math.max(indexLast, answer.index);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await until("the load runs", () => indexLast > 50);
    disk.losePower();
    expect(await server.ended()).toBe(74);
    await Promise.all(clients);
  }
  disk.restorePower();
  expect(await positionOf(file)).toBeWithin(indexLast, requestedCount + 1);
});

async function goNext({ url }: Server) {
  const response = await fetch(`${url}/api0/next`).catch(() => undefined);
  const body = await response?.text().catch(() => undefined);
  if (response === undefined || body === undefined) return undefined;
  return { status: response.status, body, retryAfter: response.headers.get("retry-after") };
}

/** Everything that needs no sync is answered, while one that a test has stalled is not: it ends only when the test says so. */
async function expectAnswers({ url }: Server, current?: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    for (const route of current === undefined ? ["/livez"] : ["/livez", "/api0/current"]) {
      const body = await (await fetch(`${url}${route}`)).text();
      if (route === "/api0/current") expect(body).toBe(current!);
    }
  }
}

/** How many requests wait for their answers, without the one that asks. */
async function waitingCount({ url }: Server): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^http_requests_in_flight (\d+)$/m.exec(metrics)![1]) - 1;
}

function isRunning(pid: number): boolean {
  // A process that has ended and was not waited for is a zombie.
  const stat = fs.existsSync(`/proc/${pid}/stat`) ? fs.readFileSync(`/proc/${pid}/stat`, "latin1") : "";
  return stat !== "" && !/\) Z /.test(stat);
}

/** A cursor file that stands at an index. */
async function cursorAt(index: number): Promise<string> {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-test-")), "cursor");
  onTestFinished(() => fs.rmSync(path.dirname(file), { recursive: true }));
  await run(["cursor", "set", String(index), "-f", file]);
  return file;
}

/** The index in a file, which must be usable. Looking may repair it. */
async function positionOf(file: string): Promise<number> {
  const seen = await run(["-f", file, "c"]);
  expect({ ...seen, exitCode: seen.exitCode }).toMatchObject({ exitCode: 0 });
  const { stdout } = await run(["cursor", "inspect", "--json", "-f", file]);
  const { copies } = JSON.parse(stdout) as { copies: { generation: number; index: number }[] };
  return copies.toSorted((a, b) => b.generation - a.generation)[0]!.index;
}

function copyOf(file: string): string {
  const copy = `${file}.copy`;
  fs.copyFileSync(file, copy);
  return copy;
}

/** Makes `moveCount` moves from each client, and returns the indexes that were answered. */
async function movesOf(
  server: Server,
  { clientCount, moveCount }: { clientCount: number; moveCount: number },
): Promise<number[]> {
  const client = async () => {
    const indexes: number[] = [];
    while (indexes.length < moveCount) indexes.push((await mustRequest(server, "next")).index);
    return indexes;
  };
  return (await Promise.all(Array.from({ length: clientCount }, client))).flat();
}

function countCalls(trace: readonly string[], call: string): number {
  return trace.filter((line) => line.includes(` ${call}(`)).length;
}

/**
 * Follows what is written, synced and sent, and fails when an answer names a generation that is not on disk.
 *
 * @returns How many answers were seen.
 */
function checkOrder(trace: readonly string[]): number {
  let answerCount = 0;
  let writtenGeneration = 0;
  let durableGeneration = 0;
  /** By thread: what the file held when its sync began. */
  const syncing = new Map<string, number>();
  for (const line of trace) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.startsWith("pwrite64(")) {
      writtenGeneration = Number(bytesIn(rest).readBigUInt64BE(16));
    } else if (/^(fdatasync\(|<... fdatasync resumed)/.test(rest)) {
      if (rest.startsWith("fdatasync(")) syncing.set(thread, writtenGeneration);
      if (/= 0\b/.test(rest)) durableGeneration = syncing.get(thread)!;
    } else {
      for (const [, etag] of bytesIn(rest)
        .toString("latin1")
        .matchAll(/^etag: "(\d+)"/gim)) {
        expect(durableGeneration, line).toBeGreaterThanOrEqual(Number(etag));
        answerCount++;
      }
    }
  }
  return answerCount;
}

/** The strings in a line of strace, which shows them in hex. */
function bytesIn(line: string): Buffer {
  return Buffer.from([...line.matchAll(/\\x([0-9a-f]{2})/g)].map(([, hex]) => hex).join(""), "hex");
}

async function expectReadOnly(file: string, code: string, under: readonly string[]): Promise<void> {
  const before = fs.readFileSync(file);
  expect(await run(["-f", file, "c"], { under })).toMatchObject({ stdout: "13\n", exitCode: 0 });
  expect((await run(["-f", file, "c"], { under })).stderr).toContain(
    "was not synced here and may not be on disk",
  );
  for (const args of [["n"], ["p"], ["cursor", "set", "1"]]) {
    const { stdout, stderr, exitCode } = await run([...args, "-f", file], { under });
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 74 });
    expect(stderr).toContain(`${file} can only be read (${code})`);
  }
  await using server = await startServer(["-f", file], { under });
  expect(await (await fetch(`${server.url}/api0/current`)).text()).toBe('{"value":"13","status":"200"}');
  expect(await goNext(server)).toMatchObject({ status: 503, body: '{"value":"-3","status":"503"}' });
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  expect(fs.readFileSync(file)).toEqual(before);
}

/** A plain TCP connection to a server. */
async function connect({ url }: Server) {
  let text = "";
  const { hostname, port } = new URL(url);
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: { data: (_, bytes) => void (text += bytes.toString()), error: () => {} },
  });
  return {
    write: (bytes: string) => void socket.write(bytes),
    received: () => text,
    terminate: () => socket.terminate(),
    shutdown: () => socket.shutdown(),
    async [Symbol.asyncDispose]() {
      socket.end();
    },
  };
}

/** A file system in a folder of its own, until the end of the test. */
function mounted(options: readonly string[], on?: string): Disposable & { readonly path: string } {
  const folder = on === undefined ? temporaryFolder() : { path: on, [Symbol.dispose]: () => {} };
  const { exitCode, stderr } = Bun.spawnSync(["mount", ...options, folder.path]);
  if (exitCode !== 0) throw new Error(`mount failed: ${stderr.toString()}`);
  return {
    path: folder.path,
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", "--lazy", folder.path]);
      folder[Symbol.dispose]();
    },
  };
}
