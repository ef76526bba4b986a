/**
 * A cursor as the commands use it, by its name, wherever it is: in a file, in Redis, or at a server. Apart from `moves.ts`
 * because `fibserver n` needs none of it.
 * @module
 */
import type { CursorRequest, Outcome, Position } from "../cursor/moves.ts";
import { FibError, isPassing } from "../errors.ts";
import { printPosition, textAt } from "./answer.ts";
import { noCursor, type Place, type ShellCursor, type Shown, wasRemoved } from "./cursor-place.ts";
import { type Letter, LETTERS } from "./letters.ts";
import type { LocalCursor } from "./open-cursor.ts";

/** How soon a watcher hears that its file has failed, or is gone. */
const CHECK_MS = 1000;

/**
 * Opens a cursor for a command.
 *
 * @param json - A program reads the errors, and wants no notices among them.
 * @param makes - Letters make the default cursor where there is none.
 * @throws {@link FibError} as the place does; `output_failed`, before anything has moved.
 */
export async function openCursor(place: Place, json: boolean, makes: boolean): Promise<ShellCursor> {
  const { server, config, name } = place;
  if (server === undefined)
    return new Here(place, await (await import("./open-cursors.ts")).openLocalCursor(config, name, makes));
  const { openRemoteCursor } = await import("./remote.ts");
  return openRemoteCursor(server, place, json);
}

/** Makes the moves one after the other, as `runMoves` does, wherever the cursor is. */
export async function runLetters(place: Place, letters: readonly Letter[], json: boolean): Promise<void> {
  if (place.config?.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
  const work = async (cursor: ShellCursor) => {
    for (const letter of letters) await moveAndPrint(cursor, letter, json);
  };
  await withCursor(place, json, work, true);
}

/** Opens a cursor as {@link openCursor} does, and gives it back when the work is done. */
export async function withCursor(
  place: Place,
  json: boolean,
  work: (cursor: ShellCursor) => Promise<void>,
  makes = false,
): Promise<void> {
  const cursor = await openCursor(place, json, makes);
  try {
    await work(cursor);
  } finally {
    await cursor.close();
  }
}

/**
 * Makes one move and prints the number once the move is on disk.
 *
 * @throws {@link FibError} `output_failed`, which says where the cursor is now; others as the cursor does.
 */
export async function moveAndPrint(cursor: ShellCursor, letter: Letter, json: boolean): Promise<void> {
  const { index, value } = await cursor[LETTERS[letter]]();
  printPosition(index, value, letter, json);
}

/** A cursor that is moved from here: in a file, or in Redis. */
class Here implements ShellCursor {
  readonly name: string;
  readonly #place: Place;
  readonly #cursor: LocalCursor;

  constructor(place: Place, cursor: LocalCursor) {
    this.name = place.name;
    this.#place = place;
    this.#cursor = cursor;
  }

  get failure(): FibError | undefined {
    return this.#cursor.failure;
  }

  current = () => this.#show({ operation: "current" });
  next = () => this.#show({ operation: "next" });
  previous = () => this.#show({ operation: "previous" });
  set = (target: number) => this.#show({ operation: "set", target });

  async remove(): Promise<void> {
    await this.#ask({ operation: "remove" });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<Shown> {
    let told: Position | undefined;
    let end: FibError | undefined;
    let news = Promise.withResolvers<void>();
    const wake = () => news.resolve();
    signal.addEventListener("abort", wake);
    const stop = this.#cursor.watch((position) => {
      // One that is made again is another.
      if (position === undefined) end ??= wasRemoved(this);
      if (end === undefined) told = position;
      wake();
    });
    // Who only listens does not hear that nothing more can come.
    const check = (outcome: Outcome) => {
      if (!(outcome instanceof FibError) || isPassing(outcome) || outcome.code === "cursor_locked") return;
      end ??= outcome.code === "cursor_unknown" ? wasRemoved(this) : outcome;
      wake();
    };
    let checking: Timer | undefined;
    try {
      const first = await this.#ask({ operation: "current" });
      checking = setInterval(() => void this.#cursor.submit({ operation: "current" }, check), CHECK_MS);
      told ??= first;
      for (let shown: Position | undefined; ;) {
        signal.throwIfAborted();
        if (told.generation !== shown?.generation) {
          shown = told;
          yield await positionAt(shown);
        } else if (end !== undefined) {
          throw end;
        } else {
          await news.promise;
          news = Promise.withResolvers();
        }
      }
    } finally {
      clearInterval(checking);
      stop();
    }
  }

  close(): Promise<void> {
    return this.#cursor.close();
  }

  async #show(request: CursorRequest): Promise<Shown> {
    return positionAt(await this.#ask(request));
  }

  async #ask(request: CursorRequest): Promise<Position> {
    const outcome = await this.#cursor.submit(request, (result) => result);
    if (!(outcome instanceof FibError)) return outcome;
    throw outcome.code === "cursor_unknown" ? noCursor(this.#place) : outcome;
  }
}

async function positionAt({ index }: Position): Promise<Shown> {
  return { index, value: await textAt(index) };
}
