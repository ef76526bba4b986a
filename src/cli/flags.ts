/**
 * The flags of all commands, by what they are about, as citty describes them. What their values may be is for
 * config.ts to say, which reads the environment, too.
 * @module
 */
import { LOG_FORMATS, LOG_LEVELS } from "../config/log.ts";

/** How the environment stands in for flags, for the help of the commands that take many. */
export const ENVIRONMENT =
  "Each option may come from the environment: --max-index N is FIBSERVER_MAX_INDEX=N. A flag wins.";

/** The flags of every command that touches the cursor, as citty describes them. */
export const CURSOR_FLAGS = {
  file: {
    type: "string",
    alias: "f",
    valueHint: "FILE",
    description: "The cursor file (by default fibserver/cursor in $XDG_STATE_HOME or ~/.local/state)",
  },
  "max-index": {
    type: "string",
    valueHint: "N",
    description: "The last index to move to (default 92: 64 bits)",
  },
  "lock-timeout": {
    type: "string",
    valueHint: "SECONDS",
    description: "How long to wait for a locked file (default 5)",
  },
} as const;

/** The flag of the commands that touch one cursor of several. */
export const NAME_FLAGS = {
  cursor: {
    type: "string",
    valueHint: "NAME",
    values: "cursors",
    description: "The cursor with this name; next and set make it (default: default)",
  },
} as const;

/** The flags of the server. */
export const SERVER_FLAGS = {
  port: {
    type: "string",
    alias: "p",
    valueHint: "PORT",
    description: "Serve HTTP on this port (default 8080)",
  },
  host: {
    type: "string",
    valueHint: "ADDRESS",
    description: "The address to listen on (default 127.0.0.1; 0.0.0.0 opens it to the network)",
  },
  "allow-host": {
    type: "string",
    valueHint: "NAMES",
    description: "Further names that a Host header may have, separated by commas",
  },
  "base-path": {
    type: "string",
    valueHint: "PATH",
    description: "Answer below this path, such as /fib, for a proxy that passes it on",
  },
  "trust-proxy": {
    type: "string",
    valueHint: "CIDRS",
    description: "Proxies whose X-Forwarded-For tells the client's address, such as 127.0.0.1,10.0.0.0/8",
  },
  "allow-origin": {
    type: "string",
    valueHint: "ORIGINS",
    description:
      "Pages of other origins that may ask, such as https://app.example.org, separated by commas; * for all",
  },
  tokens: {
    type: "string",
    valueHint: "FILE",
    description: "Answer only those who send a token of this file; see fibserver help token",
  },
  "tls-cert": {
    type: "string",
    valueHint: "FILE",
    description: "Serve https with this certificate, or chain (PEM)",
  },
  "tls-key": { type: "string", valueHint: "FILE", description: "The key of that certificate" },
  "reuse-port": {
    type: "boolean",
    description: "Let another server, on the same file, listen on the same port, to take over without a gap",
  },
} as const;

/** The flags of those who watch an executor. */
export const METRICS_FLAGS = {
  metrics: {
    type: "string",
    valueHint: "HOST:PORT",
    description: "Answer /metrics, /livez and /readyz there (PORT alone: on 127.0.0.1)",
  },
} as const;

/** The flags of named cursors, and of those of clients. */
export const CURSORS_FLAGS = {
  "max-cursors": {
    type: "string",
    valueHint: "N",
    description: "Named cursors that there may be (default 100000)",
  },
  "per-client": {
    type: "boolean",
    description: "Let /api0 move a cursor of each client's own, told by a cookie",
  },
  "max-clients": {
    type: "string",
    valueHint: "N",
    description: "Clients that may have a cursor of their own (default 100000)",
  },
  "client-ttl": {
    type: "string",
    valueHint: "SECONDS",
    description: "How long a client that does not come back is remembered (default 34560000, 400 days)",
  },
} as const;

