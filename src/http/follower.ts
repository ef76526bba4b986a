/**
 * One connection that is told where a cursor is, with its backpressure: a stream of text that holds one event at most.
 * @module
 */
import { BEGINNING } from "./event-stream.ts";
import type { SentBytes } from "./sent.ts";

/** An event, as it is sent. */
export interface SentEvent {
  /** undefined for one that nobody can know before. */
  readonly id: string | undefined;
  readonly text: string;
}

/** Who is told of one who follows. */
export interface FollowerHooks<Channel> {
  /** Its connection has taken all that there was. */
  readonly onReady: (follower: Follower<Channel>) => void;
  readonly onLeft: (follower: Follower<Channel>) => void;
  readonly sentBytes: SentBytes;
}

/** One who follows a cursor: what its connection reads from. An object of a class, as there are ten thousand. */
export class Follower<Channel> {
  readonly channel: Channel;
  /** The event that it was sent last. */
  seenText: string | undefined;
  /** The id of the event that it says it knows. */
  readonly #lastId: string | undefined;
  /** When it was sent something. */
  sentMs = performance.now();
  readonly #end: () => void;
  readonly #hooks: FollowerHooks<Channel>;
  #controller: ReadableStreamDefaultController<string> | undefined;
  /** Nobody holds it: what was sent is to be read first. */
  #isAwaited = true;
  #pendingBytes = BEGINNING.length;
  #isOver = false;

  constructor(channel: Channel, lastId: string | undefined, end: () => void, hooks: FollowerHooks<Channel>) {
    this.channel = channel;
    this.#lastId = lastId;
    this.#end = end;
    this.#hooks = hooks;
  }

  /** Whether it has been told an event. What it says of itself counts for the first one. */
  knows({ id, text }: SentEvent): boolean {
    return this.seenText === undefined ? id !== undefined && id === this.#lastId : text === this.seenText;
  }

  start(controller: ReadableStreamDefaultController<string>): void {
    this.#controller = controller;
    controller.enqueue(BEGINNING);
    // A stop may come before the stream.
    if (this.#isOver) controller.close();
  }

  /** The connection has taken all that there was. */
  pull(): void {
    this.#hooks.sentBytes.add(this.#pendingBytes);
    this.#pendingBytes = 0;
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#hooks.onReady(this);
  }

  /** The client has left, or was slow for too long. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#hooks.onLeft(this);
    this.#end();
  }

  /** @returns false when the connection takes nothing now; {@link pull} comes when it does. */
  send(text: string, nowMs: number): boolean {
    if (this.#controller!.desiredSize! <= 0) {
      this.#isAwaited = true;
      return false;
    }
    this.sentMs = nowMs;
    this.#controller!.enqueue(text);
    // Digits and names of members: each character is a byte.
    this.#pendingBytes = text.length;
    return true;
  }

  /** Ends the stream, behind what was sent. */
  close(): void {
    if (this.#isOver) return;
    this.cancel();
    this.#controller?.close();
  }
}
