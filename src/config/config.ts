/**
 * What can be set, where it comes from, and every limit.
 *
 * A flag wins over the environment, the environment over the default. The names of the
 * environment follow from those of the flags: `--lock-timeout` is `FIBSERVER_LOCK_TIMEOUT`.
 * @module
 */
import { DEFAULT_NAME, parseName } from "../cursor-name.ts";
import { defaultFile } from "./default-file.ts";
import { FibError } from "../errors.ts";
import { logConfig, type LogConfig } from "./log.ts";
import { basePathOf, networkConfig, type NetworkConfig } from "./network.ts";
import { redisConfig, type RedisConfig, REDIS_OPTIONS, REDIS_URLS } from "./redis.ts";
import { fileOf, isFlag, type Setting, type Settings } from "./settings.ts";
import { shortened } from "../shell-word.ts";

/** Limits that nobody has asked to set. */
export const LIMITS = {
  /** Larger than any body that a route takes. */
  bodyBytesMax: 16 * 1024,
  /** A connection without traffic is closed after this. */
  idleTimeoutSeconds: 30,
  /** How long a stop takes at most: 10 s with the end of the process itself. */
  stopTimeoutMs: 9500,
  /** Of that, what is left for files and threads when requests did not end by themselves. */
  closeTimeoutMs: 1000,
  /** How long a server that shares its port answers, before its stop, those who have a connection to it. */
  handOverMs: 1000,
  /** An Idempotency-Key that is longer is no key. */
  keyCharsMax: 255,
  /** Where `--max-index` ends: F(100,000,000) has 20,898,764 digits. */
  cursorIndexMax: 100_000_000,
  /** Room for the long numbers that are being sent: 12 of the longest. */
  resultBytesMax: 256 * 2 ** 20,
  /** Room for long answers that are made for one client: values of the cursor, pages of tasks. 6 of the longest. */
  ownBytesMax: 128 * 2 ** 20,
  /** The longest `Prefer: wait=` that is honoured. */
  waitSecondsMax: 60,
  /** A task whose process died so often while it ran is given up. */
  taskAttemptsMax: 25,
  /** Where `--max-pisano` ends: beyond, to factor a number may take minutes. */
  pisanoMax: 10n ** 30n,
  /** Digits of a number in a request: 10^30 is understood and refused for its size; at 1,000 digits saying the size takes 20 ms. */
  parameterDigitsMax: 128,
  /** Digits of n and mod together: Bun answers an address of 16,300 characters with 431, and a body has as much room. */
  remainderDigitsMax: 15_000,
} as const;

/** What a command that moves the cursor needs. */
export interface CursorConfig {
  /** The cursor file; empty when the cursor is in Redis and nobody named one. */
  readonly file: string;
  /** Nobody named the file, so its folder is ours to create. */
  readonly fileIsDefault: boolean;
  /** What is shared with other machines, and where; undefined to keep all on this one. */
  readonly redis: RedisConfig | undefined;
  /** The last index that the cursor may reach. */
  readonly indexMax: number;
  readonly lockTimeoutMs: number;
  readonly oneCpu: boolean;
}

/** Everything that was set, checked; frozen. */
export interface Config extends CursorConfig, NetworkConfig, LogConfig {
  readonly port: number;
  readonly digitsMax: number;
  readonly pisanoMax: bigint;
  /** Terms of a `/v1/sequence`, and of the earlier routes. */
  readonly termsMax: number;
  readonly earlierTermsMax: number;
  /** Threads that compute, and answers that may wait for one. */
  readonly computationsMax: number;
  readonly queueMax: number;
  readonly streamsMax: number;
  readonly watchersMax: number;
  /** Tasks that wait or run. */
  readonly tasksMax: number;
  readonly resultTtlMs: number;
  readonly resultBudgetBytes: number;
  /** How many named cursors there may be. */
  readonly cursorsMax: number;
  /** `/api0` moves a cursor of each client's own; how many there may be, and how long one that stays away is remembered. */
  readonly perClient: boolean;
  readonly clientsMax: number;
  readonly clientTtlMs: number;
}

/** The values of flags by their long names, as parsed: text, true or false. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Puts flags over the environment over the defaults.
 *
 * @param flags - Values by long name; what is missing was not given.
 * @param env - Usually `process.env`.
 * @throws {@link FibError} `bad_argument`, with the line that would have been right.
 */