/** The flags of how much one request may ask for. */
export const LIMIT_FLAGS = {
  "max-digits": {
    type: "string",
    valueHint: "N",
    description: "Digits of the longest result (default 25000000)",
  },
  "max-pisano": {
    type: "string",
    valueHint: "M",
    description: "Largest m of /v1/pisano, up to 10^30 (default 1000000000000000000)",
  },
  "max-sequence": {
    type: "string",
    valueHint: "N",
    description: "Terms of the longest /v1/sequence (default 1000000)",
  },
  "max-terms": {
    type: "string",
    valueHint: "N",
    description: "Terms that /?sn= and /fib/ write (default 100000)",
  },
  "max-computations": {
    type: "string",
    valueHint: "N",
    description: "Long computations at the same time (default: the number of CPUs, less one)",
  },
  "max-queue": { type: "string", valueHint: "N", description: "Long answers that may wait (default 64)" },
  "max-streams": {
    type: "string",
    valueHint: "N",
    description: "Long bodies that are sent at the same time (default 256)",
  },
  "max-watchers": {
    type: "string",
    valueHint: "N",
    description: "Clients that may follow tasks, and as many cursors (default 10000)",
  },
} as const;

/** The flags of a server or an executor that shares its work through Redis. */
export const REDIS_FLAGS = {
  redis: {
    type: "string",
    valueHint: "URL",
    description:
      "Share cursor and tasks through this Redis: redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// for TLS, or redis+sentinel://HOST[:PORT],…/NAME[/DB]",
  },
  "redis-queue": { type: "string", valueHint: "URL", description: "Another Redis for the queue of tasks" },
  "redis-store": {
    type: "string",
    valueHint: "URL",
    description: "Another Redis for cursor, tasks and results",
  },
  "redis-tls-cert": {
    type: "string",
    valueHint: "FILE",
    description: "A client's certificate for rediss://",
  },
  "redis-tls-key": { type: "string", valueHint: "FILE", description: "The key of that certificate" },
  "redis-tls-ca": {
    type: "string",
    valueHint: "FILE",
    description: "The authority of Redis's certificate, in the place of the system's",
  },
  "redis-prefix": {
    type: "string",
    valueHint: "NAME",
    description: "What all keys in Redis begin with, for several installations in one (default fibserver)",
  },
  "redis-wait": {
    type: "string",
    valueHint: "N",
    description: "Answer when N replicas have a move or a task (default 0): a failover loses none of those",
  },
} as const;

/** The flags of tasks. */
export const TASK_FLAGS = {
  "max-tasks": { type: "string", valueHint: "N", description: "Tasks that may wait or run (default 10000)" },
  "result-ttl": {
    type: "string",
    valueHint: "SECONDS",
    description: "How long a finished task is kept (default 86400)",
  },
  "result-budget": {
    type: "string",
    valueHint: "MB",
    description: "Room for the results of tasks; the oldest give way (default 1024)",
  },
} as const;

/** The flags of how the process runs. */
export const PROCESS_FLAGS = {
  debug: {
    type: "boolean",
    alias: "d",
    description: "Log each request, as --log-level debug does, which wins when both are given",
  },
  "log-level": {
    type: "string",
    valueHint: "LEVEL",
    values: LOG_LEVELS,
    description: "The least that is logged: debug, info, warning or error (default info)",
  },
  "log-format": {
    type: "string",
    valueHint: "FORMAT",
    values: LOG_FORMATS,
    description: "text or json (default: text on a terminal, else json)",
  },
  "one-cpu": { type: "boolean", alias: "t", description: "Keep the process and its threads on one CPU" },
} as const;

/** The flag of the commands that ask a server. */
export const CLIENT_FLAGS = {
  server: {
    type: "string",
    valueHint: "URL",
    description:
      "The server to ask (default FIBSERVER_SERVER, else this machine's: FIBSERVER_PORT, or 8080, and FIBSERVER_BASE_PATH)",
  },
} as const;
