/** What can be set: flags over the environment over defaults, and nothing unchecked. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  environmentName,
  LIMITS,
  parseInteger,
  resolveConfig,
  resolveCursorConfig,
  resolveServerUrl,
} from "../../src/config/config.ts";
import { isLoopback } from "../../src/config/network.ts";
import { FibError } from "../../src/errors.ts";
import { thrown } from "../refusal.ts";

const home = { HOME: "/home/somebody" };

/** What is set of neither network nor log. */
const NETWORK_DEFAULTS = {
  allowOrigins: [],
  tokensFile: undefined,
  tls: undefined,
  reusePort: false,
  basePath: "",
  logLevel: "info",
  logFormat: undefined,
} as const;

test("isLoopback() takes what only this machine can connect to, and no name that looks like it", () => {
  for (const name of ["localhost", "127.0.0.1", "127.1.2.3", "127.1", "::1", "[::1]"])
    expect([name, isLoopback(name)]).toEqual([name, true]);
  for (const name of [
    "",
    "0.0.0.0",
    "::",
    "127",
    "127.evil.test",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "x.localhost",
    "1127.0.0.1",
  ])
    expect([name, isLoopback(name)]).toEqual([name, false]);
});

test("resolveConfig() refuses an empty host, which would open the server, and names that no Host can have", () => {
  for (const [flags, env] of [
    [{ host: "" }, {}],
    [{}, { FIBSERVER_HOST: "" }],
    [{ "allow-host": "http://fib.test" }, {}],
    [{ "allow-host": "good.test,fib.test:8080" }, {}],
    [{}, { FIBSERVER_ALLOW_HOST: "*.fib.test" }],
  ] as const) {
    expect(() => resolveConfig(flags, { HOME: "/home/x", ...env })).toThrow("Cannot use");
  }
  expect(resolveConfig({ "allow-host": "A.test, b.test" }, { HOME: "/home/x" }).allowHosts).toEqual([
    "a.test",
    "b.test",
  ]);
});

test("resolveConfig() refuses lists that say nothing, * with others, and half of what TLS needs", () => {
  for (const [flags, env, said] of [
    [{ "allow-origin": "," }, {}, "',' for --allow-origin: there is nothing between the commas"],
    [{}, { FIBSERVER_TRUST_PROXY: " , " }, "' , ' for FIBSERVER_TRUST_PROXY: there is nothing"],
    [{ "allow-host": ",," }, {}, "',,' for --allow-host: there is nothing"],
    [{ "allow-origin": "*,https://a" }, {}, "* for --allow-origin beside others"],
    [{ "tls-cert": "c" }, {}, "--tls-cert without --tls-key"],
    [{ "tls-key": "k" }, {}, "--tls-key without --tls-cert"],
    [{}, { FIBSERVER_TLS_CERT: "c" }, "FIBSERVER_TLS_CERT without FIBSERVER_TLS_KEY"],
  ] as const) {
    expect(thrown(() => resolveConfig(flags, { ...home, ...env })).message).toStartWith(`Cannot use ${said}`);
  }
  expect(resolveConfig({}, { ...home, FIBSERVER_ALLOW_ORIGIN: "" }).allowOrigins).toEqual([]);
});

test("resolveConfig() takes a base path of plain segments, and names the one that was meant for any other", () => {
  for (const [given, taken] of [
    ["/fib", "/fib"],
    ["/fib/", "/fib"],
    ["/a/b-c/~d_e.f", "/a/b-c/~d_e.f"],
    ["/livez/fib", "/livez/fib"],
    ["/", ""],
    ["", ""],
  ] as const)
    expect([given, resolveConfig({ "base-path": given }, home).basePath]).toEqual([given, taken]);
  for (const [given, meant] of [
    ["fib", "/fib"],
    ["fib/", "/fib"],
    ["//fib", "/fib"],
    ["/fib//", "/fib"],
    ["/a//b", "/a/b"],
    ["//", "/fib"],
    ["/fib?x", "/fib"],
    ["/a/fib#x", "/a"],
    ["/a b", "/fib"],
    [" /fib", "/fib"],
    ["/f%69b", "/fib"],
    ["/fíb", "/fib"],
    ["/./fib", "/fib"],
    ["/fib/..", "/fib"],
    ["/:name", "/fib"],
    ["/*", "/fib"],
    ["http://host/fib", "/host/fib"],
    ["/livez", "/fib/livez"],
    ["/readyz/", "/fib/readyz"],
    ["/metrics", "/fib/metrics"],
  ] as const) {
    for (const [flags, env, source] of [
      [{ "base-path": given }, {}, "--base-path"],
      [{}, { FIBSERVER_BASE_PATH: given }, "FIBSERVER_BASE_PATH"],
    ] as const) {
      const { code, message } = thrown(() => resolveConfig(flags, { ...home, ...env }));
      expect([given, code]).toEqual([given, "bad_argument"]);
      expect(message).toStartWith(`Cannot use '${given}' for ${source}: `);
      expect(message).toEndWith(`, such as ${meant}`);
    }
  }
});

