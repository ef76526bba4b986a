/**
 * The package `@fibserver/client` holds what it should, does the same in Bun, in Node and in a browser, and its
 * declarations serve strict projects. Each gets it as a program would: packed by npm, and installed.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import root from "../../package.json" with { type: "json" };
import { requireTool, temporaryFolder } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { runEssentials, type Urls } from "./essentials.ts";
import { startProxy } from "./proxy.ts";
import { openScripted, openServer } from "./server.ts";

setDefaultTimeout(300_000);

const ROOT = path.resolve(import.meta.dir, "../..");
const PACKAGE = path.join(ROOT, "dist/client");
const withNpm = requireTool(["npm", "--version"], "apt-get install npm");
const withNode = requireTool(
  ["node", "--eval", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"],
  "install Node 20 or later, from https://nodejs.org",
);

const EXPECTED = {
  number: [20_899, "25974069347221724166", "49895374653428746875"],
  big: "222232244629420445529739893461909967206666939096499764990979600",
  ackermann: "9",
  stream: "2432902008176640000",
  index: [
    { isTerm: true, index: 12 },
    { isTerm: false, below: 12, above: 13 },
  ],
  ends: ["digits,9", "last,01408733"],
  found: ["72", "11", "6", "4", "1500"],
  sequence: [3000, 940_584],
  seen: ["0", "1", "1", "2", "3", "5", "8", "13", "21", "34"],
  moves: [
    [9, "34"],
    [10, "55"],
    [9, "34"],
  ],
  made: [20, true],
  watched: ["20 6765", "21 10946", "22 17711", "23 28657"],
  names: ["default"],
  absent: ["cursor_unknown 404", "cursor_unknown 404", "cursor_permanent 409"],
  misnamed:
    "TypeError: Cannot use the text \"Alice\" for name: it takes 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, and no client- before them",
  moved: "55",
  start: "sequence_start 409",
  tooLarge: "result_too_large 422",
  task: [41_798, "ready", 1],
  unknown: "task_unknown 404",
  timeout: "timeout 0",
  aborted: "Error: enough",
  together: 1,
  redirect: "bad_answer 0",
  misused: 'TypeError: Cannot use the text "string" for as: it takes bigint, text, stream',
  told: [true, true, true],
};

withNpm(
  "npm pack puts the module, its declarations, README and licence into the package, and nothing else",
  async () => {
    using folder = temporaryFolder();
    const { files, name, version } = await pack(PACKAGE, folder.path);
    expect({ name, version, files }).toEqual({
      name: "@fibserver/client",
      version: root.version,
      files: [
        "LICENSE",
        "README.md",
        "client.d.ts",
        "client.js",
        "codes.d.ts",
        "cursor.d.ts",
        "cursors.d.ts",
        "error.d.ts",
        "forms.d.ts",
        "inquiries.d.ts",
        "options.d.ts",
        "package.json",
        "position.d.ts",
        "server-status.d.ts",
        "status.d.ts",
        "tasks.d.ts",
      ],
    });
    const manifest = (await Bun.file(path.join(PACKAGE, "package.json")).json()) as Record<string, unknown>;
    expect(Object.keys(manifest).filter((key) => /dependencies|scripts|private/i.test(key))).toEqual([]);
    const module = await Bun.file(path.join(PACKAGE, "client.js")).text();
    expect(new Bun.Transpiler({ loader: "js" }).scanImports(module)).toEqual([]);
    for (const file of ["LICENSE", "README.md"]) {
      const source = path.join(ROOT, file === "LICENSE" ? file : "packages/client/README.md");
      expect(await Bun.file(path.join(PACKAGE, file)).text()).toBe(await Bun.file(source).text());
    }
  },
);

withNpm("npm pack of the server's sources holds no source, and exports no client", async () => {
  using folder = temporaryFolder();
  expect((await pack(ROOT, folder.path)).files).toEqual(["LICENSE", "README.md", "package.json"]);
  expect(root).not.toHaveProperty("exports");
  expect(root.private).toBe(true);
});

for (const [engine, command, withEngine] of [
  ["Bun", process.execPath, withNpm],
  ["Node", "node", withNode],
] as const) {
  withEngine(`the installed client does the essentials in ${engine}`, async () => {
    using project = await openProject();
    await using servers = await openServers();
    const main = path.join(project.path, "main.mjs");
    fs.writeFileSync(
      main,
      `import run from "./app.mjs";
       console.log(JSON.stringify(await run(JSON.parse(process.argv[2]))));`,
    );
    expect(JSON.parse(await outputOf([command, main, JSON.stringify(servers.urls)], project.path))).toEqual(
      EXPECTED,
    );
    expect(servers.cutCount()).toBeGreaterThan(0);
  });
}

withChromium("the installed client does the essentials in a browser's bundle", async () => {
  using project = await openProject();
  await using servers = await openServers();
  const { outputs } = await Bun.build({
    entrypoints: [path.join(project.path, "app.mjs")],
    target: "browser",
  });
  const script = await outputs[0]!.text();
  const browser = await launchBrowser();
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
    await page.route(`${origin}/moved/**`, (route) =>
      route.fulfill({ status: 302, headers: { location: `${origin}/` } }),
    );
    await page.goto(`${origin}/`);
    const call = `import("/app.js").then(({ default: run }) => run({
      server: location.origin, cutting: location.origin, silent: location.origin + "/silent",
      moved: location.origin + "/moved" }))`;
    expect(await page.evaluate<unknown>(call)).toEqual(EXPECTED);
  } finally {
    await browser.close();
  }
  expect(servers.cutCount()).toBeGreaterThan(0);
});

for (const [moduleResolution, types] of [
  ["nodenext", "browsers'"],
  ["bundler", "browsers'"],
  ["nodenext", "Node's"],
] as const) {
  withNpm(
    `the declarations serve a strict project with ${types} types only, by ${moduleResolution}`,
    async () => {
      using project = await openProject();
      const ofNode = types === "Node's";
      const compilerOptions = {
        strict: true,
        skipLibCheck: false,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        verbatimModuleSyntax: true,
        noEmit: true,
        target: "es2022",
        lib: ofNode ? ["es2022"] : ["es2022", "dom"],
        types: ofNode ? ["node"] : [],
        typeRoots: [path.join(ROOT, "node_modules/@types")],
        module: moduleResolution === "bundler" ? "esnext" : "nodenext",
        moduleResolution,
      };
      fs.writeFileSync(
        path.join(project.path, "tsconfig.json"),
        JSON.stringify({ compilerOptions, files: ["use.mts"] }),
      );
      fs.writeFileSync(path.join(project.path, "use.mts"), USE);
      const tsc = path.join(ROOT, "node_modules/.bin/tsc");
      expect(await outputOf([process.execPath, tsc, "-p", project.path], project.path)).toBe("");
    },
  );
}

/** Each line has the type that it says, or does not compile. */
const USE = `
import { type CursorClient, type DigitCounts, type Ends, type ErrorCode, FibClient, FibClientError, type TaskStatus } from "@fibserver/client";
const fib = new FibClient("http://127.0.0.1:8080", {
  timeoutMs: Infinity,
  headers: { authorization: "x" },
  onRequest: ({ method, attempt }) => { const d: [string, number] = [method, attempt]; void d; },
  onResponse: ({ status, durationMs }) => { const d: [number | undefined, number] = [status, durationMs]; void d; },
  onRetry: ({ error, delayMs }) => { const d: [ErrorCode, number] = [error.code, delayMs]; void d; },
});
const a: bigint = await fib.fibonacci(1);
const b: string = await fib.factorial(1n, { as: "text", signal: AbortSignal.timeout(1) });
const c: ReadableStream<Uint8Array> = await fib.ackermann(1, 1, { as: "stream" });
const k = new FibClient("http://127.0.0.1:8080", { onRequest: async () => {}, onRetry: () => 1 });
for await (const term of fib.sequence({ from: 1, to: 2 })) { const d: bigint = term; void d; }
for await (const term of fib.sequence({ count: 2, as: "text" })) { const d: string = term; void d; }
const e: bigint = (await fib.cursor.next()).value;
const f: string = (await fib.cursor.set(7, { as: "text", key: "k" })).value;
const l: readonly CursorClient[] = [fib.cursor, fib.cursor("alice")];
const m: boolean = (await fib.cursor("alice").set(7n, { ifNone: true })).created;
const n: undefined | void = await fib.cursor("alice").remove({ ifMatch: "1", signal: AbortSignal.timeout(1) });
for await (const { value, digits } of fib.cursor.watch()) { const d: [bigint | undefined, number] = [value, digits]; void d; }
for await (const { value } of fib.cursor.watch({ as: "text" })) { const d: string | undefined = value; void d; }
for await (const listed of fib.cursors.list({ prefix: "a", limit: 3 })) { const d: string | undefined = listed.movedAt; void d; }
// @ts-expect-error
fib.cursor(7);
// @ts-expect-error
(await fib.cursor.next()).created;
const ends: Ends = await fib.ends(10n, { first: 1 });
const counts: DigitCounts = await fib.digitCounts(10);
const indices: number[] = await fib.zeckendorf(10);
const remainder: bigint = await fib.remainder(10n, 3);
fib.sequence({ start: [2, 1n] });
// @ts-expect-error
fib.sequence({ start: [2] });
const task = await fib.tasks.create({ kind: "ackermann", m: 1, n: 2 });
for await (const listed of fib.tasks.list({ state: "ready", limit: 3 })) { const d: string = listed.id; void d; }
const i: TaskStatus = await fib.tasks.cancel(task.id, { unlessShared: true });
for await (const status of task.events()) { const d: TaskStatus = status; void d; }
const g: bigint = await task.result();
const found = await fib.index(13);
const h: number = found.isTerm ? found.index : found.below;
const isBusy = ({ code }: FibClientError): boolean => code === "overloaded" || code === "timeout";
// @ts-expect-error
const isNone = ({ code }: FibClientError): boolean => code === "overlooked";
// What is left of the codes after each of the client's own is a server's: none is any string.
type Own = "unreachable" | "timeout" | "changed" | "task_failed" | "task_cancelled" | "bad_answer" | "unknown_code";
const j: string extends ErrorCode ? never : Own extends ErrorCode ? true : never = true;
// @ts-expect-error
await fib.tasks.create({ kind: "tribonacci", n: 2 });
// @ts-expect-error
await fib.fibonacci(1, { as: "number" });
void [a, b, c, e, f, g, h, i, j, k, l, m, n, ends, counts, indices, remainder, isBusy, isNone];
`;