export function resolveConfig(flags: Flags, env: Environment): Config {
  const settings = settingsOf(flags, env);
  const { setting, integer, natural, on } = settings;
  const cursor = cursorConfig(flags, env, settings);
  const computations = cursor.oneCpu ? 1 : Math.max(1, navigator.hardwareConcurrency - 1);
  return Object.freeze({
    ...cursor,
    port: portOf(settings),
    ...networkConfig(settings),
    ...logConfig(settings),
    digitsMax: integer("max-digits", 25_000_000, 1, 1_000_000_000),
    pisanoMax: natural("max-pisano", 10n ** 18n, 1n, LIMITS.pisanoMax),
    termsMax: integer("max-sequence", 1_000_000, 1, 1_000_000_000),
    earlierTermsMax: integer("max-terms", 100_000, 1, 1_000_000_000),
    computationsMax: integer("max-computations", computations, 1, 1024),
    queueMax: integer("max-queue", 64, 0, 100_000),
    streamsMax: integer("max-streams", 256, 1, 100_000),
    watchersMax: integer("max-watchers", 10_000, 1, 1_000_000),
    tasksMax: integer("max-tasks", 10_000, 1, 1_000_000),
    cursorsMax: cursorsMaxOf(settings),
    perClient: on("per-client"),
    clientsMax: integer("max-clients", 100_000, 1, 1_000_000_000),
    clientTtlMs: seconds(setting("client-ttl"), 400 * 86_400, 1, 99_999_999.999),
    resultTtlMs: seconds(setting("result-ttl"), 86_400, 0.001),
    resultBudgetBytes: integer("result-budget", 1024, 1, 1_000_000) * 2 ** 20,
  });
}

/**
 * The same for a command that moves the cursor. What a server alone would use is not looked at; and what this calls is
 * run by each `fibserver n` for the first time, so it does without array methods: the first of them takes 70 µs.
 *
 * @throws {@link FibError} as {@link resolveConfig} does.
 */
export function resolveCursorConfig(flags: Flags, env: Environment): CursorConfig {
  return cursorConfig(flags, env, settingsOf(flags, env));
}

/**
 * The name of the cursor that a command moves; {@link DEFAULT_NAME} unless it is set.
 *
 * @throws {@link FibError} `bad_argument`.
 */
export function resolveCursorName(flags: Flags, env: Environment): string {
  const { text = DEFAULT_NAME, source } = settingsOf(flags, env).setting("cursor");
  return parseName(text, source);
}

/**
 * How many named cursors a command may make beside those that there are; letters without a name do not ask.
 *
 * @throws {@link FibError} `bad_argument`.
 */
export function resolveCursorsMax(env: Environment): number {
  return cursorsMaxOf(settingsOf({}, env));
}

/**
 * The address of the server that a command asks.
 *
 * @param flag - The value of `--server`.
 * @throws {@link FibError} `bad_argument`.
 */
export function resolveServerUrl(flag: string | undefined, env: Environment): URL {
  // In a container a server and what looks after it have the same environment.
  const text = flag ?? env["FIBSERVER_SERVER"] ?? localUrl(settingsOf({}, env));
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  const source = flag === undefined ? "FIBSERVER_SERVER" : "--server";
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(text)}' for ${source}: it takes a URL, such as http://127.0.0.1:8080`,
  );
}

/**
 * The token that a command sends to a server; only in the environment: `ps` shows no secret there.
 *
 * @throws {@link FibError} `bad_argument`, which does not show it.
 */
export function resolveToken(env: Environment): string | undefined {
  const token = env["FIBSERVER_TOKEN"];
  if (token === undefined || token === "") return undefined;
  if (/^[\w.~+/-]+=*$/.test(token)) return token;
  throw new FibError(
    "bad_argument",
    "Cannot use FIBSERVER_TOKEN: it takes a token alone, letters, digits and -._~+/, without spaces and ends of lines",
  );
}

function localUrl(settings: Settings): string {
  return `http://127.0.0.1:${portOf(settings)}${basePathOf(settings.setting("base-path"))}`;
}

function portOf({ integer }: Settings): number {
  return integer("port", 8080, 0, 65_535);
}

