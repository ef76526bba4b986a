/** One protocol, two ways to wait: both give a procedure the same. */
import { describe, expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { FibError } from "../../src/errors.ts";
import { type Procedure, type Run, runBlocking } from "../../src/cursor/procedure.ts";
import { runOnThreads } from "../../src/cursor/threads.ts";
import { temporaryFolder } from "../temporary.ts";

describe.each<[string, Run]>([
  ["runBlocking()", runBlocking],
  ["runOnThreads()", runOnThreads],
])("%s", (_name, run) => {
  test("syncs, waits, and returns what the procedure does", async () => {
    const fd = fs.openSync(path.join(temporaryFolder(), "file"), "w");
    const startMs = performance.now();
    const result = await run(
      (function* (): Procedure<string> {
        yield { sync: "data", fd, path: "file" };
        yield { sync: "all", fd, path: "file" };
        yield { pauseMs: 20 };
        return "done";
      })(),
    );
    expect(result).toBe("done");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(19);
    fs.closeSync(fd);
  });

  test("throws a sync's failure into the procedure, which may go on", async () => {
    const result = await run(
      (function* (): Procedure<string[]> {
        const messages: string[] = [];
        for (const sync of ["data", "all"] as const) {
          try {
            yield { sync, fd: 999, path: "file" };
          } catch (error) {
            messages.push((error as FibError).message);
          }
        }
        return messages;
      })(),
    );
    expect(result).toEqual([
      "Cannot sync file: EBADF: bad file descriptor, fdatasync",
      "Cannot sync file: EBADF: bad file descriptor, fsync",
    ]);
  });

  test("throws what the procedure throws, and lets it put things in order", async () => {
    let isClosed = false;
    const procedure = (function* (): Procedure<void> {
      try {
        yield { sync: "data", fd: 999, path: "file" };
      } finally {
        isClosed = true;
      }
    })();
    expect(String(await (async () => await run(procedure))().catch((error: unknown) => error))).toContain(
      "EBADF",
    );
    expect(isClosed).toBe(true);
  });
});
