/** Cursors by their names, at the shell: the same commands for those beside a file, in Redis and at a server. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  output,
  type Result,
  run,
  runInShell,
  spawn,
  startProgram,
  startServer,
  temporaryFolder,
  until,
} from "../binary.ts";
import { openScripted } from "../client/server.ts";
import { freePort, startRedis, withRedis } from "../redis.ts";
import { ask, withoutNotices } from "./asking.ts";

setDefaultTimeout(300_000);

/** Where cursors are, and the flags that lead there. */
interface Place extends AsyncDisposable {
  readonly flags: readonly string[];
}

const PLACES: Readonly<Record<string, { test: typeof withRedis; open: () => Promise<Place> }>> = {
  "beside a file": {
    test,
    open: async () => {
      const folder = temporaryFolder();
      return {
        flags: ["-f", path.join(folder.path, "cursor")],
        [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
      };
    },
  },
  "in Redis": {
    test: withRedis,
    open: async () => {
      const redis = await startRedis();
      const flags = ["--redis", redis.url];
      // The first one says that it has made the default cursor.
      await run(["c", ...flags]);
      return { flags, [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose]() };
    },
  },
  "at a server": {
    test,
    open: async () => {
      const folder = temporaryFolder();
      const server = await startServer(["-f", path.join(folder.path, "cursor")]);
      return {
        flags: ["--server", server.url],
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]();
          folder[Symbol.dispose]();
        },
      };
    },
  },
};

const none = (name: string): Result => ({
  stdout: "",
  stderr: expect.stringMatching(
    new RegExp(
      `^fibserver: Cannot find cursor ${name}: there is none; n makes it, fibserver cursor list .* shows which`,
    ),
  ) as string,
  exitCode: 1,
});

