/** What TAB offers, by the definitions of the commands, and where names come from: the walk itself, without a shell. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "bun:sqlite";
import fs from "node:fs";
import type { ArgsDef } from "citty";
import { resolved } from "../../src/cli/arguments.ts";
import { splitLine } from "../../src/cli/completion/bash-line.ts";
import { type Ask, complete } from "../../src/cli/completion/candidates.ts";
import { fibserver } from "../../src/cli/root.ts";
import { output, request, run, runInShell, startServer, temporaryFolder, until } from "../binary.ts";

setDefaultTimeout(300_000);

/** As bash has them. */
const BREAKS = " \t\n\"'@><=;|&(:";

/** What may stand at the end of a line; the last word is the one that is typed. */
async function offered(line: string, ask: Ask = async () => []) {
  const words = line.split(" ").slice(1);
  const current = words.pop()!;
  const { kind, head, candidates } = await complete(fibserver, { words, current }, ask);
  return kind === "words" ? candidates.map(({ word }) => head + word) : kind;
}

test("commands come first, with the letters, and then subcommands", async () => {
  const commands = Object.keys(await resolved(fibserver.subCommands!));
  expect(await offered("fibserver ")).toEqual([...commands, "p", "c", "n"]);
  expect(await offered("fibserver n ")).toEqual(["p", "c", "n"]);
  expect(await offered("fibserver -f x ")).toEqual(["p", "c", "n"]);
  expect(await offered("fibserver cursor ")).toContain("watch");
  expect(await offered("fibserver help cursor ")).toEqual(await offered("fibserver cursor "));
  expect(await offered("fibserver help ")).toEqual(commands);
  expect(await offered("fibserver help fib ")).toEqual([]);
});

test("every flag of every command is offered once somebody types it, by both its names, and not again", async () => {
  const walk = async (command: typeof fibserver, line: string): Promise<void> => {
    const flags = Object.entries(await resolved<ArgsDef>(command.args ?? {}));
    for (const [name, { type, ...rest }] of flags) {
      if (type === "positional") continue;
      expect(await offered(`${line} --${name}`)).toContain(`--${name}`);
      const given = `${line} --${name}${type === "boolean" ? "" : "=1"}`;
      expect(await offered(`${given} --${name}`)).not.toContain(`--${name}`);
      if ("alias" in rest)
        expect(await offered(`${line} -${String(rest.alias)}`)).toContain(`-${String(rest.alias)}`);
    }
    for (const [name, each] of Object.entries(await resolved(command.subCommands ?? {})))
      await walk(await resolved(each), `${line} ${name}`);
  };
  await walk(fibserver, "fibserver");
  // A server's own are for those who begin to type them.
  expect(await offered("fibserver -")).not.toContain("--max-digits");
  expect(await offered("fibserver serve -")).toContain("--max-digits");
  expect(await offered("fibserver fib 5 ")).toContain("--json");
});

test("what is refused beside what the line has is not offered", async () => {
  for (const line of ["-i", "--interactive", "-p 80", "--tokens=x", "-p 80 -d"])
    expect(await offered(`fibserver ${line} `)).not.toContainAnyValues(["p", "c", "n"]);
  const served = await offered("fibserver -p 80 --");
  expect(served).toContain("--max-digits");
  for (const flag of ["--cursor", "--server", "--json", "--interactive"]) expect(served).not.toContain(flag);
  for (const line of ["n --ma", "n -", "-i --p", "c --json --", "--cursor x -"]) {
    const words = await offered(`fibserver ${line}`);
    for (const flag of ["-p", "--port", "--max-digits", "--tokens"]) expect(words).not.toContain(flag);
  }
  expect(await offered("fibserver n -")).not.toContain("--interactive");
  expect(await offered("fibserver n --ma")).toContain("--max-index");
  const remote = await offered("fibserver cursor set 5 --server=http://h --");
  expect(remote).toContain("--cursor");
  expect(remote).not.toContainAnyValues(["--file", "--redis", "--lock-timeout"]);
  expect(await offered("fibserver c -f x --")).not.toContain("--server");
});