test("resolveConfig() refuses what is no network of proxies, by the name of what has set it", () => {
  for (const cidr of [
    "x",
    "10",
    "10.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/x",
    "/8",
    "fd00::/129",
    "[fd00::]/8",
    "01.2.3.4",
    "10.0.0.0/1e1",
    "10.0.0.0/ 8",
    "proxy.example",
    "*",
    "10.0.0.0/0x8",
  ]) {
    for (const [flags, env, source] of [
      [{ "trust-proxy": `10.0.0.0/8, ${cidr}` }, {}, "--trust-proxy"],
      [{}, { FIBSERVER_TRUST_PROXY: cidr }, "FIBSERVER_TRUST_PROXY"],
    ] as const) {
      const { code, message } = thrown(() => resolveConfig(flags, { ...home, ...env }));
      expect([cidr, code]).toEqual([cidr, "bad_argument"]);
      expect(message).toStartWith(`Cannot use '${cidr}' for ${source}: it takes addresses or networks`);
    }
  }
  const { trustedProxies } = resolveConfig({ "trust-proxy": "10.0.0.0/8, ::1,fd00::/8" }, home);
  expect(trustedProxies).toEqual(["10.0.0.0/8", "::1", "fd00::/8"]);
});

test("resolveConfig() has the defaults that the help names", () => {
  expect(resolveConfig({}, home)).toEqual({
    file: "/home/somebody/.local/state/fibserver/cursor",
    fileIsDefault: true,
    indexMax: 92,
    lockTimeoutMs: 5000,
    port: 8080,
    host: "127.0.0.1",
    allowHosts: [],
    metricsAt: undefined,
    trustedProxies: [],
    digitsMax: 25_000_000,
    pisanoMax: 1_000_000_000_000_000_000n,
    termsMax: 1_000_000,
    earlierTermsMax: 100_000,
    computationsMax: Math.max(1, navigator.hardwareConcurrency - 1),
    queueMax: 64,
    streamsMax: 256,
    watchersMax: 10_000,
    redis: undefined,
    tasksMax: 10_000,
    resultTtlMs: 86_400_000,
    resultBudgetBytes: 1024 * 2 ** 20,
    ...NETWORK_DEFAULTS,
    oneCpu: false,
    cursorsMax: 100_000,
    perClient: false,
    clientsMax: 100_000,
    clientTtlMs: 400 * 86_400_000,
  });
  expect(resolveConfig({ "one-cpu": true }, home).computationsMax).toBe(1);
});