for (const [where, { test: withPlace, open }] of Object.entries(PLACES)) {
  describe(where, () => {
    withPlace("fibserver n makes a cursor and moves it, and no other", async () => {
      await using place = await open();
      const { flags } = place;
      expect(await output(["n", "n", "n", "--cursor", "alice", ...flags])).toBe("1\n1\n2\n");
      expect(await output(["--cursor=bob", "n", "c", "p", "--json", ...flags])).toBe(
        ["1", "1", "0"].map((value) => `{"value":"${value}","status":"200"}\n`).join(""),
      );
      expect(await output(["c", "--cursor", "alice", ...flags])).toBe("2\n");
      expect(await output(["n", ...flags])).toBe("1\n");
      expect(await output(["n", "c", "--cursor", "default", ...flags])).toBe("1\n1\n");
      expect(await output(["c", ...flags])).toBe("1\n");
      expect((await run(["p", "p", "--cursor", "bob", ...flags])).exitCode).toBe(1);
    });

    withPlace("fibserver -i moves a cursor with a name, and goes on after what cannot be done", async () => {
      await using place = await open();
      const stdin = "c\np\nn n\nn\nc\nq\n";
      const { stdout, stderr, exitCode } = await run(["-i", "--cursor", "alice", ...place.flags], { stdin });
      expect({ stdout, exitCode }).toEqual({ stdout: "1\n1\n2\n2\n", exitCode: 0 });
      expect(stderr.trimEnd().split("\n")).toEqual([
        expect.stringContaining("Cannot find cursor alice") as string,
        expect.stringContaining("start of the sequence") as string,
      ]);
      expect(await output(["c", "--cursor", "alice", ...place.flags])).toBe("2\n");
    });

    withPlace(
      "a cursor that is not there is refused by all that do not make one, which make none",
      async () => {
        await using place = await open();
        const { flags } = place;
        await output(["cursor", "set", "3", ...flags]);
        for (const command of [["c"], ["cursor", "show"], ["cursor", "remove"], ["cursor", "watch"]]) {
          expect(await ask([...command, "--cursor", "bob", ...flags])).toEqual(none("bob"));
        }
        const atStart = await run(["p", "--cursor", "bob", ...flags]);
        expect(atStart).toMatchObject({ stdout: "", exitCode: 1 });
        expect(atStart.stderr).toContain("start of the sequence");
        for (const command of [["c"], ["cursor", "show"], ["cursor", "watch"]]) {
          const { stdout, stderr } = await run([...command, "--json", "--cursor", "bob", ...flags]);
          expect(stdout).toBe("");
          expect(JSON.parse(stderr)).toMatchObject({ code: "cursor_unknown", exit: 1 });
        }
        expect(await output(["cursor", "list", ...flags])).toBe("default\t3\t-\n");
      },
    );

    withPlace(
      "fibserver cursor set and show tell the same of a cursor that is there, or is made",
      async () => {
        await using place = await open();
        const { flags } = place;
        expect(await output(["cursor", "set", "90", "--cursor", "alice", ...flags])).toBe(
          "2880067194370816120\n",
        );
        expect(await output(["cursor", "set", "10", "--cursor", "alice", ...flags])).toBe("55\n");
        expect(await output(["cursor", "show", "--cursor", "alice", ...flags])).toBe(
          "name: alice\nindex: 10\nvalue: 55\n",
        );
        expect(await output(["cursor", "show", "--cursor", "alice", "--json", ...flags])).toBe(
          '{"name":"alice","index":"10","value":"55"}\n',
        );
        expect(await output(["cursor", "set", "8", "--json", "--cursor", "alice", ...flags])).toBe(
          '{"name":"alice","index":"8","value":"21"}\n',
        );
        expect(await output(["cursor", "set", "7", ...flags])).toBe("13\n");
        expect(await output(["cursor", "show", ...flags])).toBe("name: default\nindex: 7\nvalue: 13\n");
        expect(await run(["cursor", "set", "93", "--cursor", "alice", ...flags])).toMatchObject({
          stdout: "",
          exitCode: 2,
        });
      },
    );

    withPlace(
      "fibserver cursor list has a line for each cursor by its name, and one array as JSON",
      async () => {
        await using place = await open();
        const { flags } = place;
        const beginMs = Date.now();
        for (const [name, index] of [
          ["zoe", 1],
          ["alice", 2],
          ["default", 3],
          ["al.2", 4],
        ] as const)
          await output(["cursor", "set", String(index), "--cursor", name, ...flags]);
        const rows = (await output(["cursor", "list", ...flags])).trimEnd().split("\n");
        expect(rows.map((row) => row.split("\t").slice(0, 2))).toEqual([
          ["al.2", "4"],
          ["alice", "2"],
          ["default", "3"],
          ["zoe", "1"],
        ]);
        const times = rows.map((row) => row.split("\t")[2]!);
        expect(times[2]).toBe("-");
        for (const time of times.toSpliced(2, 1)) {
          expect(new Date(time).toISOString()).toBe(time);
          expect(Date.parse(time)).toBeWithin(beginMs, Date.now() + 1);
        }
        const listed = await output(["cursor", "list", "--prefix", "al", "--json", ...flags]);
        expect(JSON.parse(listed)).toEqual([
          { name: "al.2", index: "4", movedAt: times[0] },
          { name: "alice", index: "2", movedAt: times[1] },
        ]);
        expect(await output(["cursor", "list", "--prefix", "b", "--json", ...flags])).toBe("[]\n");
        expect(await output(["cursor", "list", "--prefix", "b", ...flags])).toBe("");
      },
    );

    withPlace("fibserver cursor remove removes one, says so, and never the default one", async () => {
      await using place = await open();
      const { flags } = place;
      for (const name of ["alice", "bob", "default"]) await output(["n", "--cursor", name, ...flags]);
      expect(await output(["cursor", "remove", "--cursor", "alice", ...flags])).toBe("removed alice\n");
      expect(await output(["cursor", "remove", "--json", "--cursor", "bob", ...flags])).toBe(
        '{"name":"bob","removed":true}\n',
      );
      const again = await run(["cursor", "remove", "--json", "--cursor", "bob", ...flags]);
      expect(JSON.parse(again.stderr)).toMatchObject({ code: "cursor_unknown", exit: 1 });
      expect(await run(["cursor", "remove", "--cursor", "alice", ...flags])).toEqual(none("alice"));
      expect(await run(["c", "--cursor", "alice", ...flags])).toEqual(none("alice"));
      for (const name of [[], ["--cursor", "default"]]) {
        expect(await run(["cursor", "remove", ...name, ...flags])).toEqual({
          stdout: "",
          stderr: "fibserver: Cannot remove it: the default cursor is always there; set it to 0 instead\n",
          exitCode: 1,
        });
      }
      expect(await output(["c", ...flags])).toBe("1\n");
      expect(await output(["n", "--cursor", "alice", ...flags])).toBe("1\n");
    });

    for (const name of ["default", "alice"]) {
      withPlace(`fibserver cursor watch prints where ${name} is, and where others move it`, async () => {
        await using place = await open();
        const flags = ["--cursor", name, ...place.flags];
        await output(["cursor", "set", "5", ...flags]);
        await using plain = new Watch(["cursor", "watch", ...flags]);
        await using json = new Watch(["cursor", "watch", "--json", ...flags]);
        await plain.shows(["5"]);
        await json.shows(['{"index":"5","value":"5"}']);
        await output(["n", ...flags]);
        await plain.shows(["5", "8"]);
        await json.shows(['{"index":"5","value":"5"}', '{"index":"6","value":"8"}']);
        await output(["cursor", "set", "92", ...flags]);
        await plain.shows(["5", "8", "7540113804746346429"]);
        plain.child.kill("SIGINT");
        expect(await plain.child.exited).toBe(130);
      });
    }

    withPlace("fibserver cursor watch ends when the cursor is removed, and says so", async () => {
      await using place = await open();
      const flags = ["--cursor", "alice", ...place.flags];
      await output(["n", ...flags]);
      await using watch = new Watch(["cursor", "watch", ...flags]);
      await watch.shows(["1"]);
      await output(["cursor", "remove", ...flags]);
      expect(await watch.child.exited).toBe(1);
      expect(withoutNotices(await watch.child.stderr.text())).toBe(
        "fibserver: Cannot watch on: cursor alice was removed\n",
      );
      await watch.shows(["1"]);
    });

    withPlace("fibserver cursor watch ends with its reader, also when nothing moves", async () => {
      using folder = temporaryFolder();
      await using place = await open();
      const flags = ["--cursor", "alice", ...place.flags];
      await output(["n", ...flags]);
      const line = `set -o pipefail; "$FIBSERVER" cursor watch ${flags.join(" ")} | head -1`;
      const { stderr, ...rest } = await runInShell(line, folder.path);
      expect({ ...rest, stderr: withoutNotices(stderr) }).toEqual({ stdout: "1\n", stderr: "", exitCode: 0 });
    });
  });
}