/** Packs a folder. @returns What npm says of the tarball. */
async function pack(folder: string, destination: string) {
  const printed = await outputOf(
    ["npm", "pack", folder, "--json", "--pack-destination", destination],
    destination,
  );
  const [packed] = JSON.parse(printed) as {
    name: string;
    version: string;
    filename: string;
    files: { path: string }[];
  }[];
  return { ...packed!, files: packed!.files.map((file) => file.path).toSorted() };
}

/** A folder in which the package is installed, and `app.mjs` does the essentials with it. */
async function openProject(): Promise<ReturnType<typeof temporaryFolder>> {
  const folder = temporaryFolder();
  fs.writeFileSync(path.join(folder.path, "package.json"), JSON.stringify({ private: true }));
  const { filename } = await pack(PACKAGE, folder.path);
  await outputOf(
    ["npm", "install", "--offline", "--no-audit", "--no-fund", path.join(folder.path, filename)],
    folder.path,
  );
  fs.writeFileSync(
    path.join(folder.path, "app.mjs"),
    `import * as client from "@fibserver/client";
     ${runEssentials.toString()}
     export default (urls) => runEssentials(client, urls);`,
  );
  return folder;
}

/** What a program prints that must end well, and say nothing else; npm's notices aside. */
async function outputOf(command: readonly string[], folder: string): Promise<string> {
  await using child = Bun.spawn([...command], {
    cwd: folder,
    // What npm keeps goes away with the folder.
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      npm_config_loglevel: "error",
      npm_config_update_notifier: "false",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const exitCode = await child.exited;
  expect({ command: command.slice(0, 3), stderr, exitCode, stdout: exitCode === 0 ? "" : stdout }).toEqual({
    command: command.slice(0, 3),
    stderr: "",
    exitCode: 0,
    stdout: "",
  });
  return stdout;
}

/** The servers that the essentials need; every other connection through `cutting` breaks. */
async function openServers() {
  const server = await openServer();
  // Each of them, lest a browser has the megabyte by one that is not cut; and behind bytes that make a browser's own retry
  // impossible.
  const cutting = await startProxy(server.url, () => ({ cutAfterBytes: 200_000 }));
  const silent = await startProxy(server.url, () => ({ silentAfterBytes: 0 }));
  const moved = openScripted(() => Response.redirect(server.url, 302));
  return {
    urls: { server: server.url, cutting: cutting.url, silent: silent.url, moved: moved.url } satisfies Urls,
    cutCount: cutting.cutCount,
    async [Symbol.asyncDispose]() {
      for (const each of [moved, silent, cutting, server]) await each[Symbol.asyncDispose]();
    },
  };
}