test("resolveConfig() takes each setting from the environment, and a flag over it", () => {
  const env = {
    FIBSERVER_FILE: "/e/file",
    FIBSERVER_MAX_INDEX: "100",
    FIBSERVER_LOCK_TIMEOUT: "0.25",
    FIBSERVER_PORT: "1",
    FIBSERVER_HOST: "0.0.0.0",
    FIBSERVER_ALLOW_HOST: " Fib.Example , other,, ",
    FIBSERVER_BASE_PATH: "/fib/",
    FIBSERVER_METRICS: "0.0.0.0:9090",
    FIBSERVER_TRUST_PROXY: "10.0.0.0/8, FD00::/8,",
    FIBSERVER_MAX_DIGITS: "11",
    FIBSERVER_MAX_PISANO: "37",
    FIBSERVER_MAX_SEQUENCE: "12",
    FIBSERVER_MAX_TERMS: "13",
    FIBSERVER_MAX_COMPUTATIONS: "14",
    FIBSERVER_MAX_QUEUE: "15",
    FIBSERVER_MAX_STREAMS: "16",
    FIBSERVER_MAX_WATCHERS: "20",
    FIBSERVER_MAX_TASKS: "17",
    FIBSERVER_RESULT_TTL: "18",
    FIBSERVER_RESULT_BUDGET: "19",
    FIBSERVER_DEBUG: "1",
    FIBSERVER_ALLOW_ORIGIN: "https://app.example.org",
    FIBSERVER_TOKENS: "/e/tokens",
    FIBSERVER_TLS_CERT: "/e/cert",
    FIBSERVER_TLS_KEY: "/e/key",
    FIBSERVER_REUSE_PORT: "1",
    FIBSERVER_LOG_LEVEL: "error",
    FIBSERVER_LOG_FORMAT: "json",
    FIBSERVER_MAX_CURSORS: "31",
    FIBSERVER_PER_CLIENT: "1",
    FIBSERVER_MAX_CLIENTS: "32",
    FIBSERVER_CLIENT_TTL: "33.5",
    FIBSERVER_ONE_CPU: "true",
  };
  const fromEnv = {
    file: "/e/file",
    fileIsDefault: false,
    indexMax: 100,
    lockTimeoutMs: 250,
    port: 1,
    host: "0.0.0.0",
    allowHosts: ["fib.example", "other"],
    basePath: "/fib",
    metricsAt: { host: "0.0.0.0", port: 9090 },
    trustedProxies: ["10.0.0.0/8", "fd00::/8"],
    digitsMax: 11,
    pisanoMax: 37n,
    termsMax: 12,
    earlierTermsMax: 13,
    computationsMax: 14,
    queueMax: 15,
    streamsMax: 16,
    watchersMax: 20,
    redis: undefined,
    tasksMax: 17,
    resultTtlMs: 18_000,
    resultBudgetBytes: 19 * 2 ** 20,
    allowOrigins: ["https://app.example.org"],
    tokensFile: "/e/tokens",
    tls: {
      cert: { path: "/e/cert", source: "FIBSERVER_TLS_CERT" },
      key: { path: "/e/key", source: "FIBSERVER_TLS_KEY" },
    },
    reusePort: true,
    logLevel: "error" as const,
    logFormat: "json" as const,
    oneCpu: true,
    cursorsMax: 31,
    perClient: true,
    clientsMax: 32,
    clientTtlMs: 33_500,
  };
  expect(resolveConfig({}, env)).toEqual(fromEnv);
  const flags = {
    file: "/f/file",
    "max-index": "7",
    "lock-timeout": "2",
    port: "65535",
    host: "::1",
    "allow-host": "name",
    "base-path": "/a/b.c",
    metrics: "[::1]:0",
    "trust-proxy": "127.0.0.1",
    "max-digits": "21",
    "max-pisano": "1000000000000000000000000000000",
    "max-sequence": "22",
    "max-terms": "23",
    "max-computations": "24",
    "max-queue": "0",
    "max-streams": "26",
    "max-watchers": "30",
    "max-tasks": "27",
    "result-ttl": "0.28",
    "result-budget": "29",
    "allow-origin": "https://other.example.org:443,http://[::1]:5173",
    tokens: "/f/tokens",
    "tls-cert": "/f/cert",
    "tls-key": "/f/key",
    "reuse-port": false,
    "log-level": "warning",
    "log-format": "text",
    "one-cpu": false,
    "max-cursors": "34",
    "per-client": false,
    "max-clients": "35",
    "client-ttl": "99999999",
  };
  expect(resolveConfig(flags, env)).toEqual({
    file: "/f/file",
    fileIsDefault: false,
    indexMax: 7,
    lockTimeoutMs: 2000,
    port: 65_535,
    host: "::1",
    allowHosts: ["name"],
    basePath: "/a/b.c",
    metricsAt: { host: "::1", port: 0 },
    trustedProxies: ["127.0.0.1"],
    digitsMax: 21,
    pisanoMax: 10n ** 30n,
    termsMax: 22,
    earlierTermsMax: 23,
    computationsMax: 24,
    queueMax: 0,
    streamsMax: 26,
    watchersMax: 30,
    redis: undefined,
    tasksMax: 27,
    resultTtlMs: 280,
    resultBudgetBytes: 29 * 2 ** 20,
    allowOrigins: ["https://other.example.org", "http://[::1]:5173"],
    tokensFile: "/f/tokens",
    tls: { cert: { path: "/f/cert", source: "--tls-cert" }, key: { path: "/f/key", source: "--tls-key" } },
    reusePort: false,
    logLevel: "warning",
    logFormat: "text",
    oneCpu: false,
    cursorsMax: 34,
    perClient: false,
    clientsMax: 35,
    clientTtlMs: 99_999_999_000,
  });
  for (const flag of Object.keys(flags)) expect(env).toHaveProperty(environmentName(flag));
});

