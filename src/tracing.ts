/**
 * What a trace is made of, as those who take part in one see it: no package, and nothing at all while nobody traces.
 *
 * A span begets the spans below it, so who does a part of the work needs no tracer and no context that follows promises
 * (AsyncLocalStorage costs each of them). What crosses a process is a `traceparent`, one line of text. `serving/traces.ts`
 * fills this in with OpenTelemetry's packages.
 * @see https://www.w3.org/TR/trace-context/
 * @module
 */

/** What is known of a span, by OpenTelemetry's names where there are some. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A part of the work that has begun. */
export interface Span {
  /** Names it to a process elsewhere. */
  readonly traceparent: string;
  /** Begins a part of it. @param startedAtMs - Since 1970; now, unless it began before. */
  readonly child: (name: string, attributes?: Attributes, startedAtMs?: number) => Span;
  /** Says more of it. */
  readonly tell: (attributes: Attributes) => void;
  /**
   * Ends it; again is nothing.
   *
   * @param failure - Why it has failed, without what is secret.
   * @param endedAtMs - Since 1970; now, by default.
   */
  readonly end: (failure?: string, endedAtMs?: number) => void;
}

/** How a span begins that is no child of one in this process. */
interface SpanStart {
  /** Whose child it is, as `traceparent`; a new trace begins where there is none, or what is none. */
  readonly parent: string | undefined;
  /** Who waits for it: a client, or nobody now. */
  readonly kind: "server" | "consumer";
  readonly attributes: Attributes;
  /** Since 1970; now, by default. */
  readonly startedAtMs?: number;
}

/** Begins spans. */
export interface Tracer {
  readonly start: (name: string, start: SpanStart) => Span;
}

/** Who has asked for something that outlives the request: for the log and for traces. */
export interface Origin {
  readonly requestId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** What the clock of `performance` said, since 1970, to the microsecond. */
export function epochMs(clockMs = performance.now()): number {
  return performance.timeOrigin + clockMs;
}
