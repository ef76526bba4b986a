/**
 * The thread that writes the log: the only one that waits for whoever reads it.
 * @module
 */
import fs from "node:fs";
import { answerCalls } from "./thread.ts";

const STDERR = 2;

/** How often a reader is asked again where somebody has made the descriptor non-blocking. */
const RETRY_MS = 10;

/** What is called on the thread. */
export class LogWriter {
  /** The last line could not be ended; the next one begins on a line of its own. */
  #isTorn = false;

  /**
   * Writes lines, each with one call, and waits for the reader as long as it takes. Up to 4,096 bytes (PIPE_BUF) no
   * other writer of the same pipe gets between them.
   *
   * @returns How many were written whole; the first that cannot be written ends it.
   */
  write(lines: readonly string[]): number {
    const failed = lines.findIndex((line) => !this.#writeLine(line));
    return failed < 0 ? lines.length : failed;
  }

  #writeLine(line: string): boolean {
    const bytes = new TextEncoder().encode(this.#isTorn ? `\n${line}` : line);
    for (let sent = 0; sent < bytes.length;) {
      try {
        sent += fs.writeSync(STDERR, bytes, sent);
        this.#isTorn = sent < bytes.length;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return false;
        Bun.sleepSync(RETRY_MS);
      }
    }
    return true;
  }
}

answerCalls(new LogWriter());
