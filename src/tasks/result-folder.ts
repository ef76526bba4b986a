/**
 * Long results, each in a file of its own, in one folder.
 *
 * A file gets its name when all of it is on disk: written under a temporary name, synced, renamed, and the folder
 * synced. So a name that is there leads to a whole result, and `ready` is committed only after it. The name is that of
 * the task and of the attempt that computed it: whoever was given up cannot remove, or be mistaken for, what its
 * successor has written.
 *
 * All but {@link openResultFile} blocks, and so has a thread of its own (see thread.ts). Only names of ours are
 * touched: whatever else is in the folder was put there by somebody.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import type { StoredResult } from "./queue.ts";
import type { Task } from "./task.ts";

/** A task's id, its attempt (which the first release left out), and the rest of a name on its way. */
const OUR_NAME = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?:\.\d+)?(?:\.tmp)?$/;

/** The folder, as its thread has it. */
export class ResultFolder {
  #folder = "";
  /** Whether the folder's own name is on disk. */
  #isDurable = false;

  /**
   * Removes what no task owns: half-written results, and those that were forgotten when their process died.
   *
   * @param folder - Created when the first result is put there.
   * @param owners - Every task that has a file.
   * @returns The ids whose file is missing or has another size.
   * @throws {@link FibError} `tasks_io`.
   */
  open(folder: string, owners: readonly Pick<Task, "id" | "attempts" | "sizeBytes">[]): string[] {
    this.#folder = folder;
    return this.#io("read", folder, () => {
      for (const owner of owners) this.#renameOld(owner);
      const sizes = new Map(owners.map((owner) => [resultName(owner), owner.sizeBytes]));
      const isWhole = new Set<string>();
      for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
        const sizeBytes = fs.lstatSync(path.join(folder, name), { throwIfNoEntry: false })?.size;
        if (sizes.get(name) === sizeBytes) isWhole.add(name);
        else if (OUR_NAME.test(name)) this.#tryRemove(name);
      }
      return owners.filter((owner) => !isWhole.has(resultName(owner))).map(({ id }) => id);
    });
  }

  /**
   * Puts a result on disk, whole or not at all.
   *
   * @param name - See {@link resultName}.
   * @throws {@link FibError} `tasks_io`.
   */
  put(name: string, digits: Uint8Array): void {
    const file = path.join(this.#folder, name);
    const temporary = `${file}.tmp`;
    try {
      this.#io("store", file, () => {
        fs.mkdirSync(this.#folder, { recursive: true });
        writeSynced(temporary, digits);
        fs.renameSync(temporary, file);
        syncFolder(this.#folder);
        // Also when it was there: its maker may have died before this.
        if (!this.#isDurable) syncFolder(path.dirname(this.#folder));
        this.#isDurable = true;
      });
    } catch (error) {
      this.#tryRemove(`${name}.tmp`);
      throw error;
    }
  }

  /** Removes a result if it is there; a reader that has it open goes on. */
  remove(name: string): void {
    this.#tryRemove(name);
  }

  // What the first release has stored is named after its task alone.
  #renameOld(owner: Pick<Task, "id" | "attempts">): void {
    try {
      fs.renameSync(path.join(this.#folder, owner.id), path.join(this.#folder, resultName(owner)));
    } catch {
      // There is none, which is the rule.
    }
  }

  // What cannot be removed now is tried again by the next start; a folder with such a name is not ours.
  #tryRemove(name: string): void {
    try {
      fs.unlinkSync(path.join(this.#folder, name));
    } catch {}
  }

  #io<T>(action: string, file: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw ioError(action, file, error);
    }
  }
}

/** The name of a task's file. */
export function resultName({ id, attempts }: Pick<Task, "id" | "attempts">): string {
  return `${id}.${attempts}`;
}

/** Opens a result for reading, piece by piece, on Bun's threads. @throws {@link FibError} `tasks_io`. */
export async function openResultFile(file: string): Promise<StoredResult> {
  const fd = await onThread<number>(file, (done) => fs.open(file, "r", done));
  const { size: sizeBytes } = fs.fstatSync(fd);
  let isReading = false;
  let isOpen = true;
  // Not while another thread reads: the number of a closed descriptor is soon somebody else's.
  const closeUnread = () => {
    if (!isOpen && !isReading) fs.closeSync(fd);
  };
  const read = async (start: number, end: number) => {
    const chunk = new Uint8Array(end - start);
    isReading = true;
    try {
      const length = await onThread<number>(file, (done) => fs.read(fd, chunk, 0, chunk.length, start, done));
      if (length === chunk.length) return chunk;
      throw new FibError("tasks_io", `Cannot read ${file}: it ends at ${start + length}`);
    } finally {
      isReading = false;
      closeUnread();
    }
  };
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    closeUnread();
  };
  return { sizeBytes, read, close };
}

/** A call that Bun makes on one of its threads. */
function onThread<Value>(
  file: string,
  call: (done: (error: Error | null, value: Value) => void) => void,
): Promise<Value> {
  return new Promise((resolve, reject) =>
    call((error, value) => (error ? reject(ioError("read", file, error)) : resolve(value))),
  );
}

function writeSynced(file: string, bytes: Uint8Array): void {
  const fd = fs.openSync(file, "w");
  try {
    for (let written = 0; written < bytes.length;) written += fs.writeSync(fd, bytes, written);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function ioError(action: string, file: string, error: unknown): FibError {
  if (error instanceof FibError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new FibError("tasks_io", `Cannot ${action} ${file}: ${reason}`, { cause: error });
}