test("resolveConfig() keeps the state where XDG says, else in the home of the user", () => {
  for (const [env, file] of [
    [{ ...home, XDG_STATE_HOME: "/state" }, "/state/fibserver/cursor"],
    [{ ...home, XDG_STATE_HOME: "" }, "/home/somebody/.local/state/fibserver/cursor"],
    [{ XDG_STATE_HOME: "/state" }, "/state/fibserver/cursor"],
    // As text, whatever is a link.
    [{ XDG_STATE_HOME: "/a/link/..//./state/" }, "/a/state/fibserver/cursor"],
    [{ HOME: "/home/./me/" }, "/home/me/.local/state/fibserver/cursor"],
    [{ HOME: "/" }, "/.local/state/fibserver/cursor"],
    // As the XDG specification has it: a relative one is ignored.
    [{ ...home, XDG_STATE_HOME: "state" }, "/home/somebody/.local/state/fibserver/cursor"],
  ] as const) {
    expect(resolveConfig({}, env).file).toBe(file);
  }
  // Without a home there is no guessing: a cursor in some other place would look like a reset to 0.
  const error = thrown(() => resolveConfig({}, {}));
  expect(error.code).toBe("bad_argument");
  expect(error.message).toContain("name a file with -f FILE");
});

test("resolveConfig() finds the cursor in a file or in Redis, and takes a flag over the environment", () => {
  const redis = { queueUrl: "redis://h", storeUrl: "redis://h", prefix: "fibserver", replicasMin: 0 };
  const inRedis = { file: "", fileIsDefault: true, redis };
  const inFile = { file: "x", fileIsDefault: false, redis: undefined };
  for (const [flags, env, place] of [
    [{}, { FIBSERVER_REDIS: "redis://h" }, inRedis],
    [{ redis: "redis://h" }, {}, inRedis],
    [{ redis: "redis://h" }, { FIBSERVER_FILE: "y" }, inRedis],
    [{ file: "x" }, { FIBSERVER_REDIS: "redis://h" }, inFile],
    [{ file: "x" }, { FIBSERVER_REDIS: "no URL, and not asked for" }, inFile],
  ] as const) {
    expect(resolveConfig(flags, { ...home, ...env })).toMatchObject(place);
  }
});

test("resolveConfig() takes a prefix for the keys in Redis, and how many replicas must have what is promised", () => {
  const given = { redis: "redis://h", "redis-prefix": "team-1:fib", "redis-wait": "2" };
  expect(resolveConfig(given, home).redis).toMatchObject({ prefix: "team-1:fib", replicasMin: 2 });
  const env = { FIBSERVER_REDIS_PREFIX: "a_b", FIBSERVER_REDIS_WAIT: "1" };
  const { redis } = resolveConfig({ redis: "redis://h" }, { ...home, ...env });
  expect(redis).toMatchObject({ prefix: "a_b", replicasMin: 1 });
});

const at = (metrics: string) => resolveConfig({ metrics }, home).metricsAt;

test("resolveConfig() takes a port for those who watch, on this machine if nothing else is said", () => {
  expect(at("9090")).toEqual({ host: "127.0.0.1", port: 9090 });
  expect(at("executor-1.example:65535")).toEqual({ host: "executor-1.example", port: 65_535 });
});

test("resolveConfig() is not moved by PORT and the like: only FIBSERVER_ names count", () => {
  const config = resolveConfig({}, { ...home, PORT: "1", HOST: "0.0.0.0", BUN_PORT: "2", DEBUG: "1" });
  expect(config).toEqual(resolveConfig({}, home));
});

