/**
 * Log lines on stderr: JSON where a program reads them, text on a terminal.
 *
 * Lines that repeat are throttled, so a client that makes the same error a thousand
 * times a second does not fill a disk: after {@link BURST_COUNT} lines of one kind the
 * rest of the window is counted, and the count is written when the window ends.
 * Loaded by the server only; a shell command writes its one line itself.
 * @module
 */
import {
  configure,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogRecord,
  type Sink,
} from "@logtape/logtape";
import fs from "node:fs";

export type { Logger } from "@logtape/logtape";

/** Lines of one kind that are written in one window. */
export const BURST_COUNT = 10;
const WINDOW_MS = 10_000;

/**
 * Sets the log up for this process.
 *
 * @param debug - Also the lines at debug level, which are never throttled: they were asked for.
 * @returns The logger that everything uses.
 */
export async function openLog(debug: boolean): Promise<Logger> {
  const format = process.stderr.isTTY
    ? getTextFormatter({ timestamp: "time", level: "full" })
    : getJsonLinesFormatter({ properties: "flatten" });
  await configure({
    sinks: { stderr: throttled((record) => writeLine(format(record))) },
    loggers: [
      { category: "fibserver", sinks: ["stderr"], lowestLevel: debug ? "debug" : "info" },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
  return getLogger("fibserver");
}

/** A way to tell finished texts, in which a brace is a brace: file names have them. */
export function noticesTo(log: Logger): (notice: string) => void {
  return (notice) => log.warn("{notice}", { notice });
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

// A log that cannot be written must not end the server.
function writeLine(line: string): void {
  try {
    fs.writeSync(2, line);
  } catch {}
}
