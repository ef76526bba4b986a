/**
 * What would one use instead, for answers that stay the same? nginx with a constant for each, and a raw `Bun.serve`, which
 * says what of the difference is Bun's.
 * @module
 */
import { type Load, wrk } from "./load.ts";
import { versionOf } from "./machine.ts";
import { type Contender, interleave, mustBe, publish, type Row } from "./measure.ts";
import { type Server, startFibserver, startNginx, startRaw } from "./servers.ts";

const CONNECTIONS = 64;
/** What is asked for, and the value in the answer. */
const ASKED = { "/api0/current": "0", "/v1/fibonacci/100": "354224848179261915075" } as const;
type Route = keyof typeof ASKED;
const ROUTES = Object.keys(ASKED) as Route[];
const RAW = "raw Bun.serve";

/** Rate and CPU of two small answers. */
export async function benchConstants(rounds: number): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const ours = servers.use(await startFibserver({ medium: "tmpfs" }));
  const bodies = Object.fromEntries(
    await Promise.all(ROUTES.map(async (at) => [at, await answerOf(ours, at)])),
  );
  const nginx = servers.use(await startNginx(bodies));
  const raw = servers.use(await startRaw());
  const contenders: Record<string, Contender<Load>> = { [RAW]: () => wrk(raw, "/", CONNECTIONS) };
  for (const at of ROUTES) {
    mustBe(await answerOf(nginx, at), bodies[at], `what nginx answers to ${at}`);
    contenders[nginxName(at)] = () => wrk(nginx, at, CONNECTIONS);
    contenders[ourName(at)] = () => wrk(ours, at, CONNECTIONS);
  }
  for (const load of Object.values(contenders)) await load();
  const samples = await interleave(rounds, contenders);
  const rows = (unit: string, figure: (load: Load) => number): Row[] => [
    ...ROUTES.flatMap((at) => [
      { name: nginxName(at), unit, samples: samples[nginxName(at)]!.map(figure) },
      { name: ourName(at), unit, samples: samples[ourName(at)]!.map(figure), against: nginxName(at) },
    ]),
    { name: RAW, unit, samples: samples[RAW]!.map(figure), against: nginxName("/api0/current") },
  ];
  const title = `Small answers that stay the same, ${CONNECTIONS} connections`;
  const beside = versionOf("nginx", ["nginx", "-v"]);
  publish({ title, beside, rows: rows("/s", ({ perSecond }) => perSecond) });
  publish({
    title: `${title}, CPU of the server for each`,
    beside,
    rows: rows("µs", ({ cpuUs }) => cpuUs),
  });
}

const nginxName = (at: Route): string => `nginx, \`return 200\` for ${at}`;
const ourName = (at: Route): string => `fibserver, ${at}`;

async function answerOf({ url }: Server, at: Route): Promise<string> {
  const response = await fetch(new URL(at, url));
  const text = await response.text();
  mustBe((JSON.parse(text) as { value: string }).value, ASKED[at], `the value of ${at}`);
  return text;
}
