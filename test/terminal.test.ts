/** In a real terminal: what a signal ends, or stops for a while, leaves nothing behind, and the shell sees why. */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { BINARY, temporaryFolder, until } from "./binary.ts";
import { openServer } from "./client/server.ts";
import { Terminal, withTmux } from "./terminal.ts";

setDefaultTimeout(300_000);

/** Half an hour, in little memory, with progress from the start. */
const LONG = "fib $(printf '9%.0s' {1..20000}) --mod $(printf '7%.0s' {1..20000})";
/** A minute or so, in a file; it is never whole. */
const LONG_FILE = "seq 1000000 -o out";
const BAR = /\[=*-+\] +\d+%/;

/** What runs, when it can be disturbed, and what the shell says of how it ended. */
async function expectCleanEnds(command: string, isUnderWay: RegExp, folder: string): Promise<void> {
  for (const [signal, exitCode] of [
    ["C-c", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["C-z", 130],
  ] as const) {
    await using terminal = new Terminal(folder);
    terminal.type(`clear; $F ${command}`);
    await terminal.shows(isUnderWay);
    if (signal.startsWith("SIG")) process.kill(terminal.child(), signal);
    else terminal.press(signal);
    if (signal === "C-z") {
      await terminal.shows(/Stopped/);
      expect(terminal.flags()).toBe("cursor 1 wrap 1");
      await terminal.foreground();
      await terminal.shows(isUnderWay);
      terminal.press("C-c");
    }
    expect({ command, signal, status: await terminal.status() }).toEqual({
      command,
      signal,
      status: exitCode,
    });
    expect(terminal.flags()).toBe("cursor 1 wrap 1");
    expect(fs.readdirSync(folder)).toEqual([]);
  }
}

withTmux("a computation that a signal ends or stops leaves the terminal in order", async () => {
  using folder = temporaryFolder();
  await expectCleanEnds(LONG, BAR, folder.path);
});

withTmux("a sequence that a signal ends leaves no file, and the terminal in order", async () => {
  using folder = temporaryFolder();
  await expectCleanEnds(LONG_FILE, BAR, folder.path);
});

withTmux("task run that a signal ends leaves no file, and the terminal in order", async () => {
  using folder = temporaryFolder();
  await using server = await openServer(["--max-digits", "1000000000"]);
  const command = `task run factorial 60000000 -o out --server ${server.url}`;
  await expectCleanEnds(command, BAR, folder.path);
  const { tasks } = (await (await fetch(`${server.url}/v1/tasks`)).json()) as { tasks: { state: string }[] };
  expect(tasks.map(({ state }) => state)).toEqual(Array(4).fill("cancelled"));
});

withTmux(
  "task watch shows a bar under the states, and leaves the task alone when a signal ends it",
  async () => {
    using folder = temporaryFolder();
    await using server = await openServer(["--max-digits", "1000000000"]);
    const body = JSON.stringify({ kind: "factorial", n: "100000000" });
    const created = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
    const { id } = (await created.json()) as { id: string };
    await expectCleanEnds(`task watch ${id} --server ${server.url}`, BAR, folder.path);
    const { state } = (await (await fetch(`${server.url}/v1/tasks/${id}`)).json()) as { state: string };
    expect(state).toBe("running");
  },
);

withTmux("fibserver -i that a signal ends leaves the terminal in order", async () => {
  using folder = temporaryFolder();
  using state = temporaryFolder();
  await expectCleanEnds(`-i -f ${state.path}/cursor`, /^fib>/m, folder.path);
});

withTmux("fibserver cursor watch goes on after ^Z and fg, and ends with 130 on ^C", async () => {
  using folder = temporaryFolder();
  using state = temporaryFolder();
  await using server = await openServer();
  for (const place of [`-f ${state.path}/cursor`, `--server ${server.url}`]) {
    for (const name of ["default", "alice"]) {
      const cursor = [...place.split(" "), "--cursor", name];
      Bun.spawnSync([BINARY, "cursor", "set", "88", ...cursor]);
      await using terminal = new Terminal(folder.path);
      terminal.type(`clear; $F cursor watch ${cursor.join(" ")}`);
      await terminal.shows(/^1100087778366101931$/m);
      terminal.press("C-z");
      await terminal.shows(/Stopped/);
      Bun.spawnSync([BINARY, "n", ...cursor]);
      await terminal.foreground();
      await terminal.shows(/^1779979416004714189$/m);
      terminal.press("C-c");
      expect(await terminal.status()).toBe(130);
      expect(terminal.flags()).toBe("cursor 1 wrap 1");
      expect(fs.readdirSync(folder.path)).toEqual([]);
    }
  }
});

withTmux("fibserver -i answers again after ^Z and fg, and ends with ^D", async () => {
  using folder = temporaryFolder();
  await using terminal = new Terminal(folder.path);
  terminal.type("clear; $F -i -f cursor");
  await terminal.shows(/^fib>/m);
  terminal.press("C-z");
  await terminal.shows(/Stopped/);
  await terminal.foreground();
  await terminal.shows(/^fib>/m);
  terminal.type("n");
  await terminal.shows(/^1\nfib>/m);
  terminal.press("C-d");
  expect(await terminal.status()).toBe(0);
});

withTmux("fibserver -i ends with 0 when ^D comes before the answer to a letter", async () => {
  using folder = temporaryFolder();
  for (const keys of [
    ["n", "Enter", "C-d"],
    ["n", "C-d", "C-d"],
  ]) {
    await using terminal = new Terminal(folder.path);
    terminal.type("clear; $F cursor set 0 -f cursor; $F -i -f cursor");
    await terminal.shows(/^fib>/m);
    terminal.press(...keys);
    expect(await terminal.status()).toBe(0);
    // What was typed ahead may stand before it.
    expect(terminal.screen()).toMatch(/1$/m);
  }
});

withTmux("a terminal that is closed ends what writes into a file, and no file is left", async () => {
  using folder = temporaryFolder();
  await using terminal = new Terminal(folder.path);
  terminal.type(`clear; $F ${LONG_FILE}`);
  await terminal.shows(BAR);
  const pid = terminal.child();
  terminal.close();
  await until("it has ended", () => !fs.existsSync(`/proc/${pid}`));
  expect(fs.readdirSync(folder.path)).toEqual([]);
});

withTmux(
  "progress is one line with the time that is left, in 60 columns and after a resize too",
  async () => {
    using folder = temporaryFolder();
    await using terminal = new Terminal(folder.path, 60);
    const lines = () =>
      terminal
        .screen()
        .split("\n")
        .filter((line) => line.includes("%"));
    terminal.type(`clear; $F fact 40000000`);
    await terminal.shows(/^40000000! \[=*-+\] +\d+%, about \d+ (s|min) left$/m);
    expect(lines()).toHaveLength(1);
    terminal.resize(40);
    // The bar has what room there is, and none beside two digits of seconds.
    await terminal.shows(/^40000000! (\[=*-{0,9}\])? +\d+%, about \d+ (s|min) left$/m);
    terminal.press("C-c");
  },
);

withTmux("progress goes away when it is done, and leaves what a program prints alone", async () => {
  using folder = temporaryFolder();
  await using terminal = new Terminal(folder.path);
  // For a moment it is drawn, which one may miss.
  const drawn = path.join(folder.path, "drawn");
  fs.writeFileSync(drawn, "");
  terminal.record(drawn);
  terminal.type("clear; $F seq 100000 | tail -c 9; $F fact 9000000 | tail -c 4");
  await terminal.shows(/^000\n.*\$ ?$/m);
  await until("it was drawn", () => /9000000! \[.*%/.test(fs.readFileSync(drawn, "utf8")));
  expect(terminal.screen()).not.toContain("%");
});

withTmux("nothing is drawn with -q, on a dumb terminal, and from the background", async () => {
  const rows: [line: string, isDrawn: boolean][] = [
    ["$F fact 8000000 -o out", true],
    ["$F fact 8000000 -q -o out", false],
    ["TERM=dumb $F fact 8000000 -o out", false],
    ["$F fact 8000000 -o out & wait", false],
  ];
  // Side by side, each in a terminal of its own.
  const found = rows.map(async ([line]): Promise<(typeof rows)[number]> => {
    using folder = temporaryFolder();
    await using terminal = new Terminal(folder.path);
    const drawn = path.join(folder.path, "drawn");
    fs.writeFileSync(drawn, "");
    terminal.record(drawn);
    terminal.type(`clear; ${line}; echo "status=$?"`);
    await until("it has ended", () => /status=0/.test(fs.readFileSync(drawn, "utf8")));
    return [line, BAR.test(fs.readFileSync(drawn, "utf8"))];
  });
  expect(await Promise.all(found)).toEqual(rows);
});
