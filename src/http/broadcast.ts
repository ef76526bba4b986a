/**
 * Where cursors are, told to all who follow them: one pump for all cursors of a server.
 *
 * Whoever follows is in one of four states: it knows the last position (`idle`, of its cursor); it is behind (`due`, in
 * the order in which they got there); it was told something a moment ago (`resting`); or its socket takes nothing,
 * and then nothing holds it but its connection, until that pulls. A change makes those due who are idle, so what it
 * costs is paid by events that are sent: a cursor that moves 100,000 times a second, for 10,000 who follow it, costs
 * a few looks at two sets for most moves. What is sent is always the newest, so nothing is kept for those who are slow,
 * and the last position is never left out. Its text is made once, and only if somebody is told.
 *
 * One who follows costs 3.5 KB (6 with the request and an AbortSignal kept), and an event 9 to 13 µs of CPU over loopback,
 * three quarters of them in the kernel's `send`. Tried: direct streams (the same CPU and memory, but `write` tells
 * nothing of a slow reader), generators (2 µs more, and 25 MB for 10,000 under load), bytes in the place of strings (no
 * gain), a listener of each at the cursor (10,000 calls for each group of moves: nothing else would run).
 * @module
 */
import type { CursorService, Listener, Position } from "../cursor/moves.ts";
import { FibError } from "../errors.ts";
import { termDigits } from "../numbers/offsets.ts";
import { HEARTBEAT } from "./event-stream.ts";
import { Follower, type FollowerHooks, type SentEvent } from "./follower.ts";
import type { SentBytes } from "./sent.ts";

/** Between two events for one who follows: 20 a second at most. */
const REST_MS = 50;
/** Between two turns of the pump, and events in one: 20,000 a second at most, 1 ms of work at a time. */
const TURN_MS = 5;
const TURN_EVENTS_MAX = 100;
/** A turn takes no more than this part of the time until the next one: the rest is for those who move. */
const TURN_SHARE_MAX = 0.16;
/** After such a silence a comment is sent. */
const SILENCE_MS = 15_000;
const SILENCE_LOOK_MS = 1000;
/** A value that is longer is not told, nor computed. */
const VALUE_DIGITS_MAX = 1000;

/** What the pump needs. */
export interface BroadcastServices {
  readonly valueAt: (index: number) => string | Promise<string>;
  /** Aborted when a stop has begun. */
  readonly stopSignal: AbortSignal;
  readonly onBug: (error: unknown, requestId?: string) => void;
  readonly sentBytes: SentBytes;
}

/** What all who follow a cursor are told. */
const REMOVED: SentEvent = { id: undefined, text: "event: removed\ndata: {}\n\n" };

/** A cursor that somebody follows. */
interface Channel {
  readonly name: string;
  readonly followers: Set<Follower<Channel>>;
  /** Those who know all there is to know. */
  readonly idle: Set<Follower<Channel>>;
  /** Where the cursor is; undefined before that is known. */
  position: Position | undefined;
  /** The text for that position, or while a value is being computed for one before it. */
  event: { readonly position: Position; readonly told: SentEvent } | undefined;
  isComputing: boolean;
  /** It was removed: those who follow are told so, and that is all. */
  isOver: boolean;
  /** Ends the watch. */
  leave: () => void;
}

