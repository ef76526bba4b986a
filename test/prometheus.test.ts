/**
 * The alerts and the dashboard, by a real promtool and a real Prometheus: every query of both is asked while servers
 * and a worker are under load, and finds something. Grafana itself is not started.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  injectInto,
  isWorking,
  requireTool,
  startProgram,
  startServer,
  temporaryFolder,
  until,
} from "./binary.ts";
import { freePort, startRedis } from "./redis.ts";

setDefaultTimeout(900_000);

const DEPLOY = path.resolve(import.meta.dir, "../deploy");
const RULES = path.join(DEPLOY, "prometheus/fibserver.rules.yml");
const RULE_TESTS = path.join(DEPLOY, "prometheus/fibserver.rules.test.yml");
const EXAMPLE = path.join(DEPLOY, "prometheus/prometheus.yml");

const INSTALL = "apt-get install prometheus redis-server strace";
const withPromtool = requireTool(["promtool", "--version"], INSTALL);
const TOOLS = [
  ["redis-server", "--version"],
  ["strace", "-V"],
  ["prometheus", "--version"],
];
const withPrometheus = requireTool(TOOLS.find((probe) => !isWorking(probe)) ?? TOOLS[0]!, INSTALL);

/** An alert, as the file has it. */
interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly title: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const yaml = (file: string): unknown => Bun.YAML.parse(fs.readFileSync(file, "utf8"));
const { rules: ALERTS } = (yaml(RULES) as { groups: [{ rules: Alert[] }] }).groups[0];
const DASHBOARD = JSON.parse(fs.readFileSync(path.join(DEPLOY, "grafana/fibserver.json"), "utf8")) as {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
};

/** What finds nothing while all is well, and why that is right. */
const EMPTY: Readonly<Record<string, string>> = {
  FibserverDiskFull: "no move was refused by a disk, and what never happened has no series",
  FibserverRedisFull: "no move was refused by a Redis without room",
  FibserverPartAway: "each server tells of its tasks and cursors",
  FibserverErrors: "no answer was 5xx; asked again below, when the Redis is away",
  "annotation Alerts": "no alert is firing",
};

/** Each query with where it stands; of an alert what it compares. */
const QUERIES: readonly (readonly [name: string, query: string])[] = [
  ...ALERTS.map(({ alert, expr }) => [alert, expr.trim().replace(/ (>|==) [\d.]+$/, "")] as const),
  ...DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }, i) => [`panel ${title} ${i}`, expr] as const),
  ),
  ...DASHBOARD.annotations.list.map(({ name, expr }) => [`annotation ${name}`, expr] as const),
];

function promtool(...args: string[]): void {
  const { stdout, stderr, exitCode } = Bun.spawnSync(["promtool", ...args], { cwd: path.dirname(RULES) });
  const said = stdout.toString() + stderr.toString();
  expect({ args, said, exitCode }).toEqual({ args, said: expect.stringContaining("SUCCESS"), exitCode: 0 });
}

withPromtool("promtool accepts the rules and the example, and the rules pass their tests", async () => {
  promtool("check", "rules", RULES);
  promtool("test", "rules", RULE_TESTS);
  // The token's file is the operator's to make.
  promtool("check", "config", "--syntax-only", EXAMPLE);
});

test("each alert is tested both ways, says what to do, and how much it matters", () => {
  const tests = (
    yaml(RULE_TESTS) as { tests: { alert_rule_test: { alertname: string; exp_alerts?: [] }[] }[] }
  ).tests;
  const cases = tests.flatMap((one) => one.alert_rule_test);
  for (const { alert, labels, annotations } of ALERTS) {
    const own = cases.filter(({ alertname }) => alertname === alert);
    expect(
      own.some(({ exp_alerts }) => exp_alerts !== undefined) &&
        own.some(({ exp_alerts }) => exp_alerts === undefined),
      alert,
    ).toBe(true);
    expect(["critical", "warning"]).toContain(labels["severity"]!);
    expect(annotations["summary"], alert).toContain("{{ $labels.instance }}");
    expect(annotations["runbook"]?.length, alert).toBeGreaterThan(60);
  }
});

test("each panel says what it shows", () => {
  expect(DASHBOARD.panels.length).toBeGreaterThan(20);
  for (const { title, targets, description = "" } of DASHBOARD.panels)
    if (targets !== undefined) expect(description, title).toMatch(/\.$/);
});

/** What one of the servers lets in, by scope. */
const TOKENS = { read: "the-token-of-prometheus", write: "the-token-of-the-load" };

const hostsOf = (urls: readonly string[]) => [{ targets: urls.map((url) => new URL(url).host) }];

