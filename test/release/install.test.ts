/** install.sh where all is well: on a bare machine and on this one, by each tool and shell, over an old version, at once. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { bareRoot, withBareRoot } from "../bare-root.ts";
import { BINARY, mustRequest, requireTool, startServer, temporaryFolder } from "../binary.ts";
import { artefact, PLATFORM, RELEASE, VERSION } from "./artefacts.ts";
import { filesIn, runHere, SCRIPT, serveFolder, smallRelease, toolFolder, TOOLS } from "./install-setup.ts";

setDefaultTimeout(300_000);

describe("on a machine with nothing but busybox and a C library", () => {
  withBareRoot("the real release is fetched, checked, and runs, all without root", async () => {
    await using server = await serveFolder(RELEASE);
    using root = bareRoot({ programs: [BINARY], busybox: true });
    root.add(SCRIPT, "/install.sh");
    const home = "/tmp/a home";
    const env = { HOME: home };
    const piped = `wget -q -O - ${server.url}/install.sh | sh -s -- ${server.url}`;
    const installed = await root.run(["sh", "-c", piped], { env });
    const program = `${home}/.local/bin/fibserver`;
    expect(installed).toEqual({
      stdout: `fibserver ${VERSION} is installed: ${program}
Its folder is not on the PATH. For this shell, and in ~/.profile for the next ones:
  export PATH='${home}/.local/bin':"$PATH"
`,
      stderr: "",
      exitCode: 0,
    });
    const said = await root.run([program, "--version"], { env });
    expect({ ...said, stdout: said.stdout.trim().split(" ")[0] }).toEqual({
      stdout: VERSION,
      stderr: "",
      exitCode: 0,
    });
    // All that the archive has, and nothing that was on the way there.
    const prefix = path.join(root.path, home, ".local");
    const name = `fibserver-${VERSION}-${PLATFORM}`;
    const listed = await Bun.$`tar --list --file ${artefact(`${name}.tar.gz`)}`.text();
    expect(filesIn(prefix)).toEqual(
      listed
        .split("\n")
        .filter((file) => file !== "" && !file.endsWith("/"))
        .map((file) => file.slice(name.length + 1))
        .toSorted(),
    );
  });

  withBareRoot("where nothing may be written, it says so before anything is fetched", async () => {
    await using server = await serveFolder(RELEASE);
    using root = bareRoot({ busybox: true });
    root.add(SCRIPT, "/install.sh");
    fs.mkdirSync(path.join(root.path, "usr/local"), { recursive: true });
    const refused = await root.run(["sh", "/install.sh", "--prefix", "/usr/local", server.url]);
    expect(refused).toEqual({
      stdout: "",
      stderr:
        "install.sh: cannot write to /usr/local: name another folder with --prefix, or run this as the user to whom it belongs\n",
      exitCode: 1,
    });
    expect(server.asked).toEqual([]);
  });
});

describe.each([
  ["curl", "dash"],
  ["curl", "bash"],
  ["curl", "busybox"],
  ["wget", "dash"],
  ["wget", "bash"],
  // busybox takes its own wget; the static one of Debian works in a bare root alone, as above.
])("fetched by %s, in %s", (tool, shell) => {
  const withTools = requireTool(
    ["sh", "-c", `command -v ${tool} && command -v ${shell}`],
    `apt-get install ${tool} ${shell}`,
  );

  withTools("it installs, through a redirect too", async () => {
    using folder = temporaryFolder();
    await smallRelease(folder.path, { version: VERSION });
    await using server = await serveFolder(folder.path, "redirect");
    const prefix = path.join(folder.path, "the prefix");
    const words = [...(shell === "busybox" ? ["busybox", "sh"] : [shell]), SCRIPT];
    const PATH = toolFolder(folder.path, [...TOOLS, "sha256sum", tool]);
    const installed = await runHere([...words, `--prefix=${prefix}`, `${server.url}/`], { PATH });
    expect({ ...installed, stdout: "" }).toEqual({ stdout: "", stderr: "", exitCode: 0 });
    expect(installed.stdout).toStartWith(`fibserver ${VERSION} is installed: ${prefix}/bin/fibserver\n`);
    expect(filesIn(prefix)).toHaveLength(6);
  });
});

test.each(["sha256sum", "shasum", "openssl"])(
  "the sum is checked by %s when it is all there is",
  async (tool) => {
    using folder = temporaryFolder();
    await smallRelease(folder.path, { version: VERSION });
    const PATH = toolFolder(folder.path, [...TOOLS, tool]);
    const prefix = path.join(folder.path, "prefix");
    const words = ["sh", SCRIPT, "--prefix", prefix, folder.path];
    expect(await runHere(words, { PATH })).toMatchObject({ stderr: "", exitCode: 0 });
    fs.appendFileSync(path.join(folder.path, `fibserver-${VERSION}-${PLATFORM}.tar.gz`), "x");
    const refused = await runHere(words, { PATH });
    expect(refused.stderr).toContain("the sum of");
    expect(refused.exitCode).toBe(1);
  },
);

test("beside its files it needs no address, and is quiet where the PATH leads to the program", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const home = path.join(folder.path, "home");
  const PATH = `${home}/.local/bin:${process.env["PATH"]}`;
  const installed = await runHere(["sh", path.join(folder.path, "install.sh")], { HOME: home, PATH });
  expect(installed).toEqual({
    stdout: `fibserver ${VERSION} is installed: ${home}/.local/bin/fibserver\n`,
    stderr: "",
    exitCode: 0,
  });
});

test("another version is installed when it is asked for, and another program first on the PATH is named", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: "9.9.9-rc.1" });
  const prefix = path.join(folder.path, "prefix");
  const other = toolFolder(folder.path, []);
  fs.symlinkSync("/bin/true", path.join(other, "fibserver"));
  const installed = await runHere(
    ["sh", SCRIPT, folder.path, "--version", "9.9.9-rc.1", "--prefix", prefix],
    { PATH: `${other}:${prefix}/bin:${process.env["PATH"]}` },
  );
  expect(installed.stdout).toBe(
    `fibserver 9.9.9-rc.1 is installed: ${prefix}/bin/fibserver\nBut the PATH leads to another one first: ${other}/fibserver\n`,
  );
});

test("over a program that serves: that goes on, and the next start has the new one", async () => {
  using folder = temporaryFolder();
  const prefix = path.join(folder.path, "prefix");
  const program = path.join(prefix, "bin/fibserver");
  const install = (from: string, ...rest: string[]) =>
    runHere(["sh", SCRIPT, "--prefix", prefix, from, ...rest], {});
  expect((await install(RELEASE)).exitCode).toBe(0);
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { binary: program });
  const first = await mustRequest(server, "next");
  const next = path.join(folder.path, "next");
  fs.mkdirSync(next);
  await smallRelease(next, { version: "9.9.9" });
  expect((await install(next, "--version", "9.9.9")).exitCode).toBe(0);
  expect((await mustRequest(server, "next")).index).toBe(first.index + 1);
  expect(fs.readFileSync(program, "utf8")).toContain("9.9.9");
  expect(fs.readFileSync(path.join(prefix, "share/man/man1/fibserver.1"), "utf8")).toContain("9.9.9");
});

test("several at once do not harm each other", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const prefix = path.join(folder.path, "prefix");
  const words = ["sh", SCRIPT, "--prefix", prefix, folder.path];
  const all = await Promise.all(Array.from({ length: 6 }, () => runHere(words, {})));
  expect(all.map(({ stderr, exitCode }) => ({ stderr, exitCode }))).toEqual(
    all.map(() => ({ stderr: "", exitCode: 0 })),
  );
  expect(filesIn(prefix)).toHaveLength(6);
});
