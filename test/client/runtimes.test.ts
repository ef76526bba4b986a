/**
 * The built client does the same in Bun, in Node and in a browser, and its declarations serve strict projects.
 *
 * Each gets it as a program would: as `fibserver/client`, by the package's exports.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import * as client from "../../src/client/client.ts";
import { requireTool, temporaryFolder } from "../binary.ts";
import { runEssentials, type Urls } from "./essentials.ts";
import { startProxy } from "./proxy.ts";
import { openServer } from "./server.ts";

setDefaultTimeout(120_000);

const ROOT = path.resolve(import.meta.dir, "../..");
const withNode = requireTool(
  ["node", "--eval", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"],
  "install Node 20 or later, from https://nodejs.org",
);
const withChromium = requireTool(["chromium", "--version"], "apt-get install chromium");

const EXPECTED = {
  number: [20_899, "25974069347221724166", "49895374653428746875"],
  big: "222232244629420445529739893461909967206666939096499764990979600",
  ackermann: "9",
  stream: "2432902008176640000",
  index: [
    { isTerm: true, index: 12 },
    { isTerm: false, below: 12, above: 13 },
  ],
  sequence: [3000, 940_584],
  seen: ["0", "1", "1", "2", "3", "5", "8", "13", "21", "34"],
  moves: [
    [9, "34"],
    [10, "55"],
    [9, "34"],
  ],
  moved: "55",
  start: "sequence_start 409",
  tooLarge: "result_too_large 422",
  task: [41_798, "ready", 1],
  unknown: "task_unknown 404",
  timeout: "timeout 0",
  aborted: "Error: enough",
};

test("the client does the essentials in Bun", async () => {
  await using servers = await openServers();
  expect(await runEssentials(client, servers.urls)).toEqual(EXPECTED);
  expect(servers.cutCount()).toBeGreaterThan(0);
});

withNode("the built client does the essentials in Node", async () => {
  using project = await openProject();
  await using servers = await openServers();
  const main = path.join(project.path, "main.mjs");
  fs.writeFileSync(
    main,
    `import run from "./app.mjs";
     console.log(JSON.stringify(await run(JSON.parse(process.argv[2]))));`,
  );
  await using node = Bun.spawn(["node", main, JSON.stringify(servers.urls)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([node.stdout.text(), node.stderr.text()]);
  expect({ stderr, exitCode: await node.exited }).toEqual({ stderr: "", exitCode: 0 });
  expect(JSON.parse(stdout)).toEqual(EXPECTED);
  expect(servers.cutCount()).toBeGreaterThan(0);
});

withChromium("the built client does the essentials in a browser's bundle", async () => {
  using project = await openProject();
  await using servers = await openServers();
  const { outputs } = await Bun.build({
    entrypoints: [path.join(project.path, "app.mjs")],
    target: "browser",
  });
  const script = await outputs[0]!.text();
  const browser = await chromium.launch({
    executablePath: Bun.which("chromium")!,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
  try {
    // A page of the server's own origin, which is that of the connections that break.
    const origin = servers.urls.cutting;
    const page = await browser.newPage();
    await page.route(`${origin}/`, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>essentials</title>" }),
    );
    await page.route(`${origin}/app.js`, (route) =>
      route.fulfill({ contentType: "text/javascript", body: script }),
    );
    await page.route(`${origin}/silent/**`, () => {});
    await page.goto(`${origin}/`);
    const call = `import("/app.js").then(({ default: run }) => run({
      server: location.origin, cutting: location.origin, silent: location.origin + "/silent" }))`;
    expect(await page.evaluate<unknown>(call)).toEqual(EXPECTED);
  } finally {
    await browser.close();
  }
  expect(servers.cutCount()).toBeGreaterThan(0);
});

for (const moduleResolution of ["nodenext", "bundler"] as const) {
  test(`the declarations serve a strict project with browsers' types only, by ${moduleResolution}`, async () => {
    using project = await openProject();
    const compilerOptions = {
      strict: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "es2022",
      lib: ["es2022", "dom"],
      types: [],
      module: moduleResolution === "bundler" ? "esnext" : "nodenext",
      moduleResolution,
    };
    fs.writeFileSync(
      path.join(project.path, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["use.mts"] }),
    );
    fs.writeFileSync(path.join(project.path, "use.mts"), USE);
    const tsc = path.join(ROOT, "node_modules/.bin/tsc");
    await using check = Bun.spawn([process.execPath, tsc, "-p", project.path], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr] = await Promise.all([check.stdout.text(), check.stderr.text()]);
    expect({ stdout, stderr, exitCode: await check.exited }).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  });
}

/** Each line has the type that it says, or does not compile. */
const USE = `
import { FibClient, FibClientError, type TaskStatus } from "fibserver/client";
const fib = new FibClient("http://127.0.0.1:8080", { timeoutMs: 1000, headers: { authorization: "x" } });
const a: bigint = await fib.fibonacci(1);
const b: string = await fib.factorial(1n, { as: "text", signal: AbortSignal.timeout(1) });
const c: ReadableStream<Uint8Array> = await fib.ackermann(1, 1, { as: "stream" });
for await (const term of fib.sequence({ from: 1, to: 2 })) { const d: bigint = term; void d; }
for await (const term of fib.sequence({ count: 2, as: "text" })) { const d: string = term; void d; }
const e: bigint = (await fib.cursor.next()).value;
const f: string = (await fib.cursor.set(7, { as: "text", key: "k" })).value;
const task = await fib.tasks.create({ kind: "ackermann", m: 1, n: 2 });
for await (const status of task.events()) { const d: TaskStatus = status; void d; }
const g: bigint = await task.result();
const found = await fib.index(13);
const h: number = found.isTerm ? found.index : found.below;
// @ts-expect-error
await fib.tasks.create({ kind: "lucas", n: 2 });
// @ts-expect-error
await fib.fibonacci(1, { as: "number" });
void [a, b, c, e, f, g, h, FibClientError];
`;

/** A folder in which `fibserver` is installed, and `app.mjs` does the essentials with it. */
async function openProject(): Promise<ReturnType<typeof temporaryFolder>> {
  const folder = temporaryFolder();
  const modules = path.join(folder.path, "node_modules");
  fs.mkdirSync(modules);
  fs.symlinkSync(ROOT, path.join(modules, "fibserver"));
  const source = await Bun.file(path.join(import.meta.dir, "essentials.ts")).text();
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  fs.writeFileSync(path.join(folder.path, "essentials.mjs"), transpiler.transformSync(source));
  fs.writeFileSync(
    path.join(folder.path, "app.mjs"),
    `import * as client from "fibserver/client";
     import { runEssentials } from "./essentials.mjs";
     export default (urls) => runEssentials(client, urls);`,
  );
  return folder;
}

/** The servers that the essentials need; every other connection through `cutting` breaks. */
async function openServers() {
  const server = await openServer();
  const cutting = await startProxy(server.url, (connection) =>
    connection % 2 === 0 ? { cutAfterBytes: 15_000 } : {},
  );
  const silent = await startProxy(server.url, () => ({ silentAfterBytes: 0 }));
  return {
    urls: { server: server.url, cutting: cutting.url, silent: silent.url } satisfies Urls,
    cutCount: cutting.cutCount,
    async [Symbol.asyncDispose]() {
      for (const each of [silent, cutting, server]) await each[Symbol.asyncDispose]();
    },
  };
}
