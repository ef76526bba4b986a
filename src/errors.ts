/**
 * The errors a caller is meant to tell apart; any other error is a bug, unless the system made it.
 *
 * One table maps each code to its HTTP status, its exit status (sysexits.h where
 * that has one) and the title of its problem document (RFC 9457).
 * @module
 */

/**
 * One row for each code. Codes are stable: clients and scripts compare them. The message of what is internal
 * names files, addresses and scripts: it is for those who run the server, and clients get the title.
 */
export const CODES = {
  bad_argument: { http: 400, exit: 2, title: "The request cannot be understood" },
  unauthorized: { http: 401, exit: 77, title: "A token is needed, or this one is not known" },
  forbidden: { http: 403, exit: 77, title: "The request is refused" },
  not_found: { http: 404, exit: 1, title: "There is nothing at this address" },
  not_fibonacci: { http: 404, exit: 1, title: "The value is not a Fibonacci number" },
  cursor_unknown: { http: 404, exit: 1, title: "There is no such cursor" },
  task_unknown: { http: 404, exit: 1, title: "There is no such task" },
  method_not_allowed: { http: 405, exit: 1, title: "The method is not allowed here" },
  not_acceptable: { http: 406, exit: 2, title: "No such representation" },
  sequence_start: { http: 409, exit: 1, title: "The cursor is at the start of the sequence" },
  cursor_permanent: { http: 409, exit: 1, title: "The default cursor cannot be removed" },
  task_not_ready: { http: 409, exit: 75, title: "The task has no result yet" },
  task_failed: { http: 409, exit: 1, title: "The task has no result" },
  precondition_failed: { http: 412, exit: 1, title: "A condition of the request is not met" },
  cursor_moved: { http: 412, exit: 75, title: "The cursor has moved" },
  body_too_large: { http: 413, exit: 2, title: "The body is too large" },
  range_not_satisfiable: { http: 416, exit: 2, title: "The range lies outside of the result" },
  result_too_large: { http: 422, exit: 1, title: "The result would be too large" },
  key_reused: { http: 422, exit: 2, title: "The Idempotency-Key was used for another operation" },
  too_many_tasks: { http: 429, exit: 75, title: "Too many tasks are waiting" },
  too_many_cursors: { http: 429, exit: 75, title: "There are too many cursors" },
  cursor_damaged: { http: 503, exit: 65, title: "The cursor file cannot be used", isForOperators: true },
  internal: { http: 500, exit: 70, title: "This is a bug in fibserver" },
  cursor_io: {
    http: 503,
    exit: 74,
    title: "The cursor file cannot be read or written",
    isForOperators: true,
  },
  cursor_locked: { http: 503, exit: 75, title: "The cursor file is locked", isForOperators: true },
  redis_unavailable: { http: 503, exit: 69, title: "Redis cannot be reached", isForOperators: true },
  redis_full: { http: 503, exit: 75, title: "Redis is full", isForOperators: true },
  redis_unusable: { http: 503, exit: 69, title: "Redis cannot be used as it is", isForOperators: true },
  not_replicated: {
    http: 503,
    exit: 75,
    title: "Redis has too few replicas, and it may have been done: a retry with its Idempotency-Key is safe",
    isForOperators: true,
  },
  tasks_io: { http: 503, exit: 74, title: "The tasks cannot be read or written", isForOperators: true },
  tasks_locked: { http: 503, exit: 75, title: "Another process has the tasks", isForOperators: true },
  overloaded: { http: 503, exit: 75, title: "No more work can be taken now" },
  unreachable: { http: 502, exit: 69, title: "The server cannot be reached" },
  address_in_use: { http: 503, exit: 69, title: "The address cannot be listened on" },
  machine_unreliable: { http: 500, exit: 71, title: "The memory or the CPU of this machine is failing" },
  system_failed: { http: 503, exit: 71, title: "The system refuses what is needed", isForOperators: true },
  output_failed: { http: 500, exit: 74, title: "The output cannot be written" },
  sequence_end: { http: 507, exit: 1, title: "The cursor is at the end of the sequence" },
} as const;

/** A stable, machine-read name of an expected failure: a key of {@link CODES}. */
export type ErrorCode = keyof typeof CODES;

/** An expected failure. `code` is for programs; `message` tells people what happened and what to do. */
export class FibError extends Error {
  override readonly name = "FibError";
  readonly code: ErrorCode;
  /** What a newer server calls it, where {@link CODES} has no row for that. */
  readonly serverCode: string | undefined;
  /** By which a server that was asked has logged it. */
  readonly requestId: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & {
      readonly serverCode?: string | undefined;
      readonly requestId?: string | undefined;
    },
  ) {
    super(message, options);
    this.code = code;
    this.serverCode = options?.serverCode;
    this.requestId = options?.requestId;
  }
}

/**
 * What the system refused in a place where nobody expected it to: too few descriptors, no memory, a folder that is gone.
 *
 * @returns undefined for any other error, which is a bug.
 */
export function systemError(error: unknown): FibError | undefined {
  if (!(error instanceof Error)) return undefined;
  const isCall = "syscall" in error && "code" in error;
  if (!isCall && !/out of memory/i.test(error.message)) return undefined;
  return new FibError("system_failed", `Cannot go on: ${error.message}`, { cause: error });
}

/** Whether those who run the server should hear of it: something is wrong around it, and more than being busy. */
export function isFault({ code }: FibError): boolean {
  return CODES[code].http === 503 && code !== "overloaded";
}

/** Whether a failure of Redis passes by itself, or once somebody has made room: worth another try. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof FibError && ["redis_unavailable", "redis_full", "not_replicated"].includes(error.code)
  );
}

/** Whether a message is for those who run the server only. */
function isForOperators({ code }: FibError): boolean {
  return "isForOperators" in CODES[code];
}

/** What those who run the server have to put right. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  "cursor_damaged",
  "cursor_io",
  "tasks_io",
  "redis_unusable",
]);

/** What a client is told of an error. */
export function toldOf(error: FibError): string {
  if (!isForOperators(error)) return error.message;
  const { title } = CODES[error.code];
  return LASTING.has(error.code) ? `${title}; the server's log says why` : `${title}; try again`;
}
