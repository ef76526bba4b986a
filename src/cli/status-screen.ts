/**
 * How a server is, for people: a screen that fits into 60 columns, and one line.
 *
 * It says first whether all is well, then who may use it, then what it does, so that somebody who has never seen it
 * knows within a minute.
 * @module
 */
import type { Quantiles, ServerStatus } from "../client/client.ts";
import type { FibError } from "../errors.ts";
import { visible } from "../shell-word.ts";
import { type Page, wrap } from "./help.ts";

/** A line, and how it stands out; text of others in it may come from any server. */
interface Line {
  readonly text: string;
  readonly style?: keyof typeof STYLES;
}

/** Where it is shown. */
export interface Sheet extends Page {
  /** Lines end here, so that none takes a second row of a terminal; else they are whole. */
  readonly cutAt?: number;
}

/** Codes of ECMA-48. */
const STYLES = { title: 1, good: 32, warning: 33, bad: 31 } as const;

/** The screen. @param at - The server's address. */
export function statusScreen(status: ServerStatus, at: string, page: Sheet): string[] {
  const { version, uptimeSeconds, storage, cursor, lastMinute, tasks, computations, memory } = status;
  const { seconds, requestsPerSecond, movesPerSecond, errorsPerSecond } = lastMinute;
  const errors: Line = { text: measured("errors", rate(errorsPerSecond)) };
  return painted(page, [
    { text: `fibserver ${version} at ${at}, up ${duration(uptimeSeconds)}`, style: "title" },
    ...wellness(status, page),
    whoMay(status),
    { text: `cursor    ${cursor === null ? "not known now" : `index ${cursor.index}`}, kept in ${storage}` },
    { text: "" },
    { text: `the last ${seconds < 60 ? `${Math.floor(seconds)} s` : "minute"}`, style: "title" },
    { text: measured("", "a second", "half", "90 in 100", "99 in 100") },
    { text: measured("requests", rate(requestsPerSecond), ...times(lastMinute.requestSeconds)) },
    { text: measured("moves", rate(movesPerSecond)) },
    { text: measured("syncs", "", ...times(lastMinute.syncSeconds)) },
    errorsPerSecond > 0 ? { ...errors, style: "bad" } : errors,
    { text: "" },
    { text: `tasks     ${byState(tasks)}` },
    { text: `numbers   ${byState(computations)}` },
    { text: `memory    ${Math.round(memory.residentBytes / 1e6)} MB` },
  ]);
}

/** The screen of a server that does not tell how it is. @param seconds - For how long it has not. */
export function unknownScreen(error: FibError, at: string, seconds: number, page: Sheet): string[] {
  const text = `${unknownWord(error).toUpperCase()} for ${duration(seconds)}: ${error.message}`;
  return painted(page, [{ text: `fibserver at ${at}`, style: "title" }, ...wrapped(text, "bad", page)]);
}

/** The same in one line. */
export function unknownLine(error: FibError): string {
  return visible(`${unknownWord(error)}: ${error.message}`);
}

/** Who is refused has found a server: a token is missing, not a machine. */
function unknownWord({ code }: FibError): string {
  return code === "unreachable" ? "away" : "refused";
}

/** The same in one line, for a file or a pipe. */
export function statusLine({ ready, problems, lastMinute, tasks }: ServerStatus): string {
  const { requestsPerSecond, movesPerSecond, errorsPerSecond, requestSeconds, syncSeconds } = lastMinute;
  const trouble = problems.map(({ part, detail }) => `${part}: ${detail}`);
  return visible(
    [
      [ready ? "ready" : "not ready", ...trouble].join(", "),
      `requests ${rate(requestsPerSecond)}/s`,
      `moves ${rate(movesPerSecond)}/s`,
      `errors ${rate(errorsPerSecond)}/s`,
      `99 in 100 requests within ${time(requestSeconds.p99)}`,
      `syncs within ${time(syncSeconds.p99)}`,
      `tasks ${byState(tasks)}`,
    ].join("; "),
  );
}

function wellness({ ready, problems }: ServerStatus, page: Sheet): Line[] {
  const told = (label: string, style: keyof typeof STYLES) =>
    problems.flatMap(({ part, detail }) => wrapped(`${label}${part}: ${detail}`, style, page));
  // The rest goes on without them.
  if (ready) return [{ text: "ready", style: "good" }, ...told("BUT ", "warning")];
  if (problems.length === 0) return [{ text: "NOT READY: it is stopping", style: "bad" }];
  return told("NOT READY: ", "bad");
}

function whoMay({ access: { from, tokens, tls } }: ServerStatus): Line {
  const who = from === "machine" ? "programs on this machine" : "whoever reaches it";
  const text = `who may   ${who}, with${tokens ? "" : "out"} a token, ${tls ? "over" : "no"} TLS`;
  return from === "network" && !tokens ? { text, style: "warning" } : { text };
}

function wrapped(text: string, style: keyof typeof STYLES, { columns }: Page): Line[] {
  return wrap(text, columns - 2).map((line, i) => ({ text: i === 0 ? line : `  ${line}`, style }));
}

function painted({ styled, cutAt }: Sheet, lines: readonly Line[]): string[] {
  return lines.map(({ text, style }) => {
    const cut = visible(text).slice(0, cutAt);
    return styled && style !== undefined ? `\u001B[${STYLES[style]}m${cut}\u001B[m` : cut;
  });
}

function measured(name: string, ...cells: string[]): string {
  return `${name.padEnd(9)}${cells.map((cell) => cell.padStart(11)).join("")}`.trimEnd();
}

function times({ p50, p90, p99 }: Quantiles): string[] {
  return [p50, p90, p99].map(time);
}

function time(seconds: number | null): string {
  if (seconds === null) return "-";
  const ms = seconds * 1000;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`;
}

function rate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.05) return "<0.1";
  return perSecond.toFixed(perSecond === 0 || perSecond >= 10 ? 0 : 1);
}

function byState(states: Readonly<Record<string, number>> | null): string {
  if (states === null) return "not known now";
  const some = Object.entries(states).filter(([, count]) => count > 0);
  return some.length === 0 ? "none" : some.map(([state, count]) => `${count} ${state}`).join(", ");
}

/** In its two largest units. */
function duration(seconds: number): string {
  const s = Math.floor(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s / 3600) % 24} h`;
}