/** A cursor that is watched by the program. */
class Watch implements AsyncDisposable {
  readonly child: ReturnType<typeof spawn>;
  #text = "";
  readonly #read: Promise<void>;

  constructor(args: readonly string[]) {
    this.child = spawn(args);
    this.#read = this.#readAll();
  }

  async shows(lines: readonly string[]): Promise<void> {
    const text = lines.map((line) => `${line}\n`).join("");
    try {
      await until("", () => this.#text.length >= text.length);
    } finally {
      expect(this.#text).toBe(text);
    }
  }

  async [Symbol.asyncDispose]() {
    this.child.kill("SIGKILL");
    await this.child.exited;
    await this.#read;
  }

  async #readAll(): Promise<void> {
    for await (const text of this.child.stdout.pipeThrough(new TextDecoderStream())) this.#text += text;
  }
}

test("nothing is made by those who only look, not even a folder", async () => {
  using folder = temporaryFolder();
  for (const args of [["c"], ["p"], ["cursor", "show"], ["cursor", "remove"], ["cursor", "watch"]])
    expect((await run([...args, "--cursor", "alice"], { env: { HOME: folder.path } })).exitCode).toBe(1);
  expect(await output(["cursor", "list"], { env: { HOME: folder.path } })).toBe("");
  const refused = await run(["cursor", "list", "--prefix", "A"], { env: { HOME: folder.path } });
  expect([refused.exitCode, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toContain("--prefix");
  expect(await output(["cursor", "list", "--json"], { env: { HOME: folder.path } })).toBe("[]\n");
  expect(fs.readdirSync(folder.path)).toEqual([]);
  await output(["n", "--cursor", "alice"], { env: { HOME: folder.path } });
  const made = fs.readdirSync(path.join(folder.path, ".local/state/fibserver"));
  // Nor is a log left, which a copy of the file alone would lack.
  expect(made).toEqual(["cursor.cursors"]);
});

test("FIBSERVER_CURSOR stands in for --cursor, which wins, and a server has no use for it", async () => {
  using folder = temporaryFolder();
  const flags = ["-f", path.join(folder.path, "cursor")];
  const env = { FIBSERVER_CURSOR: "alice" };
  expect(await output(["n", "n", "n", ...flags], { env })).toBe("1\n1\n2\n");
  expect(await output(["-i", ...flags], { env, stdin: "n\n" })).toBe("3\n");
  expect(await output(["cursor", "show", ...flags], { env })).toBe("name: alice\nindex: 4\nvalue: 3\n");
  expect(await output(["n", "--cursor", "default", ...flags], { env })).toBe("1\n");
  expect(await output(["n", ...flags], { env: { FIBSERVER_CURSOR: "default" } })).toBe("1\n");
  expect(await output(["cursor", "list", "--prefix", "d", ...flags], { env })).toBe("default\t2\t-\n");
  const wrong = await run(["n", ...flags], { env: { FIBSERVER_CURSOR: "" } });
  expect(wrong).toMatchObject({ stdout: "", exitCode: 2 });
  expect(wrong.stderr).toContain("FIBSERVER_CURSOR");
  await using server = await startServer(flags, { env });
  expect(await (await fetch(`${server.url}/api0/current`)).text()).toBe('{"value":"1","status":"200"}');
  expect(await output(["n", "--server", server.url], { env })).toBe("5\n");
});

test("cursors with names and the default one do without each other's files", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await output(["n", "-f", file, "--cursor", "alice"]);
  fs.writeFileSync(file, "no cursor");
  expect(await output(["n", "-f", file, "--cursor", "alice"])).toBe("1\n");
  expect((await run(["cursor", "list", "-f", file])).exitCode).toBe(65);
  fs.rmSync(file);
  fs.writeFileSync(`${file}.cursors`, "no database, and longer than a page is".repeat(999));
  expect(await output(["n", "-f", file])).toBe("1\n");
  for (const args of [["n"], ["c"], ["cursor", "show"], ["cursor", "watch"]]) {
    const { stdout, stderr, exitCode } = await run([...args, "-f", file, "--cursor", "alice"]);
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 65 });
    expect(stderr).toContain(`${file}.cursors`);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  }
});