test("resolveConfig() cannot be changed afterwards", () => {
  expect(Object.isFrozen(resolveConfig({}, home))).toBe(true);
});

test("resolveConfig() refuses what cannot be, and names the setting and what it takes", () => {
  for (const [flags, env, said] of [
    [{ port: "65536" }, {}, "'65536' for --port: it takes a whole number from 0 to 65535"],
    [{ port: "-1" }, {}, "'-1' for --port"],
    [{ port: "" }, {}, "'' for --port"],
    [{ port: "8080x" }, {}, "'8080x' for --port"],
    [{ port: "1e3" }, {}, "'1e3' for --port"],
    [{ port: "٣" }, {}, "for --port"],
    [{}, { FIBSERVER_PORT: "http" }, "'http' for FIBSERVER_PORT"],
    [{ "max-index": "100000001" }, {}, "for --max-index: it takes a whole number from 0 to 100000000"],
    [{ "max-index": "1.5" }, {}, "'1.5' for --max-index"],
    [{ "max-computations": "0" }, {}, "'0' for --max-computations: it takes a whole number from 1 to 1024"],
    [{ "max-digits": "25e6" }, {}, "'25e6' for --max-digits"],
    [
      { "max-pisano": "0" },
      {},
      "'0' for --max-pisano: it takes a whole number from 1 to 1000000000000000000000000000000",
    ],
    [
      {},
      { FIBSERVER_MAX_PISANO: "10000000000000000000000000000001" },
      "for FIBSERVER_MAX_PISANO: it takes a whole number from 1 to",
    ],
    [{}, { FIBSERVER_MAX_STREAMS: "-1" }, "'-1' for FIBSERVER_MAX_STREAMS"],
    [
      { "lock-timeout": "-1" },
      {},
      "'-1' for --lock-timeout: it takes seconds from 0 to 999999.999, such as 5 or 0.5",
    ],
    [{ "lock-timeout": "1000000" }, {}, "'1000000' for --lock-timeout"],
    [{ "client-ttl": "100000000" }, {}, "for --client-ttl: it takes seconds from 1 to 99999999.999"],
    [{ "lock-timeout": "1e9" }, {}, "'1e9' for --lock-timeout"],
    [{ "lock-timeout": "Infinity" }, {}, "for --lock-timeout"],
    [{}, { FIBSERVER_LOCK_TIMEOUT: "soon" }, "'soon' for FIBSERVER_LOCK_TIMEOUT"],
    [{}, { FIBSERVER_DEBUG: "yes" }, "'yes' for FIBSERVER_DEBUG: it takes 1 or 0"],
    [{ "result-ttl": "0" }, {}, "'0' for --result-ttl: it takes seconds from 0.001 to 999999.999"],
    [{ redis: "redis://h", "redis-wait": "-1" }, {}, "'-1' for --redis-wait"],
    ...["", ":", "a:", ":a", "a::b", "a b", "{a}", "a*", "é", "a".repeat(101)].map(
      (name) =>
        [{ redis: "redis://h", "redis-prefix": name }, {}, "for --redis-prefix: it takes letters"] as const,
    ),
    ...["h:65536", "h:", ":9090", "::1:9090", "[::1]", "[h]:1", "h:1:2", "http://h:1", "9090/", "1e3"].map(
      (place) => [{ metrics: place }, {}, `'${place}' for --metrics: it takes HOST:PORT`] as const,
    ),
    [{}, { FIBSERVER_METRICS: "" }, "'' for FIBSERVER_METRICS: it takes HOST:PORT"],
    [{ metrics: "" }, {}, "'' for --metrics: it takes HOST:PORT"],
    [{ file: "" }, {}, "an empty file name for --file"],
    [{}, { FIBSERVER_FILE: "" }, "an empty file name for FIBSERVER_FILE"],
    [{ file: "x", redis: "redis://h" }, {}, "both --file and --redis"],
    [{}, { FIBSERVER_FILE: "x", FIBSERVER_REDIS: "redis://h" }, "both FIBSERVER_FILE and FIBSERVER_REDIS"],
  ] as const) {
    const error = thrown(() => resolveConfig(flags, { ...home, ...env }));
    expect(error.code).toBe("bad_argument");
    expect(error.message).toContain(said);
  }
});