/** Tells those who follow cursors where these are. One for each server. */
export class Broadcast {
  readonly #services: BroadcastServices;
  readonly #channels = new Map<string, Channel>();
  readonly #due = new Set<Follower<Channel>>();
  readonly #resting = new Set<Follower<Channel>>();
  #turn: Timer | undefined;
  #turnAtMs = Number.POSITIVE_INFINITY;
  /** There is no turn before this. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #silence: Timer | undefined;
  readonly #hooks: FollowerHooks<Channel> = {
    onReady: (follower) => this.#makeDue(follower),
    onLeft: (follower) => this.#drop(follower),
    sentBytes: { add: (sizeBytes) => this.#services.sentBytes.add(sizeBytes) },
  };

  constructor(services: BroadcastServices) {
    this.#services = services;
    services.stopSignal.addEventListener("abort", () => {
      for (const { followers } of this.#channels.values()) for (const follower of followers) follower.close();
    });
  }

  /**
   * The events of a cursor: where it is now, unless that is known, and after each change.
   *
   * @param lastId - The id of the last event that the client has seen.
   * @param end - Called once, when the stream is over.
   * @throws {@link FibError} `cursor_unknown`, and what else the cursor says.
   */
  async follow(
    name: string,
    cursor: CursorService,
    lastId: string | undefined,
    end: () => void,
  ): Promise<ReadableStream<string>> {
    const channel = this.#channels.get(name) ?? this.#open(name, cursor);
    const follower = new Follower(channel, lastId, end, this.#hooks);
    // From now on the channel is held, and what happens in the meantime is heard.
    channel.followers.add(follower);
    try {
      // Not what was told last: of a move that was answered to this client it may not have been told yet.
      const outcome = await cursor.submit({ operation: "current" }, (result) => result);
      if (outcome instanceof FibError) throw outcome;
      if (channel.position === undefined) this.#tell(channel, outcome);
    } catch (error) {
      follower.close();
      throw error;
    }
    if (this.#services.stopSignal.aborted) follower.close();
    return new ReadableStream<string>(follower);
  }

  #open(name: string, cursor: CursorService): Channel {
    const channel: Channel = {
      name,
      followers: new Set(),
      idle: new Set(),
      position: undefined,
      event: undefined,
      isComputing: false,
      isOver: false,
      leave: () => {},
    };
    const listener: Listener = (position) => this.#tell(channel, position);
    channel.leave = cursor.watch(listener);
    this.#channels.set(name, channel);
    this.#silence ??= setInterval(() => this.#breakSilence(), SILENCE_LOOK_MS);
    return channel;
  }

  #drop(follower: Follower<Channel>): void {
    const { channel } = follower;
    for (const set of [channel.followers, channel.idle, this.#due, this.#resting]) set.delete(follower);
    // One that is over is closed, and a cursor that was made anew under the name is another one.
    if (channel.followers.size === 0 && !channel.isOver) this.#close(channel);
  }

  #close(channel: Channel): void {
    channel.leave();
    this.#channels.delete(channel.name);
    if (this.#channels.size > 0) return;
    clearInterval(this.#silence);
    this.#silence = undefined;
  }

  #tell(channel: Channel, position: Position | undefined): void {
    if (position === undefined) {
      channel.isOver = true;
      this.#close(channel);
    } else {
      channel.position = position;
    }
    this.#rouse(channel);
  }

  #rouse({ idle }: Channel): void {
    for (const follower of idle) this.#due.add(follower);
    idle.clear();
    if (this.#due.size > 0) this.#plan(0);
  }

  #makeDue(follower: Follower<Channel>): void {
    this.#due.add(follower);
    this.#plan(0);
  }

  /** Has a turn in so many milliseconds, unless one comes sooner. */
  #plan(waitMs: number): void {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs + waitMs, this.#quietUntilMs);
    if (atMs >= this.#turnAtMs) return;
    clearTimeout(this.#turn);
    // Bun leaves out a fraction, and 4 ms in the place of 4.9 are a quarter more events.
    this.#turnAtMs = atMs;
    this.#turn = setTimeout(() => this.#takeTurn(), Math.ceil(atMs - nowMs));
  }

  #takeTurn(): void {
    const nowMs = performance.now();
    this.#turnAtMs = Number.POSITIVE_INFINITY;
    for (const follower of this.#resting) {
      if (follower.sentMs + REST_MS > nowMs) break;
      this.#resting.delete(follower);
      this.#due.add(follower);
    }
    let sentCount = 0;
    for (const follower of this.#due) {
      if (sentCount === TURN_EVENTS_MAX) break;
      this.#due.delete(follower);
      if (this.#send(follower, nowMs)) sentCount++;
    }
    // Bun writes to the sockets behind this, which is nine tenths of the work.
    this.#quietUntilMs = Number.POSITIVE_INFINITY;
    setImmediate(() => this.#endTurn(nowMs));
  }

  #endTurn(startMs: number): void {
    const nowMs = performance.now();
    this.#quietUntilMs = startMs + Math.max(TURN_MS, (nowMs - startMs) / TURN_SHARE_MAX);
    if (this.#due.size > 0) this.#plan(0);
    const [next] = this.#resting;
    if (next !== undefined) this.#plan(next.sentMs + REST_MS - nowMs);
  }

  /** Brings one that is due up to date. @returns whether anything was sent. */
  #send(follower: Follower<Channel>, nowMs: number): boolean {
    const { channel } = follower;
    const event = this.#eventOf(channel);
    const isNew = event !== undefined && !follower.knows(event);
    if (!isNew && nowMs - follower.sentMs < SILENCE_MS) {
      channel.idle.add(follower);
      return false;
    }
    if (!follower.send(isNew ? event.text : HEARTBEAT, nowMs)) return false;
    this.#resting.add(follower);
    if (isNew) follower.seenText = event.text;
    if (isNew && channel.isOver) follower.close();
    return true;
  }

  /** What to tell of a cursor: the last position, or while its value is being computed, one that was told before. */
  #eventOf(channel: Channel): SentEvent | undefined {
    const { position, event } = channel;
    if (channel.isOver) return REMOVED;
    if (position === undefined || channel.isComputing || event?.position === position) return event?.told;
    const made = this.#makeEvent(position);
    if (!(made instanceof Promise)) {
      channel.event = { position, told: made };
      return made;
    }
    void this.#awaitEvent(channel, position, made);
    return event?.told;
  }

  async #awaitEvent(channel: Channel, position: Position, made: Promise<SentEvent>): Promise<void> {
    channel.isComputing = true;
    channel.event = { position, told: await made };
    channel.isComputing = false;
    this.#rouse(channel);
  }

  #makeEvent({ index, generation }: Position): SentEvent | Promise<SentEvent> {
    const digits = termDigits(index);
    const eventWith = (rest: { value: string } | { digits: number }): SentEvent => {
      const data = JSON.stringify({ index: String(index), ...rest });
      return { id: String(generation), text: `event: position\nid: ${generation}\ndata: ${data}\n\n` };
    };
    if (digits > VALUE_DIGITS_MAX) return eventWith({ digits });
    // The position is what has to arrive, also where its value cannot be had.
    const without = (error: unknown) => {
      if (!(error instanceof FibError)) this.#services.onBug(error);
      return eventWith({ digits });
    };
    try {
      const value = this.#services.valueAt(index);
      if (typeof value === "string") return eventWith({ value });
      return value.then((text) => eventWith({ value: text }), without);
    } catch (error) {
      return without(error);
    }
  }

  #breakSilence(): void {
    const beforeMs = performance.now() - SILENCE_MS;
    for (const { idle } of this.#channels.values()) {
      for (const follower of idle) {
        if (follower.sentMs > beforeMs) continue;
        idle.delete(follower);
        this.#makeDue(follower);
      }
    }
  }
}
