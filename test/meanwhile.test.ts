/**
 * What becomes of a file, its name and its folder while somebody waits for a sync: `mv` and `rm` take no lock. A move that
 * is answered is in the file that stood at the path when it was made, and is seen there.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { run, type Server, spawn, startServer, temporaryFolder, until } from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";

setDefaultTimeout(300_000);

for (const [kind, value, kept] of [
  ["creation", "433494437\n", []],
  ["takeover", "433494437\n", ["cursor.go16"]],
] as const) {
  withFailingDisk(
    `a file that is moved into place during a ${kind} stays, with the moves made in it`,
    async () => {
      using folder = temporaryFolder();
      using faults = failingDisk();
      const file = path.join(folder.path, "cursor");
      await run(["cursor", "set", "40", "-f", `${file}.other`]);
      if (kind === "takeover") fs.writeFileSync(file, Buffer.from("00000000000000030000000000000005", "hex"));
      // The last sync before the name: of a takeover the first one is that of the old bytes.
      faults.begin("stall", "file", kind === "takeover" ? 1 : 0);
      await using slow = spawn(["-f", file, "n"], { env: faults.env });
      await until("it waits for its sync", () => faults.faultedCount() === 1);
      fs.renameSync(`${file}.other`, file);
      expect((await run(["-f", file, "n", "n"])).stdout).toBe("165580141\n267914296\n");
      faults.end("stall", "file");
      expect(await slow.stdout.text()).toBe(value);
      expect(await slow.exited).toBe(0);
      expect(fs.readdirSync(folder.path).toSorted()).toEqual(["cursor", ...kept]);
    },
  );
}

for (const who of ["a letter", "a server"] as const) {
  for (const [what, happen, outcome] of [
    [
      "another file is put in its place",
      (file: string) => fs.renameSync(`${file}.other`, file),
      "165580141\n",
    ],
    ["the file is removed", (file: string) => fs.rmSync(file), undefined],
  ] as const) {
    withFailingDisk(`${who} whose adoption waits while ${what} moves nothing that nobody sees`, async () => {
      using folder = temporaryFolder();
      using faults = failingDisk();
      const file = path.join(folder.path, "cursor");
      await run(["cursor", "set", "10", "-f", file]);
      await run(["cursor", "set", "40", "-f", `${file}.other`]);
      let answer: Promise<string | undefined>;
      await using server =
        who === "a server" ? await startServer(["-f", file], { env: faults.env }) : undefined;
      if (server === undefined) {
        faults.begin("stall", "data");
        const child = spawn(["-f", file, "n"], { env: faults.env });
        answer = (async () => ((await child.exited) === 0 ? await child.stdout.text() : undefined))();
      } else {
        // So that it has something to adopt.
        await run(["-f", file, "n"]);
        faults.begin("stall", "data");
        answer = next(server).then((said) =>
          said.status === 200 ? `${(JSON.parse(said.body) as { value: string }).value}\n` : undefined,
        );
      }
      await until("it waits for its sync", () => faults.faultedCount() === 1);
      happen(file);
      faults.end("stall", "data");
      expect(await answer).toBe(outcome);
      if (outcome !== undefined) expect((await run(["-f", file, "c"])).stdout).toBe(outcome);
      else expect(fs.readdirSync(folder.path)).toEqual(["cursor.other"]);
    });
  }
}

withFailingDisk(
  "a folder that is moved away during the sync of a move takes the move along, and ends nobody",
  async () => {
    using folder = temporaryFolder();
    using faults = failingDisk();
    const [state, away] = ["state", "away"].map((name) => path.join(folder.path, name)) as [string, string];
    const file = path.join(state, "cursor");
    fs.mkdirSync(state);
    await run(["cursor", "set", "10", "-f", file]);
    await using server = await startServer(["-f", file], { env: faults.env });
    faults.begin("stall", "data");
    const answer = next(server);
    await until("it waits for its sync", () => faults.faultedCount() === 1);
    fs.renameSync(state, away);
    faults.end("stall", "data");
    expect(await answer).toMatchObject({ status: 200, body: `{"value":"89","status":"200"}` });
    expect(await next(server)).toMatchObject({ status: 503 });
    fs.renameSync(away, state);
    expect(await next(server)).toMatchObject({ status: 200, body: `{"value":"144","status":"200"}` });
  },
);

withFailingDisk("a file that is cut while it is open is refused, and not filled up again", async () => {
  using folder = temporaryFolder();
  using faults = failingDisk();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "10", "-f", file]);
  faults.begin("stall", "folder");
  await using slow = spawn(["-f", file, "n"], { env: faults.env });
  await until("it waits for the folder", () => faults.faultedCount() === 1);
  fs.truncateSync(file, 4096);
  faults.end("stall", "folder");
  expect(await slow.stderr.text()).toContain("it has 4096 bytes and a cursor file has 8192");
  expect(await slow.exited).toBe(65);
  expect(fs.statSync(file).size).toBe(4096);
});

async function next({ url }: Server): Promise<{ status: number; body: string }> {
  const response = await fetch(`${url}/api0/next`);
  return { status: response.status, body: await response.text() };
}