test("the line that is named where cursors with names cannot be used tells about both files, and ends as a move does", async () => {
  using folder = temporaryFolder();
  const start = { cwd: folder.path };
  const file = "it's mine";
  fs.writeFileSync(path.join(folder.path, `${file}.cursors`), "no database".repeat(999));
  const moved = await run(["n", "--cursor", "alice", "-f", file], start);
  const line = /fibserver (cursor inspect -f .*) says what can be saved/.exec(moved.stderr)?.[1];
  const message = `Cannot use ${file}.cursors: file is not a database`;
  const alone = await runInShell(`"$FIBSERVER" ${line}`, folder.path);
  expect(alone).toEqual({ stdout: "", stderr: `fibserver: ${message}\n`, exitCode: 65 });
  // Both are told of, and the status is that of what is lost.
  fs.mkdirSync(path.join(folder.path, file));
  const reason = `Cannot read ${file}: it is not a regular file`;
  expect(await runInShell(`"$FIBSERVER" ${line}`, folder.path)).toEqual({
    ...alone,
    stdout: `${file}: nothing can be read\nbad: ${reason}\n${file}.cursors: nothing can be read\nbad: ${message}\n`,
  });
  const json = await run(["cursor", "inspect", "--json", "-f", file], start);
  const named = { file: `${file}.cursors`, faults: [message] };
  expect(JSON.parse(json.stdout)).toEqual({ file, faults: [reason], named });
  expect(JSON.parse(json.stderr)).toMatchObject({ code: "cursor_damaged", detail: message });
});