const variable = (name: string, text: string) => ({ [environmentName(name)]: text });

test("resolveConfig() refuses what speaks of a Redis and cannot take effect: no local file moves instead", () => {
  const urls = ["redis", "redis-queue", "redis-store"];
  const options = ["redis-wait", "redis-prefix", "redis-tls-cert", "redis-tls-key", "redis-tls-ca"];
  const both = { "redis-store": "redis://h", "redis-queue": "redis://h" };
  const cases: [Record<string, string>, Record<string, string>, string][] = [
    ...urls.flatMap((name): typeof cases => [
      [{ [name]: "" }, {}, `Cannot use an empty --${name}: it takes a URL`],
      [{ ...both, redis: "redis://h", [name]: "" }, {}, `Cannot use an empty --${name}: it takes a URL`],
      [{}, variable(name, ""), `Cannot use an empty ${environmentName(name)}: it takes a URL`],
    ]),
    ...options.flatMap((name): typeof cases => [
      [{ [name]: "1" }, {}, `Cannot use --${name} without a Redis: there is none; give --redis URL`],
      [{ [name]: "" }, {}, `Cannot use --${name} without a Redis`],
      [{ [name]: "1" }, { FIBSERVER_FILE: "x" }, `Cannot use --${name} without a Redis`],
      [
        { [name]: "1", file: "x" },
        { FIBSERVER_REDIS: "redis://h" },
        `Cannot use --${name} without a Redis: the cursor is in a file`,
      ],
      [{}, variable(name, "1"), `Cannot use ${environmentName(name)} without a Redis`],
      [{ redis: "rediss://h", [name]: "" }, {}, `for --${name}`],
      [{ redis: "rediss://h" }, variable(name, ""), `for ${environmentName(name)}`],
    ]),
    // Of several the first one, as the help names them.
    [
      {},
      { ...variable("redis-wait", "1"), ...variable("redis-prefix", "x") },
      "Cannot use FIBSERVER_REDIS_PREFIX without a Redis",
    ],
    ...options.slice(2).flatMap((name): typeof cases => [
      [{ redis: "redis://h", [name]: "x" }, {}, `Cannot use --${name}: that is for rediss://`],
      [
        { redis: "redis://h" },
        variable(name, "x"),
        `Cannot use ${environmentName(name)}: that is for rediss://`,
      ],
    ]),
  ];
  for (const [flags, given, said] of cases) {
    const error = thrown(() => resolveConfig(flags, { ...home, ...given }));
    expect({ flags, given, code: error.code }).toMatchObject({ code: "bad_argument" });
    expect(error.message).toContain(said);
  }
  // A file that was named wins over variables, and they do not matter.
  for (const name of [...urls, ...options]) {
    expect(resolveConfig({ file: "x" }, { ...home, ...variable(name, "") }).file).toBe("x");
  }
  expect(resolveConfig({}, { ...home, FIBSERVER_FILE: "x", FIBSERVER_REDIS_WAIT: "1" }).file).toBe("x");
});

test("resolveConfig() refuses with a FibError whatever is set, and keeps every limit otherwise", () => {
  const text = fc.option(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), {
    nil: undefined,
  });
  const flags = fc.record({ port: text, "max-index": text, "lock-timeout": text, file: text, host: text });
  fc.assert(
    fc.property(flags, (given) => {
      let config;
      try {
        config = resolveConfig(given, home);
      } catch (error) {
        expect(error).toBeInstanceOf(FibError);
        return;
      }
      expect(config.port).toBeWithin(0, 65_536);
      expect(config.indexMax).toBeWithin(0, LIMITS.cursorIndexMax + 1);
      expect(config.lockTimeoutMs).toBeWithin(0, 1e9);
      expect(Number.isInteger(config.port) && Number.isInteger(config.indexMax)).toBe(true);
      expect(config.file).not.toBe("");
    }),
    { numRuns: 1000 },
  );
});

