/** `fibserver token`, and the commands that send FIBSERVER_TOKEN. */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { makeToken } from "../../src/token.ts";
import { Terminal, withTmux } from "../terminal.ts";
import { output, run, runInShell, startServer, temporaryFolder } from "../binary.ts";

const as = (token: string) => ({ env: { FIBSERVER_TOKEN: token } });

test("its line goes to a file, the token to the person, and a server takes both", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  const line =
    "umask 077; $FIBSERVER token ci --scope read >> tokens && $FIBSERVER token ann@host --scope write >> tokens";
  const { stderr, stdout, exitCode } = await runInShell(line, folder.path);
  expect([stdout, exitCode]).toEqual(["", 0]);
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  const told =
    /^fibserver: The token of ci, shown this once: (fib_[\w-]{43})\nfibserver: The token of ann@host, shown this once: (fib_[\w-]{43})\n$/;
  const [, read = "", write = ""] = told.exec(stderr) ?? [];
  expect(fs.readFileSync(file, "utf8")).toBe(
    `ci read ${Bun.SHA256.hash(read, "hex")}\nann@host write ${Bun.SHA256.hash(write, "hex")}\n`,
  );
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file]);
  const at = ["--server", server.url];
  expect(await output(["n", "n", ...at], as(write))).toBe("1\n1\n");
  expect(await output(["c", ...at], as(read))).toBe("1\n");
  expect(await output(["cursor", "list", ...at], as(read))).toContain("default");
  // Whoever waits for more than a second is told how to go on, unless it is quiet.
  expect(await output(["task", "run", "fibonacci", "10", "-q", ...at], as(write))).toBe("55\n");
  expect(await output(["task", "list", ...at], as(read))).toContain("fibonacci");

  for (const args of [
    ["n", ...at],
    ["task", "list", ...at],
    ["cursor", "show", ...at],
  ]) {
    const none = await run(args);
    expect(none).toMatchObject({ stdout: "", exitCode: 77 });
    expect(none.stderr).toContain("set FIBSERVER_TOKEN to one of its tokens");
    const wrong = await run(args, as("fib_of-nobody"));
    expect(wrong).toMatchObject({ stdout: "", exitCode: 77 });
    expect(wrong.stderr).toContain("FIBSERVER_TOKEN is not good there");
    expect(wrong.stderr).not.toContain("fib_of-nobody");
  }
  for (const args of [
    ["n", ...at],
    ["task", "run", "fibonacci", "10", ...at],
  ]) {
    const refused = await run(args, as(read));
    expect(refused).toMatchObject({ stdout: "", exitCode: 77 });
    expect(refused.stderr).toContain(
      "it needs the scope write of everything, and has read; set FIBSERVER_TOKEN to another",
    );
  }
  const asJson = await run(["n", "--json", ...at]);
  expect(JSON.parse(asJson.stderr)).toMatchObject({ code: "unauthorized", exit: 77 });
  for (const token of [read, write]) expect(server.log()).not.toContain(token);
});

test("no line goes into the file when nobody can see its token", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  for (const stderr of ["2>/dev/full", "2>&-"]) {
    const line = `"$FIBSERVER" token ci >> tokens ${stderr}`;
    expect(await runInShell(line, folder.path)).toMatchObject({ exitCode: 74 });
    expect(fs.readFileSync(file, "utf8")).toBe("");
  }
});

test("--json prints both for a script, and nothing on stderr", async () => {
  const { name, scope, token, line } = JSON.parse(
    await output(["token", "app", "--scope", "write:app-", "--json"]),
  ) as Record<"name" | "scope" | "token" | "line", string>;
  expect({ name, scope }).toEqual({ name: "app", scope: "write:app-" });
  expect(line).toBe(`app write:app- ${Bun.SHA256.hash(token, "hex")}`);
});

test("names and scopes are checked, and not shown: a token may stand there", async () => {
  const secret = `fib_${"s".repeat(43)}`;
  for (const args of [
    [secret],
    ["a b"],
    ["ci", "--scope", secret],
    ["ci", "--scope", "write:"],
    ["ci", "--scope", "write:d"],
  ]) {
    const { stdout, stderr, exitCode } = await run(["token", ...args]);
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 2 });
    expect(stderr).toEndWith("Try: fibserver help token\n");
    expect(stderr).not.toContain(secret);
  }
});

test("FIBSERVER_TOKEN that is none is refused, and not shown", async () => {
  for (const token of ["fib_a b", "fib_a\n", "fib_a\u001B[31m", "Bearer fib_a"]) {
    for (const args of [
      ["n", "--server", "http://127.0.0.1:1"],
      ["task", "list"],
    ]) {
      const { stderr, exitCode } = await run(args, { env: { FIBSERVER_TOKEN: token } });
      expect(exitCode).toBe(2);
      expect(stderr).toContain("Cannot use FIBSERVER_TOKEN: it takes a token alone");
      expect(stderr).not.toContain("fib_a");
    }
  }
});

withTmux("who looks on is told, once, that a token can be read on its way; a script is not", async () => {
  using folder = temporaryFolder();
  const warning = /FIBSERVER_TOKEN can be read on its way: ask fib\.invalid:1 by https/g;
  await using terminal = new Terminal(folder.path);
  terminal.type("clear; export FIBSERVER_TOKEN=fib_a");
  // Over https nobody reads it.
  for (const scheme of ["https", "http"])
    terminal.type(`$F cursor show --server ${scheme}://fib.invalid:1; echo ${scheme}=$?`);
  const [screen] = await terminal.shows(/^[^]*http=69[^]*$/);
  expect(screen.match(warning)).toHaveLength(1);
  const asked = await run(["cursor", "show", "--server", "http://fib.invalid:1"], as("fib_a"));
  expect(asked.exitCode).toBe(69);
  expect(asked.stderr).not.toMatch(warning);
});

test("a token that stands where a file, a folder or a host belongs is not shown", async () => {
  const token = makeToken();
  for (const args of [
    ["serve", "--tokens", token],
    ["serve", "--host", token],
    ["n", "-f", `${token}/x`],
    ["restore", token],
  ]) {
    const { stderr, exitCode } = await run(args);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("fib_…");
    expect(stderr).not.toContain(token.slice(4, 14));
  }
});
