/**
 * How a server is, as it tells it.
 * @module
 */
import { isCount } from "./checks.ts";
import { isDigits } from "./digits.ts";
import { FibClientError } from "./error.ts";
import { shown } from "./limits.ts";
import type { Output } from "./routes.ts";

/** What half, nine in ten and 99 in 100 did not exceed, in seconds; null when nothing was measured. */
export interface Quantiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** How a server is. */
export interface ServerStatus {
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Whether requests are to be sent to it: its cursor can be moved. */
  readonly ready: boolean;
  /** What cannot work now; on one machine it is ready without named cursors and tasks. */
  readonly problems: readonly { readonly part: string; readonly code: string; readonly detail: string }[];
  readonly storage: "files" | "redis";
  /** Who can connect, and whether that takes a token. */
  readonly access: { readonly from: "machine" | "network"; readonly tokens: boolean; readonly tls: boolean };
  /**
   * The most that may be asked of it: where a cursor may stand, the digits of a result, the terms of a sequence. A server of a
   * version before does not tell.
   */
  readonly limits?: { readonly index: number; readonly digits: number; readonly terms: number };
  /** The default cursor; null, here and below, when that could not be read in time. */
  readonly cursor: { readonly index: string } | null;
  /** Shorter soon after the start. */
  readonly lastMinute: {
    readonly seconds: number;
    readonly requestsPerSecond: number;
    readonly movesPerSecond: number;
    /** Answers that say that the server has failed. */
    readonly errorsPerSecond: number;
    readonly requestSeconds: Quantiles;
    readonly syncSeconds: Quantiles;
    /** How many moves shared a sync, on average; null when there were none. An older server does not tell. */
    readonly groupSize?: number | null;
  };
  /** How many tasks there are, by state. */
  readonly tasks: Readonly<Record<string, number>> | null;
  /** How many long computations there are, by state. */
  readonly computations: Readonly<Record<string, number>> | null;
  readonly memory: { readonly residentBytes: number; readonly heapBytes: number };
}

/** What the server's route says is what {@link ServerStatus} promises, or this does not compile. */
type Promised<Status extends ServerStatus> = Status;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isAmount: Check = (value) => typeof value === "number" && value >= 0;
const isQuantiles = holds({ p50: orNull(isAmount), p90: orNull(isAmount), p99: orNull(isAmount) });
const isByState: Check = (value) =>
  typeof value === "object" && value !== null && Object.values(value).every(isAmount);

/** What {@link ServerStatus} promises of each field. */
const IS_RIGHT: { readonly [Name in keyof ServerStatus]-?: Check } = {
  version: isText,
  uptimeSeconds: isAmount,
  ready: isFlag,
  problems: (value) =>
    Array.isArray(value) && value.every(holds({ part: isText, code: isText, detail: isText })),
  storage: isText,
  access: holds({ from: isText, tokens: isFlag, tls: isFlag }),
  limits: orMissing(holds({ index: isCount, digits: isCount, terms: isCount })),
  cursor: orNull(holds({ index: isDigits })),
  lastMinute: holds({
    seconds: isAmount,
    requestsPerSecond: isAmount,
    movesPerSecond: isAmount,
    errorsPerSecond: isAmount,
    requestSeconds: isQuantiles,
    syncSeconds: isQuantiles,
    groupSize: (value) => value === undefined || orNull(isAmount)(value),
  }),
  tasks: orNull(isByState),
  computations: orNull(isByState),
  memory: holds({ residentBytes: isCount, heapBytes: isCount }),
};

/** What a server has sent. @throws {@link FibClientError} `bad_answer` for what does not keep the promise. */
export function readServerStatus(body: unknown): ServerStatus {
  const status = Object(body) as Promised<Output<"/v1/status", "$get">>;
  for (const name of Object.keys(IS_RIGHT) as (keyof ServerStatus)[]) {
    if (!IS_RIGHT[name](status[name]))
      throw new FibClientError(
        "bad_answer",
        `The server sent a status whose ${name} is ${shown(status[name])}`,
      );
  }
  return status;
}

/** Fields that an object must have; a newer server may tell more. */
function holds(fields: Readonly<Record<string, Check>>): Check {
  return (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(fields).every(([name, isRight]) => isRight((value as Record<string, unknown>)[name]));
}

function orMissing(isRight: Check): Check {
  return (value) => value === undefined || isRight(value);
}

function orNull(isRight: Check): Check {
  return (value) => value === null || isRight(value);
}