/** The environment variable that stands in for a flag. */
export function environmentName(flag: string): string {
  return `FIBSERVER_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * Reads a whole number, digits only.
 *
 * @param source - What the error calls it, such as `--port`.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseInteger(text: string, source: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const range = `a whole number from ${min} to ${max}`;
  throw new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${source}: it takes ${range}`);
}

function settingsOf(flags: Flags, env: Environment): Settings {
  const setting = (name: string) => {
    const flag = flags[name];
    if (flag !== undefined) return { text: String(flag), source: `--${name}` };
    const variable = environmentName(name);
    return { text: env[variable], source: variable };
  };
  const integer = (name: string, fallback: number, min: number, max: number) => {
    const { text, source } = setting(name);
    return text === undefined ? fallback : parseInteger(text, source, min, max);
  };
  const natural = (name: string, fallback: bigint, min: bigint, max: bigint) => {
    const { text, source } = setting(name);
    if (text === undefined) return fallback;
    const value = /^\d{1,40}$/.test(text) ? BigInt(text) : -1n;
    if (value >= min && value <= max) return value;
    const range = `a whole number from ${min} to ${max}`;
    throw new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${source}: it takes ${range}`);
  };
  const on = (name: string) => {
    const { text, source } = setting(name);
    if (text === undefined || text === "" || text === "0" || text === "false") return false;
    if (text === "1" || text === "true") return true;
    throw new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${source}: it takes 1 or 0`);
  };
  return { setting, integer, natural, on };
}

function cursorConfig(flags: Flags, env: Environment, settings: Settings): CursorConfig {
  const { setting, integer, on } = settings;
  const { file, fileIsDefault, redis } = cursorPlace(flags, env, settings);
  const indexMax = integer("max-index", 92, 0, LIMITS.cursorIndexMax);
  const lockTimeoutMs = seconds(setting("lock-timeout"), 5, 0);
  return { file, fileIsDefault, redis, indexMax, lockTimeoutMs, oneCpu: on("one-cpu") };
}

function cursorsMaxOf({ integer }: Settings): number {
  return integer("max-cursors", 100_000, 1, 1_000_000_000);
}

/**
 * A flag wins over the environment here, too: a file that is named by -f is not one that FIBSERVER_REDIS hides. What
 * speaks of a Redis where none is used is refused, unless it is a variable and the file was named.
 */
function cursorPlace(
  flags: Flags,
  env: Environment,
  { setting, integer }: Settings,
): Pick<Config, "file" | "fileIsDefault" | "redis"> {
  const file = fileOf(setting("file"));
  const url = firstGiven(REDIS_URLS, setting);
  const isRedisFlag = url !== undefined && isFlag(url);
  const isFileFlag = flags["file"] !== undefined;
  const redis =
    url === undefined || (isFileFlag && !isRedisFlag) ? undefined : redisConfig({ setting, integer });
  if (redis === undefined) {
    const lost = firstGiven(REDIS_OPTIONS, setting, file !== undefined);
    if (lost === undefined)
      return { file: file ?? defaultFile(env), fileIsDefault: file === undefined, redis };
    const instead = isFileFlag ? "the cursor is in a file" : "there is none; give --redis URL";
    throw new FibError("bad_argument", `Cannot use ${lost.source} without a Redis: ${instead}`);
  }
  if (file === undefined || (isRedisFlag && !isFileFlag)) return { file: "", fileIsDefault: true, redis };
  const both = isFileFlag ? "--file and --redis" : "FIBSERVER_FILE and FIBSERVER_REDIS";
  throw new FibError("bad_argument", `Cannot use both ${both}: the cursor is in a file or in Redis`);
}

/** The first of some settings that is there; a flag before what is in the environment. */
function firstGiven(
  names: readonly string[],
  setting: Settings["setting"],
  flagsOnly = false,
): Setting | undefined {
  let variable: Setting | undefined;
  for (const name of names) {
    const given = setting(name);
    if (given.text === undefined) continue;
    if (isFlag(given)) return given;
    variable ??= given;
  }
  return flagsOnly ? undefined : variable;
}

function seconds({ text, source }: Setting, fallback: number, min: number, max = 999_999.999): number {
  if (text === undefined) return fallback * 1000;
  const value = /^\d{1,8}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value * 1000;
  const range = `seconds from ${min} to ${max}, such as 5 or 0.5`;
  throw new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${source}: it takes ${range}`);
}
