/** Files, folders and cursors that go away with the test that made them. @module */
import { onTestFinished } from "bun:test";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Cursor, type CursorOptions } from "../src/cursor/cursor.ts";
import type { CursorFile } from "../src/cursor/file.ts";
import type { CursorRequest, Outcome, Position } from "../src/cursor/moves.ts";
import { openCursorFile } from "../src/cursor/open.ts";
import { runOnThreads } from "../src/cursor/threads.ts";
import { FibError } from "../src/errors.ts";

/** A new folder; removed when the test has ended. */
export function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-test-"));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The bare file, as another process would have it: flock belongs to the open descriptor. */
export async function openFile(
  file: string,
  notice: (message: string) => void = () => {},
): Promise<CursorFile> {
  return await runOnThreads(openCursorFile(file, { notice, mayCreate: true }));
}

/** A cursor on a real file, and what it has told. */
export interface OpenedCursor {
  readonly cursor: Cursor;
  readonly notices: string[];
  readonly failures: FibError[];
  /** Submits one request. */
  readonly ask: (request: CursorRequest | CursorRequest["operation"]) => Promise<Outcome>;
  /** Submits one request that must not be refused. */
  readonly must: (request: CursorRequest | CursorRequest["operation"]) => Promise<Position>;
}

/** Opens a cursor; closed when the test has ended. */
export async function openCursor(file: string, options: Partial<CursorOptions> = {}): Promise<OpenedCursor> {
  const notices: string[] = [];
  const failures: FibError[] = [];
  const cursor = await Cursor.open({
    path: file,
    indexMax: 92,
    lockTimeoutMs: 5000,
    run: runOnThreads,
    notice: (message) => notices.push(message),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  onTestFinished(() => cursor.close());
  const ask = (request: CursorRequest | CursorRequest["operation"]) =>
    cursor.submit(typeof request === "string" ? { operation: request } : request, (outcome) => outcome);
  const must = async (request: CursorRequest | CursorRequest["operation"]) => {
    const outcome = await ask(request);
    if (outcome instanceof FibError) throw outcome;
    return outcome;
  };
  return { cursor, notices, failures, ask, must };
}
