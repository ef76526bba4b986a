/**
 * What can be set about the log.
 * @module
 */
import { FibError } from "../errors.ts";
import { isFlag, type Setting, type Settings } from "./settings.ts";
import { shortened } from "../shell-word.ts";

/** What `--log-level` takes. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
/** What `--log-format` takes. */
export const LOG_FORMATS = ["text", "json"] as const;

/** How a process logs. */
export interface LogConfig {
  /** The least that is written. */
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** undefined for text on a terminal, and JSON lines elsewhere. */
  readonly logFormat: (typeof LOG_FORMATS)[number] | undefined;
}

/**
 * Reads it; `--debug` is the level debug. Of the two the flag wins over the environment, and the level over `debug`.
 *
 * @throws {@link FibError} `bad_argument`.
 */
export function logConfig({ setting, on }: Settings): LogConfig {
  const level = setting("log-level");
  const named = oneOf(level, LOG_LEVELS);
  const isDebug = on("debug") && (named === undefined || (isFlag(setting("debug")) && !isFlag(level)));
  const logLevel = isDebug ? "debug" : (named ?? "info");
  return { logLevel, logFormat: oneOf(setting("log-format"), LOG_FORMATS) };
}

function oneOf<Word extends string>({ text, source }: Setting, words: readonly Word[]): Word | undefined {
  const word = words.find((each) => each === text);
  if (word !== undefined || text === undefined) return word;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(text)}' for ${source}: it takes ${words.join(", ")}`,
  );
}
