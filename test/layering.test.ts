/**
 * Imports point one way: main → cli → serving → http → cursor | numbers | tasks, cli → copies → cursor | tasks, and
 * everybody to the leaves.
 *
 * Method: every import in `src/` is read, of types and dynamic ones too, and looked up in a
 * table of what may know what. The reader is checked against Bun's own, and the table
 * against made-up violations, so that neither can pass by finding nothing.
 */
import { describe, expect, test } from "bun:test";
import path from "node:path";

const SRC = path.resolve(import.meta.dir, "../src");

/** AssemblyScript: TypeScript's syntax with decorators on functions and paths without endings. */
const KERNEL = "numbers/kernel/";

/** Files that anyone may import, and that know only each other; those of `config/` are such, too. */
const LEAVES = new Set([
  "build-info.ts",
  "certificates.ts",
  "errors.ts",
  "cursor-name.ts",
  "libc.ts",
  "grant.ts",
  "log.ts",
  "log-queue.ts",
  "log-worker.ts",
  "metrics.ts",
  "metrics-text.ts",
  "naming-calls.ts",
  "go-answer.ts",
  "groups.ts",
  "notices.ts",
  "process-metrics.ts",
  "promptly.ts",
  "recent-failure.ts",
  "secret-file.ts",
  "shares.ts",
  "shell-word.ts",
  "signals.ts",
  "sqlite.ts",
  "sqlite-copy.ts",
  "sqlite-errors.ts",
  "sqlite-read.ts",
  "system-calls.ts",
  "thread.ts",
  "token-file.ts",
  "token.ts",
  "thread-url.ts",
  "tracing.ts",
]);

/**
 * Each part of `src/` and the parts that it may import; a folder that is not here has no place yet.
 * `cursor` and `numbers` know neither each other nor who asks them.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["cli", "leaves"],
  cli: ["cli", "serving", "copies", "cursor", "numbers", "tasks", "client", "redis", "leaves"],
  serving: ["serving", "http", "cursor", "numbers", "tasks", "redis", "leaves"],
  http: ["http", "cursor", "numbers", "tasks", "leaves"],
  copies: ["copies", "cursor", "tasks", "leaves"],
  tasks: ["tasks", "numbers", "redis", "leaves"],
  cursor: ["cursor", "redis", "leaves"],
  redis: ["redis", "leaves"],
  numbers: ["numbers", "leaves"],
  client: ["client", "leaves"],
  // The page: of the server's own it has the formulas by which bytes of sequences are found.
  web: ["web", "numbers"],
  leaves: ["leaves"],
};

/** What the table does not allow and is right nevertheless. */
const EXCEPTIONS: readonly { from: string; to: string; typesOnly: boolean }[] = [
  // The client is typed from the server's routes.
  { from: "client", to: "http", typesOnly: true },
];

/** Packages that only some may know; what is not here is anybody's. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  hono: ["http", "client", "web"],
  "@fibserver/client": ["web"],
  citty: ["cli"],
  bullmq: ["tasks"],
  "@logtape/logtape": ["log.ts"],
  // Heavy, and loaded only for those who name a collector.
  "@opentelemetry": ["serving/traces.ts"],
};

interface Import {
  /** As it is written: `../errors.ts`, `hono`, `node:fs`. */
  readonly specifier: string;
  readonly kind: "static" | "types" | "dynamic";
}

type Sources = Readonly<Record<string, string>>;

/** The sources of `src/`, by their path in it. The kernel is another language, and imports nothing from outside. */
async function readSources(): Promise<Sources> {
  const found = await Array.fromAsync(new Bun.Glob("**/*.{ts,tsx}").scan(SRC));
  const names = found.filter((name) => !name.startsWith(KERNEL));
  const texts = await Promise.all(names.map((name) => Bun.file(path.join(SRC, name)).text()));
  return Object.fromEntries(names.toSorted().map((name) => [name, texts[names.indexOf(name)]!]));
}