test("fibserver cursor inspect waits for no FIFO, and reads no folder, socket or device", async () => {
  using folder = temporaryFolder();
  const prepare =
    "mkfifo fifo fifo.cursors a.cursors; ln -s /dev/zero b.cursors; mkdir c.cursors; ln -s /dev/zero d";
  expect((await runInShell(prepare, folder.path)).exitCode).toBe(0);
  using _ = Bun.listen({ unix: path.join(folder.path, "e.cursors"), socket: { data() {} } });
  for (const file of ["fifo", "a", "b", "c", "d", "e"]) {
    const { stderr, exitCode } = await runInShell(
      `timeout 100 "$FIBSERVER" cursor inspect -f ${file}`,
      folder.path,
    );
    expect({ file, exitCode }).toEqual({ file, exitCode: 74 });
    expect(stderr).toMatch(
      new RegExp(
        `^fibserver: Cannot (read|use) ${file}.*: it is (not a regular file|no file but a link, .*)\n$`,
      ),
    );
  }
});

test("cursors with names are made beside no folder, link or device, and n refuses these in the same words", async () => {
  using folder = temporaryFolder();
  const start = { cwd: path.join(folder.path, "inside") };
  fs.mkdirSync(start.cwd);
  expect(
    (
      await runInShell(
        '"$FIBSERVER" n -f x; ln -s x link; ln -s none dangling; mkdir d; mkfifo fifo',
        start.cwd,
      )
    ).exitCode,
  ).toBe(0);
  const names = () => new Set(fs.readdirSync(folder.path, { recursive: true, encoding: "utf8" }));
  const before = names();
  for (const file of [".", "..", "d", "d/", "link", "dangling", "fifo", "/dev/null"]) {
    const refusal = await run(["n", "-f", file], start);
    expect({ file, refusal }).toMatchObject({ file, refusal: { stdout: "", exitCode: 65 } });
    for (const args of [["n"], ["c"], ["cursor", "set", "5"], ["cursor", "remove"]])
      expect(await run([...args, "--cursor", "alice", "-f", file], start)).toEqual(refusal);
    expect(await run(["cursor", "list", "-f", file], start)).toEqual(refusal);
  }
  expect(names()).toEqual(before);
});

test("fibserver cursor watch ends when its file has failed or is gone, and says why", async () => {
  for (const [name, extension] of [
    ["default", ""],
    ["alice", ".cursors"],
  ] as const) {
    for (const isGone of [true, false]) {
      using folder = temporaryFolder();
      const file = path.join(folder.path, "cursor");
      const flags = ["-f", file, "--cursor", name];
      await output(["n", ...flags]);
      await using watch = new Watch(["cursor", "watch", ...flags]);
      await watch.shows(["1"]);
      if (!isGone) fs.writeFileSync(path.join(folder.path, "other"), "no cursor");
      if (isGone) fs.rmSync(file + extension);
      else fs.renameSync(path.join(folder.path, "other"), file + extension);
      expect([1, 65, 74]).toContain(await watch.child.exited);
      const said = await watch.child.stderr.text();
      expect(said).toMatch(/^fibserver: Cannot [^\n]*\n$/);
      expect(said.includes(file) || said.includes("cursor alice was removed")).toBe(true);
    }
  }
});