test("values are offered where there are few, alone and behind =", async () => {
  const formats = ["text", "json", "ndjson", "csv", "bfile"];
  expect(await offered("fibserver seq 10 --format ")).toEqual(formats);
  expect(await offered("fibserver seq 10 --format=")).toEqual(formats.map((word) => `--format=${word}`));
  expect(await offered("fibserver serve --log-level ")).toEqual(["debug", "info", "warning", "error"]);
  expect(await offered("fibserver worker --log-format ")).toEqual(["text", "json"]);
  expect(await offered("fibserver task list --state ")).toContain("cancelled");
  expect(await offered("fibserver task run ")).toContain("remainder");
  expect(await offered("fibserver task run remainder ")).toEqual([]);
  expect(await offered("fibserver token ci --scope ")).toEqual(["read", "write", "write:"]);
  expect(await offered("fibserver completion ")).toEqual(["bash", "zsh", "fish"]);
  expect(await offered("fibserver fib 10 --mod ")).toEqual([]);
});

test("each value that is offered is one that the command takes", async () => {
  for (const [line, ok] of [
    ["seq 1 --format", 0],
    ["token ci --scope", 0],
    ["completion", 0],
    // Nobody listens there.
    ["task list --server http://127.0.0.1:1 --state", 69],
  ] as const) {
    const words = await offered(`fibserver ${line} `);
    expect(words).toBeArray();
    const results = (words as string[])
      .filter((word) => !word.endsWith(":"))
      .map((word) => run([...line.split(" "), word]));
    for (const { exitCode } of await Promise.all(results)) expect(exitCode).toBe(ok);
  }
});

test("files and folders are left to the shell", async () => {
  for (const line of [
    "-f ",
    "--file=",
    "fib 5 -o ",
    "cursor export ",
    "cursor export x ",
    "serve --tls-key ",
  ])
    expect(await offered(`fibserver ${line}`)).toBe("files");
  for (const line of ["backup ", "restore -f x "]) expect(await offered(`fibserver ${line}`)).toBe("folders");
});

test("nothing behind -- is a flag, and no value of one is a word", async () => {
  expect(await offered("fibserver fib -- -")).toEqual([]);
  expect(await offered("fibserver -f cursor ")).toEqual(["p", "c", "n"]);
  expect(await offered("fibserver fib --json=")).toEqual([]);
  expect(await offered("fibserver fib --bogus=")).toEqual([]);
});

test("names are asked for with what is typed of them, and with the flags of the line", async () => {
  const asked: unknown[] = [];
  const ask: Ask = async (...question) => {
    asked.push(question);
    return [{ word: "alice", about: "index 7" }];
  };
  expect(await offered("fibserver cursor show -f x --cursor al", ask)).toEqual(["alice"]);
  expect(await offered("fibserver n --server=http://h --cursor=al", ask)).toEqual(["--cursor=alice"]);
  expect(await offered("fibserver task watch 01", ask)).toEqual(["alice"]);
  expect(await offered("fibserver cursor remove --cursor al", ask)).toEqual(["alice"]);
  expect(asked).toEqual([
    ["cursors", "al", { file: "x", cursor: true }],
    ["cursors", "al", { server: "http://h" }],
    ["tasks", "01", {}],
    ["removable cursors", "al", { cursor: true }],
  ]);
});