/** Every import, re-export, dynamic import, require and worker file in a source. */
function importsOf(source: string): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s+)?(?:[\w*{][^;"']*?\bfrom\s*)?["']([^"']+)["']/gm;
  for (const [, types, specifier] of source.matchAll(statement)) {
    found.push({ specifier: specifier!, kind: types === undefined ? "static" : "types" });
  }
  const expression =
    /\b(?:import|require)\s*\(\s*(?:["'`]([^"'`]+)["'`])?|new\s+(?:URL|Worker)\(\s*["'`](\.[^"'`]+)["'`]/g;
  for (const [text, called, loaded] of source.matchAll(expression)) {
    // An import whose path is computed could lead anywhere.
    found.push({ specifier: called ?? loaded ?? `(computed) ${text}`, kind: "dynamic" });
  }
  return found;
}

/** A file's row in the table: its folder, or what it is. */
function partOf(file: string): string {
  if (LEAVES.has(file) || file.startsWith("config/")) return "leaves";
  return file.includes("/") ? file.split("/")[0]! : path.basename(file, ".ts");
}

/** The file in `src/` that a specifier leads to; undefined for a package. */
function targetOf(file: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? path.join(path.dirname(file), specifier) : undefined;
}

/** Each import that the tables do not allow, as a line to read. */
function violations(sources: Sources): string[] {
  const lines: string[] = [];
  for (const [file, source] of Object.entries(sources)) {
    const part = partOf(file);
    if (MAY_IMPORT[part] === undefined) lines.push(`${file} belongs to no part in the table`);
    for (const { specifier, kind } of importsOf(source)) {
      const target = targetOf(file, specifier);
      if (target === undefined) {
        const name = Object.keys(PACKAGES).find((known) => `${specifier}/`.startsWith(`${known}/`));
        const allowed = name === undefined || [part, file].some((who) => PACKAGES[name]!.includes(who));
        if (!allowed || specifier.startsWith("(computed)")) lines.push(`${file} → ${specifier}`);
      } else if (!target.startsWith("..") && !mayImport(file, target, kind)) {
        lines.push(`${file} → ${target} (${kind})`);
      }
    }
  }
  return lines;
}

function mayImport(file: string, target: string, kind: Import["kind"]): boolean {
  const part = partOf(target);
  if (MAY_IMPORT[partOf(file)]?.includes(part)) return true;
  return EXCEPTIONS.some(
    ({ from, to, typesOnly }) =>
      (from === file || from === partOf(file)) && to === part && (!typesOnly || kind === "types"),
  );
}

/** All that a file imports, directly or not, and itself: files of `src/` and packages. */
function reachedFrom(
  file: string,
  sources: Sources,
  kinds: readonly Import["kind"][],
  reached = new Set<string>(),
): Set<string> {
  if (reached.has(file)) return reached;
  reached.add(file);
  for (const { specifier, kind } of importsOf(sources[file] ?? "")) {
    if (!kinds.includes(kind)) continue;
    const target = targetOf(file, specifier);
    if (target === undefined) reached.add(specifier);
    else reachedFrom(target, sources, kinds, reached);
  }
  return reached;
}

/** Everything that is loaded with a file before it runs. */
const loadedWith = (file: string, sources: Sources): Set<string> => reachedFrom(file, sources, ["static"]);

/** Each pair of files that cannot be understood without each other, as a line to read. */
function circles(sources: Sources): string[] {
  const lines: string[] = [];
  for (const [file, source] of Object.entries(sources)) {
    for (const { specifier } of importsOf(source)) {
      const target = targetOf(file, specifier);
      if (target === undefined) continue;
      if (reachedFrom(target, sources, ["static", "types", "dynamic"]).has(file))
        lines.push(`${file} ⇄ ${target}`);
    }
  }
  return lines;
}

const sources = await readSources();

describe("layering", () => {
  test("imports in src/ point right only", () => {
    expect(Object.keys(sources).length).toBeGreaterThan(20);
    expect(violations(sources)).toEqual([]);
  });

  test("ARCHITECTURE.md tells the same of each room", async () => {
    const text = await Bun.file(path.join(SRC, "../ARCHITECTURE.md")).text();
    const rows = text.matchAll(/^\| `src\/(\w+)(?:\.ts|\/)` \|[^|]*\| ([^|]*) \|$/gm);
    const told = Object.fromEntries(
      Array.from(rows, ([, room, names]) => [room, names!.split(", ").toSorted()]),
    );
    const allowed = Object.entries(MAY_IMPORT).filter(([room]) => room !== "leaves");
    expect(told).toEqual(
      Object.fromEntries(
        allowed.map(([room, names]) => [room, names.filter((name) => name !== "leaves").toSorted()]),
      ),
    );
  });

  test("every relative import leads to a file", async () => {
    for (const [file, source] of Object.entries(sources)) {
      for (const { specifier } of importsOf(source)) {
        const target = targetOf(file, specifier);
        if (target === undefined) continue;
        expect(await Bun.file(path.join(SRC, target)).exists(), `${file} → ${target}`).toBe(true);
      }
    }
  });

  test("errors.ts imports nothing", () => {
    expect(importsOf(sources["errors.ts"]!)).toEqual([]);
  });

  test("no files of src/ import each other in a circle, neither for types nor later", () => {
    expect(circles(sources)).toEqual([]);
  });

  test("circles() finds those of values, of types, of what is loaded later, and of all of them", () => {
    const b = `import { c } from "./c.ts";`;
    for (const c of [`import { a } from "./a.ts";`, `import type { A } from "./a.ts";`]) {
      for (const a of [
        `export * from "./b.ts";`,
        `export type { B } from "./b.ts";`,
        `await import("./b.ts");`,
      ]) {
        expect(circles({ "a.ts": a, "b.ts": b, "c.ts": c })).toEqual([
          "a.ts ⇄ b.ts",
          "b.ts ⇄ c.ts",
          "c.ts ⇄ a.ts",
        ]);
      }
    }
    expect(circles({ "a.ts": `await import("./b.ts");`, "b.ts": b, "c.ts": "" })).toEqual([]);
  });

  test("a shell command loads nothing of the server, and the shortest one no parser of arguments", () => {
    const root = [...loadedWith("cli/root.ts", sources)];
    expect(root).toContain("cursor/cursor.ts");
    expect(root.filter((name) => /^(http\/|log\.ts|hono|@logtape)/.test(name))).toEqual([]);
    // Each module of Node's takes as long as all the moves that such a command makes.
    const main = [...loadedWith("main.ts", sources)];
    expect(main).toContain("cursor/durable.ts");
    expect(
      main.filter((name) => /^(http\/|log\.ts|hono|@logtape|citty|node:|bun:sqlite)/.test(name)),
    ).toEqual([]);
    expect([...loadedWith("cli/open-cursors.ts", sources)]).toContain("bun:sqlite");
    // 3 ms of the 11 of `fibserver fib 1000000`; what has a file to write loads them.
    const number = [...loadedWith("cli/print-number.ts", sources)];
    expect(number).toContain("numbers/multiplier.ts");
    expect(number.filter((name) => /^(cli\/new-file\.ts|node:(tty|crypto))$/.test(name))).toEqual([]);
    // What is asked about a number is loaded for those who ask.
    const asked =
      /^(cli\/inquiries|numbers\/(compute|inquiries|remainder|ends|pisano|factors|zeckendorf|statistics|lucas))\.ts$/;
    expect(number.filter((name) => asked.test(name))).toEqual([]);
    expect([...loadedWith("cli/inquiries.ts", sources)].filter((name) => asked.test(name))).toHaveLength(8);
    expect([...loadedWith("cli/result-place.ts", sources)]).toEqual(
      expect.arrayContaining(["cli/new-file.ts", "node:crypto"]),
    );
    // The server does, so the search can find them.
    expect([...loadedWith("serving/serve.ts", sources)]).toEqual(
      expect.arrayContaining(["http/server.ts", "log.ts", "hono", "@logtape/logtape"]),
    );
  });
});

test("the kernel imports only itself", async () => {
  for await (const name of new Bun.Glob("*.ts").scan(path.join(SRC, KERNEL))) {
    const imports = importsOf(await Bun.file(path.join(SRC, KERNEL, name)).text());
    for (const { specifier } of imports) expect(specifier, name).toMatch(/^\.\/\w+$/);
  }
});

describe("the checker", () => {
  test("importsOf() finds every import that Bun finds in src/", () => {
    for (const [file, source] of Object.entries(sources)) {
      const loader = file.endsWith("x") ? "tsx" : "ts";
      const found = new Bun.Transpiler({ loader })
        .scanImports(source)
        .map(({ path: specifier }) => specifier);
      // What it takes for JSX's own, which nobody writes.
      const byBun = found.filter((specifier) => !/^react(\/|$)/.test(specifier));
      const here = importsOf(source).map(({ specifier }) => specifier);
      expect(here, file).toEqual(expect.arrayContaining(byBun));
    }
  });

  test("importsOf() finds an import in each of its forms", () => {
    const forms = `
import "./a.ts";
import b from "./b.ts";
import * as c from './c.ts';
import { d, type D } from "./d.ts";
import {
  e,
} from "./e.ts";
import type { F } from "./f.ts";
export { g } from "./g.ts";
export * from "./h.ts";
export type { I } from "./i.ts";
export const own = "from here";
const j = await import("./j.ts");
const k = require("./k.ts");
const l = new Worker("./l.ts");
const m = new URL("./m.ts", import.meta.url);
import n, { o } from "./n.ts";
`;
    expect(importsOf(forms).map(({ specifier, kind }) => `${specifier} ${kind}`)).toEqual([
      "./a.ts static",
      "./b.ts static",
      "./c.ts static",
      "./d.ts static",
      "./e.ts static",
      "./f.ts types",
      "./g.ts static",
      "./h.ts static",
      "./i.ts types",
      "./n.ts static",
      "./j.ts dynamic",
      "./k.ts dynamic",
      "./l.ts dynamic",
      "./m.ts dynamic",
    ]);
  });

  test("a server and an executor load no package for traces by themselves", () => {
    for (const file of ["serving/serve.ts", "serving/execute.ts"]) {
      const loaded = [...loadedWith(file, sources)];
      expect(loaded).toContain("serving/open-traces.ts");
      expect(loaded.filter((name) => /^(serving\/traces\.ts|@opentelemetry)/.test(name))).toEqual([]);
    }
    expect([...loadedWith("serving/traces.ts", sources)]).toContain("@opentelemetry/sdk-trace-base");
  });

  test("violations() finds each import that points left, however it is written", () => {
    for (const [file, source, violation] of [
      [
        "cursor/file.ts",
        `import { a } from "../numbers/fibonacci.ts";`,
        "cursor/file.ts → numbers/fibonacci.ts (static)",
      ],
      [
        "numbers/pool.ts",
        `import type { A } from "../cursor/cursor.ts";`,
        "numbers/pool.ts → cursor/cursor.ts (types)",
      ],
      ["numbers/pool.ts", `export * from "../http/app.ts";`, "numbers/pool.ts → http/app.ts (static)"],
      ["numbers/a/b.ts", `await import("../../cli/root.ts");`, "numbers/a/b.ts → cli/root.ts (dynamic)"],
      ["cursor/lock.ts", `import type { A } from "../http/app.ts";`, "cursor/lock.ts → http/app.ts (types)"],
      ["http/app.ts", `import { a } from "../cli/root.ts";`, "http/app.ts → cli/root.ts (static)"],
      ["http/app.ts", `import { a } from "../main.ts";`, "http/app.ts → main.ts (static)"],
      [
        "tasks/task.ts",
        `import { a } from "../cursor/cursor.ts";`,
        "tasks/task.ts → cursor/cursor.ts (static)",
      ],
      ["cli/moves.ts", `import { a } from "../http/app.ts";`, "cli/moves.ts → http/app.ts (static)"],
      [
        "copies/copies.ts",
        `import { a } from "../cli/output.ts";`,
        "copies/copies.ts → cli/output.ts (static)",
      ],
      [
        "cursor/copy.ts",
        `import { a } from "../copies/copies.ts";`,
        "cursor/copy.ts → copies/copies.ts (static)",
      ],
      ["client/client.ts", `import { a } from "../http/app.ts";`, "client/client.ts → http/app.ts (static)"],
      ["errors.ts", `import { a } from "./cursor/record.ts";`, "errors.ts → cursor/record.ts (static)"],
      ["config/log.ts", `import { a } from "../http/app.ts";`, "config/log.ts → http/app.ts (static)"],
      ["main.ts", `import { a } from "./http/server.ts";`, "main.ts → http/server.ts (static)"],
      ["cursor/cursor.ts", `import { Hono } from "hono/tiny";`, "cursor/cursor.ts → hono/tiny"],
      ["http/app.ts", `import { getLogger } from "@logtape/logtape";`, "http/app.ts → @logtape/logtape"],
      ["http/app.ts", `import { parseArgs } from "citty";`, "http/app.ts → citty"],
      ["cursor/cursor.ts", `await import(name);`, "cursor/cursor.ts → (computed) import("],
      ["helpers/text.ts", ``, "helpers/text.ts belongs to no part in the table"],
    ] as const) {
      expect(violations({ [file]: source })).toEqual([violation]);
    }
  });

  test("violations() allows what points right, and the exceptions", () => {
    for (const [file, source] of [
      ["main.ts", `import { a } from "./cli/root.ts";\nimport { version } from "../package.json";`],
      ["serving/serve.ts", `import { a } from "../http/app.ts";`],
      ["cli/moves.ts", `import { a } from "../cursor/cursor.ts";`],
      ["copies/copies.ts", `import { a } from "../cursor/copy.ts";\nimport { b } from "../tasks/copy.ts";`],
      ["http/numbers.ts", `import { a } from "../numbers/fibonacci.ts";`],
      ["tasks/executor.ts", `import { a } from "../numbers/pool.ts";`],
      ["client/client.ts", `import type { App } from "../http/app.ts";`],
      ["client/client.ts", `import { hc } from "hono/client";`],
      ["cursor/file.ts", `import { FibError } from "../errors.ts";\nimport fs from "node:fs";`],
      ["config/config.ts", `import { FibError } from "../errors.ts";`],
    ] as const) {
      expect(violations({ [file]: source })).toEqual([]);
    }
  });
});