test("fibserver cursor watch prints long values as they are, also where a server tells of digits only", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const set = (index: number) =>
    output(["cursor", "set", String(index), "--cursor", "alice", "-f", file, "--max-index", "300000"]);
  const values = await Promise.all([9000, 200_000].map((index) => output(["fib", String(index)])));
  await set(9000);
  await using server = await startServer(["-f", file, "--max-index", "300000"]);
  await using here = new Watch(["cursor", "watch", "--cursor", "alice", "-f", file]);
  await using there = new Watch(["cursor", "watch", "--cursor", "alice", "--server", server.url]);
  for (const watch of [here, there]) await watch.shows([values[0]!.trimEnd()]);
  await set(200_000);
  for (const watch of [here, there]) await watch.shows(values.map((value) => value.trimEnd()));
});

test("--server with a name that is none, or with what is of this machine, asks nobody", async () => {
  await using server = openScripted(() => new Response());
  for (const [args, says] of [
    [["n", "--cursor", "Alice"], "Cannot use 'Alice' for --cursor"],
    [["n", "--cursor", "client-1"], "names that begin with client- are reserved"],
    [["n", "-f", "x"], "--file has no meaning for another server. Try: fibserver c --server"],
    [
      ["cursor", "list", "--redis", "redis://h"],
      "--redis has no meaning for another server. Try: fibserver cursor list --server",
    ],
    [
      ["cursor", "set", "5", "--max-index", "9"],
      "--max-index has no meaning for another server. Try: fibserver help cursor set\n",
    ],
    [["cursor", "remove"], "the default cursor is always there"],
  ] as const) {
    const { stdout, stderr } = await run([...args, "--server", server.url]);
    expect({ args, stdout }).toEqual({ args, stdout: "" });
    expect(stderr).toContain(says);
  }
  expect(server.requests).toHaveLength(0);
});

test("fibserver cursor watch does not wait for a server that was never there, as show does not", async () => {
  const counts = [];
  for (const command of ["show", "watch"]) {
    await using server = openScripted(() => new Response("", { status: 503 }));
    const { stdout, stderr, exitCode } = await ask(["cursor", command, "--server", server.url]);
    expect({ command, stdout, exitCode }).toEqual({ command, stdout: "", exitCode: 69 });
    expect(stderr).toMatch(/^fibserver: [^\n]*\n$/);
    counts.push(server.requests.length);
  }
  expect(counts[1]).toBe(counts[0]);
});

test("fibserver cursor watch waits for a server that is started again, and says so", async () => {
  using folder = temporaryFolder();
  const flags = ["-f", path.join(folder.path, "cursor")];
  // Which nobody else takes while it is away.
  const port = String(await freePort());
  const start = () => startProgram(["-p", port, ...flags], /"url":"(.*?)\/"/);
  const first = await start();
  const url = first.said;
  await using plain = new Watch(["cursor", "watch", "--server", url]);
  await using json = new Watch(["cursor", "watch", "--json", "--server", url]);
  let said = "";
  void (async () => {
    for await (const text of plain.child.stderr.pipeThrough(new TextDecoderStream())) said += text;
  })();
  await plain.shows(["0"]);
  await json.shows(['{"index":"0","value":"0"}']);
  await first[Symbol.asyncDispose]();
  // A server that was slow was told of before; and who was refused late has said that there is no answer.
  const before = said.length;
  await until("it says that it waits", () => said.slice(before).endsWith("\n"));
  expect(
    ["it cannot be reached", "it does not answer"].map(
      (reason) => `fibserver: Waiting for ${url}: ${reason}; Ctrl-C to stop\n`,
    ),
  ).toContain(said.slice(before));
  await output(["n", ...flags]);
  await using _ = await start();
  await plain.shows(["0", "1"]);
  await json.shows(['{"index":"0","value":"0"}', '{"index":"1","value":"1"}']);
  json.child.kill("SIGINT");
  expect(await json.child.stderr.text()).toBe("");
});
