/**
 * Log lines on stderr: JSON where a program reads them; for people time, level and message, in colour on a terminal.
 *
 * What came from outside (a path, a file's name) cannot forge a line: in the text a control character is shown as its
 * number. Only the stack of a bug has lines of its own, and they are indented.
 *
 * Lines that repeat are throttled, so a client that makes the same error a thousand
 * times a second does not fill a disk: after {@link BURST_COUNT} lines of one kind the
 * rest of the window is counted, and the count is written when the window ends.
 * Loaded by the server only; a shell command writes its one line itself.
 * @module
 */
import {
  configure,
  type FormattedValues,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogRecord,
  type Sink,
  type TextFormatter,
} from "@logtape/logtape";
import { FFIType } from "bun:ffi";
import tty from "node:tty";
import type { LogConfig } from "./config/log.ts";
import { CODES, FibError } from "./errors.ts";
import { openLibc } from "./libc.ts";
import { LogQueue } from "./log-queue.ts";
import type { LogWriter } from "./log-worker.ts";
import { visible } from "./shell-word.ts";
import { threadUrl } from "./thread-url.ts";
import { Thread } from "./thread.ts";
import { withoutTokens } from "./token.ts";

export type { Logger } from "@logtape/logtape";

/** Lines of one kind that are written in one window. */
export const BURST_COUNT = 10;
const WINDOW_MS = 10_000;
const POLLOUT = 4;

/**
 * Runs what has a log, the last line of which is written before the process ends, if its reader takes it in time.
 *
 * Lines at debug level are never throttled: they were asked for.
 *
 * @throws What `run` throws; but where the log's reader has stalled that would not be told either, and only the exit
 * status is set.
 */
export async function withLog(config: LogConfig, run: (log: Logger) => Promise<void>): Promise<void> {
  const format = formatOf(config);
  const queue = new LogQueue(new Thread<LogWriter>(threadUrl("log-worker.ts")), (count) =>
    format(lostRecord(count)),
  );
  await configure({
    sinks: { stderr: throttled((record) => queue.add(withoutTokens(format(record)))) },
    loggers: [
      { category: "fibserver", sinks: ["stderr"], lowestLevel: config.logLevel },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
  try {
    await run(getLogger("fibserver"));
  } catch (error) {
    // Whoever tells of the error writes it without the thread: not where that would wait for a reader.
    if ((await queue.end()) && takesLine()) throw error;
    process.exitCode = CODES[error instanceof FibError ? error.code : "internal"].exit;
    return;
  }
  await queue.end();
}

/** Whether stderr takes a line at once: a pipe then has room for 4,096 bytes. */
function takesLine(): boolean {
  const { ptr, u64, i32 } = FFIType;
  const { poll } = openLibc({ poll: { args: [ptr, u64, i32], returns: i32 } });
  // struct pollfd { int fd; short events; short revents; }
  const events = new Int16Array([2, 0, POLLOUT, 0]);
  return poll(events, 1, 0) === 1 && (events[3]! & POLLOUT) !== 0;
}

function formatOf({ logFormat }: LogConfig): TextFormatter {
  // Not `process.stderr`, which makes the descriptor non-blocking for everybody who shares it.
  const isTerminal = tty.isatty(2);
  const isText = logFormat === undefined ? isTerminal : logFormat === "text";
  return isText
    ? textFormat(isTerminal && isColourWanted())
    : getJsonLinesFormatter({ properties: "flatten" });
}

function lostRecord(count: number): LogRecord {
  const message = `Lines of the log were lost: ${count}; what reads it had stopped, or it could not be written`;
  return {
    category: ["fibserver"],
    level: "warning",
    timestamp: Date.now(),
    message: [message],
    rawMessage: message,
    properties: { lost: count },
  };
}

/** A way to tell finished texts, in which a brace is a brace: file names have them. */
export function noticesTo(log: Logger): (notice: string) => void {
  return (notice) => log.warn("{notice}", { notice });
}

/** A way to tell of bugs: with the stack, and the request in which it came up. */
export function bugsTo(log: Logger): (error: unknown, requestId?: string) => void {
  return (error, requestId) => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error("Something failed: {error}", { error: new Lines(stack ?? String(error)), requestId });
  };
}

/** A way to tell of what is wrong around the process; which request has met it stands beside it. */
export function faultsTo(log: Logger): (error: FibError, requestId?: string) => void {
  return ({ code, message }, requestId) => log.warn("{code}: {error}", { code, error: message, requestId });
}

/** A text of several lines, which people see as such; JSON has it as one string. */
class Lines {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

function textFormat(coloured: boolean): TextFormatter {
  const options = {
    timestamp: "time",
    level: "full",
    // There is one category.
    category: () => "",
    value: (value: unknown) =>
      value instanceof Lines ? value.text.split("\n").map(visible).join("\n    ") : visible(String(value)),
    format: ({ timestamp, level, message, record }: FormattedValues) => {
      const requestId = record.properties["requestId"] as string | undefined;
      return `${timestamp} ${level} ${message}${requestId === undefined ? "" : ` [${requestId}]`}`;
    },
  } as const;
  return coloured ? getAnsiColorFormatter(options) : getTextFormatter(options);
}

/** @see https://no-color.org */
function isColourWanted(): boolean {
  return !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}

/**
 * A sink that lets {@link BURST_COUNT} lines of a kind through in each window, and says how many it held back.
 * A kind is a level with a message before its values are put in.
 */
export function throttled(sink: Sink, windowMs = WINDOW_MS): Sink {
  const counts = new Map<string, number>();
  return (record) => {
    if (record.level === "debug") return sink(record);
    const kind = `${record.level} ${String(record.rawMessage)}`;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (count <= BURST_COUNT) sink(record);
    if (count === 1) setTimeout(() => endWindow(kind, record), windowMs).unref();
  };

  function endWindow(kind: string, first: LogRecord): void {
    const heldBack = (counts.get(kind) ?? 0) - BURST_COUNT;
    counts.delete(kind);
    if (heldBack <= 0) return;
    const message = `${heldBack} more lines like this one were held back: ${first.message.join("")}`;
    sink({ ...first, timestamp: Date.now(), message: [message], rawMessage: message, properties: {} });
  }
}