test("parseInteger() reads every whole number between its bounds, and nothing outside of them", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), (value, a, b) => {
      const [min, max] = a < b ? [a, b] : [b, a];
      const parse = () => parseInteger(String(value), "index", min, max);
      if (value >= min && value <= max) expect(parse()).toBe(value);
      else expect(thrown(parse).code).toBe("bad_argument");
    }),
  );
});

test("parseInteger() takes digits only, and repeats no more of a long text than helps", () => {
  for (const text of ["", " ", " 1", "1 ", "+1", "-0", "0x1", "1_0", "1.0", "1n", "½", "1\n"]) {
    expect(thrown(() => parseInteger(text, "index", 0, 92)).code).toBe("bad_argument");
  }
  const error = thrown(() => parseInteger("9".repeat(100_000), "index", 0, 92));
  expect(error.message).toBe(
    `Cannot use '${"9".repeat(40)}…' for index: it takes a whole number from 0 to 92`,
  );
});

test("resolveServerUrl() takes the flag over the environment over this machine, and only http and https", () => {
  const env = { FIBSERVER_SERVER: "https://e/prefix" };
  expect(String(resolveServerUrl("http://f:1", env))).toBe("http://f:1/");
  expect(String(resolveServerUrl(undefined, env))).toBe("https://e/prefix");
  expect(String(resolveServerUrl(undefined, {}))).toBe("http://127.0.0.1:8080/");
  expect(String(resolveServerUrl(undefined, { FIBSERVER_PORT: "9000" }))).toBe("http://127.0.0.1:9000/");
  // A container's health check has the environment of its server.
  const based = { FIBSERVER_PORT: "9000", FIBSERVER_BASE_PATH: "/a/b/" };
  expect(String(resolveServerUrl(undefined, based))).toBe("http://127.0.0.1:9000/a/b");
  expect(() => resolveServerUrl(undefined, { FIBSERVER_BASE_PATH: "b" })).toThrow("for FIBSERVER_BASE_PATH");
  expect(String(resolveServerUrl(undefined, { ...env, FIBSERVER_PORT: "x" }))).toBe("https://e/prefix");
  expect(() => resolveServerUrl(undefined, { FIBSERVER_PORT: "x" })).toThrow("for FIBSERVER_PORT");
  for (const text of ["", "localhost:8080", "ftp://localhost", "http://", "8080"]) {
    expect(() => resolveServerUrl(text, {})).toThrow("for --server: it takes a URL");
    expect(() => resolveServerUrl(undefined, { FIBSERVER_SERVER: text })).toThrow("for FIBSERVER_SERVER");
  }
});

test("resolveCursorConfig() is the cursor's part of resolveConfig(), and leaves a server's settings alone", () => {
  const flags = { "max-index": "7" };
  const env = { ...home, FIBSERVER_LOCK_TIMEOUT: "0.5", FIBSERVER_ONE_CPU: "1" };
  const cursor = resolveCursorConfig(flags, env);
  expect(cursor).toEqual({
    file: "/home/somebody/.local/state/fibserver/cursor",
    fileIsDefault: true,
    redis: undefined,
    indexMax: 7,
    lockTimeoutMs: 500,
    oneCpu: true,
  });
  expect(resolveConfig(flags, env)).toMatchObject({ ...cursor });
  expect(resolveCursorConfig(flags, { ...env, FIBSERVER_PORT: "x", FIBSERVER_MAX_CURSORS: "x" })).toEqual(
    cursor,
  );
});

test("the level of the log: a flag wins over the environment, and of two alike the level over debug", () => {
  for (const [flags, env, level] of [
    [{}, {}, "info"],
    [{ debug: true }, {}, "debug"],
    [{ debug: true }, { FIBSERVER_LOG_LEVEL: "error" }, "debug"],
    [{ debug: true, "log-level": "warning" }, {}, "warning"],
    [{ "log-level": "warning" }, { FIBSERVER_DEBUG: "1" }, "warning"],
    [{}, { FIBSERVER_DEBUG: "1" }, "debug"],
    [{}, { FIBSERVER_DEBUG: "1", FIBSERVER_LOG_LEVEL: "error" }, "error"],
    [{ debug: false }, { FIBSERVER_DEBUG: "1" }, "info"],
  ] as const) {
    expect([flags, env, resolveConfig(flags, { HOME: "/h", ...env }).logLevel]).toEqual([flags, env, level]);
  }
});
