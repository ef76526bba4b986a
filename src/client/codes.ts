/**
 * The names of all errors.
 *
 * The server's table is the source, of which only the type is imported: its titles and statuses would double
 * what a page has to load. A code that is missing here, or is none of the server's, does not compile.
 * @module
 */
import type { ErrorCode as ServerCode } from "../errors.ts";

/** What a server may say. */
export const SERVER_CODES = {
  bad_argument: true,
  unauthorized: true,
  forbidden: true,
  not_found: true,
  not_fibonacci: true,
  cursor_unknown: true,
  task_unknown: true,
  method_not_allowed: true,
  not_acceptable: true,
  sequence_start: true,
  cursor_permanent: true,
  task_not_ready: true,
  task_failed: true,
  precondition_failed: true,
  cursor_moved: true,
  body_too_large: true,
  range_not_satisfiable: true,
  result_too_large: true,
  key_reused: true,
  too_many_tasks: true,
  too_many_cursors: true,
  cursor_damaged: true,
  internal: true,
  cursor_io: true,
  cursor_locked: true,
  redis_unavailable: true,
  redis_full: true,
  redis_unusable: true,
  not_replicated: true,
  tasks_io: true,
  tasks_locked: true,
  overloaded: true,
  unreachable: true,
  address_in_use: true,
  machine_unreliable: true,
  system_failed: true,
  output_failed: true,
  sequence_end: true,
} satisfies Record<ServerCode, true>;

/**
 * Why a call failed: a code of the server's, of which the client uses two itself,
 * - `unreachable`: no connection, or one that breaks again and again;
 * - `task_failed`: the task whose result was wanted has none;
 *
 * or one that only the client has:
 * - `timeout`: the server was silent for longer than `timeoutMs`;
 * - `changed`: a text that was cut is another one now, so that it cannot be resumed;
 * - `task_cancelled`: the task whose result was wanted was cancelled;
 * - `bad_answer`: what answers is not a fibserver, or one that this client does not know;
 * - `unknown_code`: a newer server's code, which is in `problem.code`. So this stays a union of literals
 *   that a `switch` can exhaust; with `string & {}` in it no compiler would tell what was forgotten.
 */
export type ErrorCode =
  | keyof typeof SERVER_CODES
  | "timeout"
  | "changed"
  | "task_cancelled"
  | "bad_answer"
  | "unknown_code";