test("splitLine() reads quotes as bash does, and runs nothing", () => {
  const words = (line: string) => splitLine(line, BREAKS).words;
  expect(words(`f 'a b' "c \\"d\\\\ \\x" e\\ f'g' `)).toEqual(["f", "a b", 'c "d\\ \\x', "e fg"]);
  expect(words("f $(touch x) `y` $HOME ")).toEqual(["f", "$(touch", "x)", "`y`", "$HOME"]);
  expect(words("f '' \"\" ")).toEqual(["f", "", ""]);
  expect(words("f a >out 2>&1 <in b ")).toEqual(["f", "a", "b"]);
  expect(splitLine("f a 2>/dev/nu", BREAKS)).toMatchObject({ isRedirected: true, current: "/dev/nu" });
  expect(splitLine('f "open q', BREAKS)).toMatchObject({ words: ["f"], current: "open q", kept: "" });
  expect(splitLine("f --format=j", BREAKS)).toMatchObject({ current: "--format=j", kept: "--format=" });
  expect(splitLine("f --format=j", " ")).toMatchObject({ current: "--format=j", kept: "" });
  expect(splitLine("f 'a=b:c", BREAKS)).toMatchObject({ current: "a=b:c", kept: "" });
  expect(splitLine("", BREAKS)).toMatchObject({ words: [], current: "" });
});

test("bash gets what it replaces, wherever it breaks words", async () => {
  expect(await askAsBash(BREAKS, "fibserver seq 1 --format=nd")).toBe("words\nndjson\t\n");
  expect(await askAsBash(" ", "fibserver seq 1 --format=nd")).toBe("words\n--format=ndjson\t\n");
  expect(await askAsBash(BREAKS, "fibserver token x --scope write:")).toBe("words\n");
  expect(await askAsBash(BREAKS, "fibserver fib 10 >")).toBe("files\n");
});

test("cursors of a file are found, and nothing is made or changed, not even where there is no file", async () => {
  using folder = temporaryFolder();
  const names = async (file: string, prefix = "") =>
    (await output(["__complete", "zsh", "c", "-f", file, "--cursor", prefix], { cwd: folder.path }))
      .split("\n")
      .slice(1, -1);
  expect(await names("none")).toEqual([]);
  expect(await names("no/folder/none")).toEqual([]);
  expect(fs.readdirSync(folder.path)).toEqual([]);
  await runInShell(
    `"$FIBSERVER" -f 'my cursor' n; for name in alice bob; do "$FIBSERVER" -f 'my cursor' n --cursor $name; done`,
    folder.path,
  );
  const before = stateOf(folder.path);
  expect(await names("my cursor")).toEqual(["default\t", "alice\tindex 1", "bob\tindex 1"]);
  expect(
    await output(["__complete", "zsh", "cursor", "remove", "-f", "my cursor", "--cursor", ""], {
      cwd: folder.path,
    }),
  ).not.toContain("default");
  expect(await names("my cursor", "b")).toEqual(["bob\tindex 1"]);
  expect(await names("my cursor", "'; DROP TABLE cursors")).toEqual([]);
  expect(stateOf(folder.path)).toEqual(before);
  const home = { cwd: "/", env: { HOME: folder.path } };
  expect(await output(["__complete", "fish", "c", "-f", "~/my cursor", "--cursor=al"], home)).toBe(
    "words\n--cursor=alice\tindex 1\n",
  );
  // What is no file of ours, or no file at all, has none; and nobody waits for the other end of a pipe.
  fs.writeFileSync(`${folder.path}/text.cursors`, "no database");
  await runInShell("mkfifo pipe pipe.cursors", folder.path);
  for (const file of ["text", "pipe"])
    expect((await names(file)).filter((line) => !line.startsWith("default"))).toEqual([]);
});

test("a locked file keeps nobody for long, and hides no other", async () => {
  using folder = temporaryFolder();
  await runInShell(`"$FIBSERVER" -f c n; "$FIBSERVER" -f c n --cursor alice`, folder.path);
  using locker = new Database(`${folder.path}/c.cursors`);
  // Without a log, and something in it, it would be read as it stands.
  locker.query("PRAGMA journal_mode").all();
  locker.run("PRAGMA locking_mode = EXCLUSIVE");
  locker.run("UPDATE cursors SET position = position + 1");
  locker.run("BEGIN EXCLUSIVE");
  const words = ["__complete", "zsh", "c", "-f", "c", "--cursor", ""];
  expect(await output(words, { cwd: folder.path })).toBe("words\t\ndefault\t\n");
});

