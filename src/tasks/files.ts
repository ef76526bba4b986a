/**
 * Long results, each in a file of its own, in one folder.
 *
 * A file gets its name when all of it is on disk: written under a temporary name, synced, renamed, and the folder
 * synced. So a name that is there leads to a whole result, and `ready` is committed only after it.
 * Everything that may wait for a disk does so on another thread; only opening the folder, at the start, blocks.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import type { StoredResult } from "./queue.ts";

/** A name on its way to becoming a result. */
const TEMPORARY = ".tmp";

/** The folder of results. */
export class ResultFiles {
  readonly #folder: string;

  /** @param folder - Created when the first result is put there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Removes what no task owns: half-written results, and those that were forgotten when their process died.
   *
   * @param owners - Every id that has a file, with its size.
   * @returns The ids whose file is missing or has another size.
   * @throws {@link FibError} `tasks_io`.
   */
  reconcile(owners: ReadonlyMap<string, number>): string[] {
    return this.#io("read", () => {
      const lost = new Set(owners.keys());
      const names = fs.existsSync(this.#folder) ? fs.readdirSync(this.#folder) : [];
      for (const name of names) {
        const file = path.join(this.#folder, name);
        if (owners.has(name) && fs.statSync(file).size === owners.get(name)) lost.delete(name);
        else fs.rmSync(file, { force: true });
      }
      return [...lost];
    });
  }

  /**
   * Puts a result on disk, whole or not at all.
   *
   * @throws {@link FibError} `tasks_io`.
   */
  async put(id: string, digits: Uint8Array): Promise<void> {
    const file = path.join(this.#folder, id);
    // A name of its own for each attempt: one that was given up may still be writing.
    const temporary = `${file}.${crypto.randomUUID()}${TEMPORARY}`;
    try {
      if (fs.mkdirSync(this.#folder, { recursive: true }) !== undefined) {
        await syncFolder(path.dirname(this.#folder));
      }
      const handle = await fs.promises.open(temporary, "w");
      try {
        await handle.writeFile(digits);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await fs.promises.rename(temporary, file);
      await syncFolder(this.#folder);
    } catch (error) {
      await fs.promises.rm(temporary, { force: true }).catch(() => {});
      throw ioError("store", file, error);
    }
  }

  /** Removes a result if it is there; a reader that has it open goes on. */
  async remove(id: string): Promise<void> {
    // One that cannot be removed now is removed by the next start.
    await fs.promises.rm(path.join(this.#folder, id), { force: true }).catch(() => {});
  }

  /** Opens a result. @throws {@link FibError} `tasks_io`. */
  open(id: string): StoredResult {
    const file = path.join(this.#folder, id);
    return this.#io("read", () => {
      const fd = fs.openSync(file, "r");
      const { size: sizeBytes } = fs.fstatSync(fd);
      return new ResultFile(file, fd, sizeBytes);
    });
  }

  #io<T>(action: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw ioError(action, this.#folder, error);
    }
  }
}

class ResultFile implements StoredResult {
  readonly sizeBytes: number;
  readonly #file: string;
  readonly #fd: number;
  #reading = false;
  #closed = false;

  constructor(file: string, fd: number, sizeBytes: number) {
    this.#file = file;
    this.#fd = fd;
    this.sizeBytes = sizeBytes;
  }

  readonly read = async (start: number, end: number): Promise<Uint8Array> => {
    const chunk = new Uint8Array(end - start);
    this.#reading = true;
    let length: number;
    try {
      length = await this.#pread(chunk, start);
    } finally {
      this.#reading = false;
      if (this.#closed) fs.closeSync(this.#fd);
    }
    if (length !== chunk.length)
      throw new FibError("tasks_io", `Cannot read ${this.#file}: it ends at ${start}`);
    return chunk;
  };

  // Not while another thread reads: the number of a closed descriptor is soon somebody else's.
  readonly close = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#reading) fs.closeSync(this.#fd);
  };

  #pread(chunk: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, chunk, 0, chunk.length, position, (error, length) =>
        error ? reject(ioError("read", this.#file, error)) : resolve(length),
      );
    });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.promises.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function ioError(action: string, file: string, error: unknown): FibError {
  if (error instanceof FibError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new FibError("tasks_io", `Cannot ${action} ${file}: ${reason}`, { cause: error });
}
