/**
 * The lines of the log on their way to the thread that writes them.
 *
 * A reader that stalls (a pager, a collector that hangs, a terminal with Ctrl-S) must hold up nothing but its log, whatever
 * stderr is and however it was opened. So a thread waits for it, and here the lines queue: up to {@link QUEUE_MAX}; those
 * beyond are counted, and told in one line once the reader goes on.
 *
 * Rejected:
 * - to write here: a write to a pipe, a socket or a terminal that is full stops the server, and SIGTERM goes unheard;
 * - O_NONBLOCK on stderr: the flag is of everybody who shares it, the shell and whatever `2>&1` joins;
 * - to open `/proc/self/fd/2` anew with that flag: not possible for a socket (journald), nor for a pipe of another user;
 * - poll(2) before each write: another writer may fill the pipe in between, and a terminal takes less than is written;
 * - pwritev2(2) with RWF_NOWAIT: not for terminals, nor with older kernels. None of them helps with a disk that stalls.
 *
 * To add a line takes 0.04 to 0.1 µs of the loop, where a write to a pipe takes 1 to 4; both threads together take as
 * much of the processors as that (1.2 to 2.1 µs), since what has queued goes to the thread at once. The thread takes
 * 2.7 MB. A crash costs the lines of the last moment.
 * @module
 */
import type { LogWriter } from "./log-worker.ts";
import type { Calls } from "./thread.ts";

/** What waits while the reader stalls, in UTF-16 units; as much again may be with the thread. */
const QUEUE_MAX = 1 << 22;

/** How long the end waits for the reader. */
const END_MS = 500;
/** In so many steps: a machine that stands still meanwhile takes one of them, and the thread has the others. */
const END_STEPS = 10;

/** Takes lines, and never waits. */
export class LogQueue {
  readonly #thread: Pick<Calls<LogWriter>, "call">;
  readonly #lostLine: (count: number) => string;
  #lines: string[] = [];
  /** With what was lost: once it is full, it stays so until all of it has gone, and no line overtakes another. */
  #length = 0;
  #lost = 0;
  #writing: Promise<void> | undefined;

  /** @param lostLine - Says how many lines were lost. */
  constructor(thread: Pick<Calls<LogWriter>, "call">, lostLine: (count: number) => string) {
    this.#thread = thread;
    this.#lostLine = lostLine;
  }

  /** Has a line written, which ends with a line feed. */
  add(line: string): void {
    this.#length += line.length;
    if (this.#length > QUEUE_MAX) this.#lost++;
    else this.#lines.push(line);
    this.#writing ??= this.#write();
  }

  /** @returns Whether all that was added is written, after {@link END_MS} at most. */
  async end(): Promise<boolean> {
    const written = Promise.resolve(this.#writing).then(() => true);
    for (let step = 0; step < END_STEPS; step++) {
      const isOver = Bun.sleep(END_MS / END_STEPS).then(() => false);
      if (await Promise.race([written, isOver])) return true;
    }
    return false;
  }

  async #write(): Promise<void> {
    do {
      const lines = this.#lines;
      const lost = this.#lost;
      this.#lines = [];
      this.#length = this.#lost = 0;
      const batch = lost > 0 ? [...lines, this.#lostLine(lost)] : lines;
      // The thread fails only where none can be had.
      const written = await this.#thread.call("write", [batch]).catch(() => 0);
      // Told with the next line that can be written; now it would fail as well.
      if (written < batch.length) this.#lost += lost + lines.length - written;
    } while (this.#lines.length > 0);
    this.#writing = undefined;
  }
}
