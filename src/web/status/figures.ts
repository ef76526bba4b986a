/**
 * Which figures of a server are shown, and how. Pure.
 * @module
 */
import type { ServerStatus } from "@fibserver/client";
import { rounded, shortTime, sizeText } from "../measures.ts";

/** One of them. */
export interface Figure {
  readonly name: string;
  /** What it is, null where it was not measured. */
  readonly value: Read;
  readonly write: (value: number) => string;
  /** What 99 in 100 did not exceed. */
  readonly p99?: Read;
  /** On Redis there is no disk to wait for. */
  readonly isOfFiles?: boolean;
}

type Read = (status: ServerStatus) => number | null | undefined;

/** Each. */
const FIGURES: readonly Figure[] = [
  { name: "Moves a second", value: ({ lastMinute }) => lastMinute.movesPerSecond, write: rounded },
  {
    name: "Time of a sync",
    value: ({ lastMinute }) => lastMinute.syncSeconds.p50,
    p99: ({ lastMinute }) => lastMinute.syncSeconds.p99,
    write: shortTime,
    isOfFiles: true,
  },
  { name: "Moves at once", value: ({ lastMinute }) => lastMinute.groupSize, write: rounded },
  { name: "Requests a second", value: ({ lastMinute }) => lastMinute.requestsPerSecond, write: rounded },
  {
    name: "Time of a request",
    value: ({ lastMinute }) => lastMinute.requestSeconds.p50,
    p99: ({ lastMinute }) => lastMinute.requestSeconds.p99,
    write: shortTime,
  },
  { name: "Memory", value: ({ memory }) => memory.residentBytes, write: sizeText },
];

/** Those of a server; before it has said what it is, of one with files. */
export function figuresOf(status: ServerStatus | undefined): readonly Figure[] {
  return FIGURES.filter(({ isOfFiles }) => isOfFiles !== true || status?.storage !== "redis");
}