test("cursors and tasks of a server are found; one that is away, or wants a token, has none", async () => {
  using folder = temporaryFolder();
  const file = ["-f", `${folder.path}/cursor`];
  let url = "";
  const ask = (words: readonly string[]) =>
    output(["__complete", "zsh", ...words, "--server", url, ...(words[0] === "c" ? ["--cursor", ""] : [""])]);
  // What takes longer than a second is left out, and a person presses TAB once more.
  const offers = async (words: readonly string[]) => {
    let offer = "";
    await until("it answers within a second", async () => (offer = await ask(words)) !== "words\t\n");
    return offer;
  };
  {
    await using server = await startServer(file);
    url = server.url;
    await request(server, "next");
    await output(["n", "--cursor", "carol", "--server", url]);
    const id = (await output(["task", "run", "fibonacci", "1000", "--detach", "-q", "--server", url])).trim();
    expect(await offers(["c"])).toBe("words\t\ncarol\tindex 1\ndefault\tindex 1\n");
    expect(await offers(["task", "show"])).toMatch(
      new RegExp(`^words\t\n${id}\t(queued|running|ready): fibonacci 1000\n$`),
    );
  }
  expect(await ask(["c"])).toBe("words\t\n");
  expect(await ask(["task", "show"])).toBe("words\t\n");
  fs.writeFileSync(`${folder.path}/tokens`, `me read ${"0".repeat(64)}\n`);
  await using guarded = await startServer([...file, "--tokens", `${folder.path}/tokens`]);
  url = guarded.url;
  expect(await ask(["c"])).toBe("words\t\n");
});

test("of an answer without end no more is read than a list may have", async () => {
  // It sends while it is asked: with the promise of each read kept, no timer has a turn.
  const entry = Buffer.from('{"name":"a","index":"1"},'.repeat(40_000));
  let sentBytes = 0;
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(Buffer.from('{"cursors":[')),
          pull: (controller) => {
            sentBytes += entry.length;
            controller.enqueue(entry);
          },
        }),
      ),
  });
  const words = ["c", "--server", `http://127.0.0.1:${server.port}`, "--cursor", ""];
  expect(await output(["__complete", "zsh", ...words])).toBe("words\t\n");
  await server.stop(true);
  // Besides what is on its way, in the buffers of both.
  expect(sentBytes).toBeLessThan(50e6);
});

test("a server that accepts and says nothing keeps nobody for long, and one that lies adds no words", async () => {
  const answers = [
    () => new Promise<Response>(() => {}),
    async () => Response.json({ cursors: [{ name: "$(touch x)", index: "1" }] }),
  ];
  for (const fetch of answers) {
    using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
    const words = ["c", "--server", `http://127.0.0.1:${server.port}`, "--cursor", ""];
    expect(await output(["__complete", "zsh", ...words])).toBe("words\t\n");
    await server.stop(true);
  }
});

test("no line, whatever it is, makes an error", async () => {
  for (const argv of [
    [],
    ["bash"],
    ["zsh"],
    ["tcsh", "x"],
    ["bash", "", "\\"],
    ["fish", "--cursor", "\u0000".repeat(0)],
  ]) {
    const { stderr, exitCode } = await run(["__complete", ...argv]);
    expect({ argv, stderr, exitCode }).toEqual({ argv, stderr: "", exitCode: 0 });
  }
});

function askAsBash(breaks: string, line: string): Promise<string> {
  return output(["__complete", "bash", breaks, line]);
}

function stateOf(folder: string) {
  return fs.readdirSync(folder).map((name) => [name, Bun.hash(fs.readFileSync(`${folder}/${name}`))]);
}