/** A Prometheus that watches servers and a worker each second, by the example that is shipped. */
async function startPrometheus(servers: readonly string[], workers: readonly string[]) {
  const folder = temporaryFolder();
  const port = await freePort();
  const tokenFile = path.join(folder.path, "token");
  fs.writeFileSync(tokenFile, TOKENS.read);
  const example = yaml(EXAMPLE) as { scrape_configs: { job_name: string; authorization?: object }[] };
  const jobs = example.scrape_configs.map(({ job_name, authorization }) => ({
    job_name,
    authorization: authorization && { credentials_file: tokenFile },
    static_configs: hostsOf(job_name === "fibserver" ? servers : workers),
  }));
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [RULES],
    scrape_configs: jobs,
  };
  const file = path.join(folder.path, "prometheus.yml");
  fs.writeFileSync(file, JSON.stringify(config));
  const child = Bun.spawn(
    [
      "prometheus",
      `--config.file=${file}`,
      `--storage.tsdb.path=${folder.path}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", Bun.file(path.join(folder.path, "log"))] },
  );
  const api = async (what: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${what}`);
    return ((await response.json()) as { data: unknown }).data;
  };
  return {
    api,
    /** The values of a query that are numbers. */
    async ask(query: string): Promise<number[]> {
      const filled = query.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "15s");
      const data = (await api(`query?query=${encodeURIComponent(filled)}`)) as {
        result: { value: [number, string] }[];
      };
      return data.result.map(({ value }) => Number(value[1])).filter((value) => !Number.isNaN(value));
    },
    isReady: () =>
      fetch(`http://127.0.0.1:${port}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      folder[Symbol.dispose]();
    },
  };
}

/** Moves do not end while they are looked at. */
const ENDLESS = ["--max-index", "1000000"];

const headers = { authorization: `Bearer ${TOKENS.write}` };
const next = (url: string) => fetch(url, { method: "POST", headers });

/** A little of everything that is counted. */
async function load(url: string, round: number): Promise<void> {
  const ask = async (target: string, method = "GET", body?: string) =>
    (await fetch(url + target, { method, headers, ...(body !== undefined && { body }) })).arrayBuffer();
  await Promise.all([
    ...Array.from({ length: 20 }, () => ask("/v1/cursor/next", "POST")),
    ask("/api0/current"),
    ask("/v1/cursors/alice/next", "POST"),
    // Before the start, and to nowhere.
    ask("/v1/cursors/never/previous", "POST"),
    ask("/v1/nothing"),
    ask(`/v1/fibonacci/${1_000_000 + round}`),
    ask("/v1/tasks", "POST", JSON.stringify({ kind: "factorial", n: String(20_000 + round) })),
    ask("/v1/sequence?count=2000"),
  ]);
}

/** A scrape has a second, and an evaluation may find none: on a machine that stalls the next one is better. */
async function expectSoon(tell: () => Promise<string[]>, expected: readonly string[]): Promise<void> {
  let told: string[] = [];
  const isSo = async () => Bun.deepEquals((told = await tell()), expected);
  await until("all is as expected", isSo, 60).catch(() => {});
  expect(told).toEqual([...expected]);
}

withPrometheus(
  "a real Prometheus finds each query of the alerts and the dashboard in servers under load",
  async () => {
    using folder = temporaryFolder();
    await using redis = await startRedis();
    const file = path.join(folder.path, "cursor");
    const tokens = path.join(folder.path, "tokens");
    const lines = Object.entries(TOKENS).map(
      ([scope, token]) => `${scope} ${scope} ${Bun.SHA256.hash(token, "hex")}\n`,
    );
    fs.writeFileSync(tokens, lines.join(""), { mode: 0o600 });
    await using alone = await startServer(["-f", file, "--tokens", tokens, ...ENDLESS]);
    await using shared = await startServer(["--redis", redis.url, ...ENDLESS]);
    await using worker = await startProgram(
      ["worker", "--redis", redis.url, "--metrics", "0"],
      /"url":"(http:[^"]*)\/"/,
    );
    await using prometheus = await startPrometheus([alone.url, shared.url], [worker.said]);
    await until("Prometheus is ready", prometheus.isReady);

    expect(QUERIES.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(EMPTY)));
    let missing: string[] = [];
    let round = 0;
    const findAll = async () => {
      await Promise.all([load(alone.url, round), load(shared.url, round)]);
      round++;
      const answers = await Promise.all(
        QUERIES.map(async ([, query]) => (await prometheus.ask(query)).length),
      );
      missing = QUERIES.filter(([name], i) => answers[i] === 0 && !(name in EMPTY)).map(([name]) => name);
      return missing.length === 0;
    };
    await until("each query finds something", findAll).catch(() => {});
    expect(missing).toEqual([]);

    const healthOfTargets = async () => {
      const targets = (await prometheus.api("targets")) as {
        activeTargets: { health: string; lastError: string }[];
      };
      return targets.activeTargets.map(({ health, lastError }) => `${health}${lastError}`);
    };
    await expectSoon(healthOfTargets, ["up", "up", "up"]);
    const healthOfRules = async () => {
      const { groups } = (await prometheus.api("rules")) as {
        groups: { rules: { name: string; health: string }[] }[];
      };
      return groups.flatMap(({ rules }) => rules.map(({ name, health }) => `${name} ${health}`));
    };
    await expectSoon(
      healthOfRules,
      ALERTS.map(({ alert }) => `${alert} ok`),
    );

    // And what is not well is found, too.
    const isSeen = (name: string, ask: () => Promise<unknown>) =>
      until(`${name} is seen`, async () => {
        await ask();
        return (await prometheus.ask(ALERTS.find(({ alert }) => alert === name)!.expr)).length > 0;
      });
    {
      const log = `${file}.cursors-wal`;
      const trace = path.join(folder.path, "trace");
      await using _full = await injectInto(alone.pid, trace, "pwrite64", "error=ENOSPC", log);
      await isSeen("FibserverDiskFull", () => next(`${alone.url}/v1/cursors/alice/next`));
    }
    await redis.crash();
    await worker[Symbol.asyncDispose]();
    for (const name of ["FibserverRedisDown", "FibserverDown", "FibserverErrors"])
      await isSeen(name, () => next(`${shared.url}/v1/cursor/next`));
  },
);
