/**
 * Progress on a terminal, for work that takes a while: one line on stderr, with the time that is left.
 *
 * Drawn here and not by cli-progress, which switches the terminal's line wrap off: a process that is killed leaves it so.
 * This line is cut to the width of the terminal, nothing is switched, and what a signal ends leaves the line at most.
 *
 * Most work is too short to show anything, so whether there is a terminal is asked when there is something to show:
 * node:tty takes 1.7 ms to load.
 * @module
 */

const STDERR = 2;
/** Work that is shorter than this shows nothing. */
const SILENT_MS = 500;
const REDRAW_MS = 100;
/** Less than both tells nothing of the end: 0.001% in 3 s once promised 4 h for what took 15 s. */
const TELLING_FRACTION = 0.01;
const TELLING_MS = 1000;
const BAR_CHARS_MAX = 40;
const COLUMNS_DEFAULT = 80;

/** How far something is. */
export interface Progress {
  /** @param fraction - The part that is done, from 0 to 1. One that goes back begins anew; the same again redraws. */
  readonly update: (fraction: number) => void;
  /** Shows a word in place of the bar, as long as nothing can be said about the part that is done. */
  readonly say: (word: string) => void;
  /** Takes the line away, for good or until there is more to show. */
  readonly clear: () => void;
}

/**
 * Shows how far something is, if stderr is a terminal that can redraw a line.
 *
 * @param what - Stands before the bar.
 * @param isQuiet - Nobody wants to see it.
 * @param mayDraw - Asked when there is something to show.
 */
export function openProgress(what: string, isQuiet: boolean, mayDraw = () => true): Progress {
  if (isQuiet) return { update: () => {}, say: () => {}, clear: () => {} };
  let canDraw: boolean | undefined;
  const openedMs = performance.now();
  let begin: { readonly fraction: number; readonly ms: number } | undefined;
  let last = 0;
  let endMs = Number.NaN;
  let drawnMs = 0;
  let isDrawn = false;
  const draw = (line: (nowMs: number, columns: number) => string): void => {
    const nowMs = performance.now();
    if (canDraw === false || nowMs - openedMs < SILENT_MS || nowMs - drawnMs < REDRAW_MS) return;
    canDraw ??=
      process.env["TERM"] !== "dumb" && process.getBuiltinModule("node:tty").isatty(STDERR) && mayDraw();
    if (!canDraw || !isForeground()) return;
    drawnMs = nowMs;
    isDrawn = true;
    const columns = terminalColumns();
    put(`\r${line(nowMs, columns).slice(0, columns - 1)}\x1b[K`);
  };
  return {
    update: (fraction) => {
      const nowMs = performance.now();
      // Since the first report: what comes before it, as reading the number, is no part of what is told.
      if (begin === undefined || fraction < last) begin = { fraction, ms: nowMs };
      const [done, tookMs] = [fraction - begin.fraction, nowMs - begin.ms];
      // The mean speed so far: that of the last moment would make the end jump.
      if (done < TELLING_FRACTION && tookMs < TELLING_MS) endMs = Number.NaN;
      else if (fraction !== last) endMs = nowMs + ((1 - fraction) * tookMs) / done;
      last = fraction;
      draw((drawMs, columns) => barLine(what, fraction, timeLeft(endMs - drawMs), columns));
    },
    say: (word) => {
      begin = undefined;
      draw((_, columns) => {
        const name = named(what, `: ${word} `, columns);
        return name === "" ? `${word} ` : `${name}: ${word} `;
      });
    },
    clear: () => {
      if (isDrawn && isForeground()) put("\r\x1b[K");
      isDrawn = false;
    },
  };
}

/** Shows how far a computation on this thread is, with the time that is left; takes the line away however it ends. */
export function showing<T>(
  what: string,
  isQuiet: boolean,
  compute: (onProgress: Progress["update"]) => T,
): T {
  const { update, clear } = openProgress(what, isQuiet);
  try {
    return compute(update);
  } finally {
    clear();
  }
}

/** Rounded to what can be known; empty when nothing is. */
function timeLeft(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (!(seconds >= 1 && Number.isFinite(seconds))) return "";
  if (seconds < 20) return `, about ${seconds} s left`;
  if (seconds < 90) return `, about ${5 * Math.round(seconds / 5)} s left`;
  const minutes = Math.round(seconds / 60);
  return `, about ${minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`} left`;
}

function barLine(what: string, fraction: number, known: string, columns: number): string {
  const percent = `${Math.floor(fraction * 100)}%`.padStart(5);
  // Half a number would be another one.
  const left = percent.length + known.length < columns ? known : "";
  const name = named(what, `${percent}${left} `, columns);
  const chars = Math.min(BAR_CHARS_MAX, columns - name.length - ` []${percent}${left}  `.length);
  const doneChars = Math.floor(fraction * chars);
  const bar = chars < 5 ? "" : ` [${"=".repeat(doneChars)}${"-".repeat(chars - doneChars)}]`;
  return `${name}${bar}${percent}${left} `;
}

/** As much of a name as leaves room for what is to be told; empty where there is none. */
function named(what: string, told: string, columns: number): string {
  const chars = columns - 1 - told.length;
  if (what.length <= chars) return what;
  return chars < 2 ? "" : `${what.slice(0, chars - 1)}…`;
}

/** A job that was sent to the background leaves the line to the shell and its prompt. */
function isForeground(): boolean {
  const [, , group, , , foreground] = process
    .getBuiltinModule("node:fs")
    .readFileSync("/proc/self/stat", "latin1")
    .split(") ")
    .at(-1)!
    .split(" ");
  return group === foreground || Number(foreground) <= 0;
}

/** Asked for each time: that a window was resized is told by a signal, which waits until this thread gives way. */
function terminalColumns(): number {
  const terminal = process.stderr as typeof process.stderr & { _refreshSize?: () => void };
  terminal._refreshSize?.();
  return terminal.columns || COLUMNS_DEFAULT;
}

function put(text: string): void {
  try {
    process.getBuiltinModule("node:fs").writeSync(STDERR, text);
  } catch {
    // The terminal is gone; the work goes on.
  }
}
