/** A thread for thread.test.ts. @module */
import fs from "node:fs";
import { FibError } from "../src/errors.ts";
import { answerCalls } from "../src/thread.ts";

export class Echo {
  #count = 0;

  /** Counts the calls, and gives back what it got. */
  echo(text: string): [number, string] {
    return [++this.#count, text];
  }

  sizeOf(bytes: Uint8Array): number {
    return bytes.length;
  }

  refuse(): never {
    throw new FibError("tasks_io", "no");
  }

  crash(): never {
    throw new TypeError("oh");
  }

  /** Waits until somebody writes into the FIFO, as for a disk. */
  wait(fifo: string): void {
    fs.readFileSync(fifo);
  }
}

answerCalls(new Echo());
