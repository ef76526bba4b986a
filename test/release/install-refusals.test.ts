/** install.sh where something is wrong: it says what, what to do, and leaves all as it was. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { requires, requireTool, temporaryFolder, until } from "../binary.ts";
import { PLATFORM, PLATFORMS, VERSION } from "./artefacts.ts";
import {
  fakeTool,
  filesIn,
  runHere,
  SCRIPT,
  serveFolder,
  smallRelease,
  toolFolder,
  TOOLS,
} from "./install-setup.ts";

setDefaultTimeout(300_000);

const ARCHIVE = `fibserver-${VERSION}-${PLATFORM}.tar.gz`;

/** Runs it from a release of a few bytes. @returns What it said; nothing may have been installed. */
async function refusal(
  {
    folder,
    source = folder,
    tools = [...TOOLS, "sha256sum"],
    fakes = {},
  }: {
    folder: string;
    source?: string;
    tools?: readonly string[];
    fakes?: Readonly<Record<string, string>>;
  },
  ...options: string[]
): Promise<string> {
  const PATH = toolFolder(folder, tools);
  for (const [name, script] of Object.entries(fakes)) fakeTool(PATH, name, script);
  const prefix = path.join(folder, "prefix");
  const { stdout, stderr, exitCode } = await runHere(
    ["sh", SCRIPT, "--prefix", prefix, ...options, ...(source === "" ? [] : [source])],
    { PATH },
  );
  expect({ stdout, exitCode, files: filesIn(prefix) }).toEqual({ stdout: "", exitCode: 1, files: [] });
  return stderr;
}

const uname = (system: string, machine: string) => ({
  uname: `case $1 in -s) echo '${system}' ;; -m) echo '${machine}' ;; esac`,
});

test.each([
  [
    "Darwin",
    "arm64",
    "fibserver is for Linux, and this is macOS: run it in a container or a virtual machine",
  ],
  ["MINGW64_NT-10.0", "x86_64", "fibserver is for Linux, and this is Windows: run it in WSL"],
  ["FreeBSD", "amd64", "fibserver is for Linux, and this is FreeBSD"],
  ["Linux", "armv7l", "fibserver needs a system with 64 bits, and this one (armv7l) has 32"],
  ["Linux", "i686", "fibserver needs a system with 64 bits, and this one (i686) has 32"],
  ["Linux", "riscv64", "fibserver is for x64 and arm64, and this is riscv64"],
])("%s on %s is refused", async (system, machine, words) => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  expect(await refusal({ folder: folder.path, fakes: uname(system, machine) })).toBe(
    `install.sh: ${words}\n`,
  );
});

test.each([
  ["x86_64", "linux-x64"],
  ["aarch64", "linux-arm64"],
  ["arm64", "linux-arm64"],
])("a machine that calls itself %s gets %s", async (machine, platform) => {
  using folder = temporaryFolder();
  // Of all that there are it takes that one, which says so as it is tried.
  for (const each of PLATFORMS.filter((name) => !name.endsWith("musl")))
    await smallRelease(folder.path, { version: VERSION, platform: each, program: `echo ${each}; exit 1` });
  const fakes = { ...uname("Linux", machine), getconf: "echo 64" };
  expect(await refusal({ folder: folder.path, fakes })).toContain(`It said: ${platform}\n`);
});

test("programs of 32 bits on a kernel of 64 are found out", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const fakes = { ...uname("Linux", "aarch64"), getconf: "echo 32" };
  expect(await refusal({ folder: folder.path, fakes })).toContain("but the programs have 32");
});

const hasMuslLibrary = ["/usr/lib", "/lib", "/usr/local/lib"].some((folder) =>
  fs.existsSync(`${folder}/libstdc++.so.6`),
);
requires(!hasMuslLibrary, "this machine has libstdc++ where musl looks for it")(
  "musl without libstdc++ is told how to get it",
  async () => {
    using folder = temporaryFolder();
    await smallRelease(folder.path, { version: VERSION, platform: `${PLATFORM}-musl` });
    const fakes = { ldd: "echo 'musl libc (x86_64)' >&2; exit 1" };
    expect(await refusal({ folder: folder.path, fakes })).toBe(
      "install.sh: fibserver needs libstdc++, which is missing here: apk add libstdc++\n",
    );
  },
);

const withProcessor = requireTool(
  ["unshare", "--mount", "mount", "--bind", "/dev/null", "/proc/cpuinfo"],
  "run the tests as root, with util-linux",
);

withProcessor("a processor without SSE4.2 is refused, and one without AVX is told what is slow", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION, platform: "linux-x64" });
  const prefix = path.join(folder.path, "prefix");
  const cpuinfo = path.join(folder.path, "cpuinfo");
  const PATH = toolFolder(folder.path, [...TOOLS, "sha256sum", "unshare", "mount"]);
  fakeTool(PATH, "uname", uname("Linux", "x86_64").uname);
  const install = async (flags: string) => {
    fs.writeFileSync(cpuinfo, `processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t:\n`);
    const line = 'mount --bind "$0" /proc/cpuinfo && exec sh "$@"';
    return runHere(
      ["unshare", "--mount", "sh", "-c", line, cpuinfo, SCRIPT, "--prefix", prefix, folder.path],
      { PATH },
    );
  };
  const old = await install("fpu sse2 ssse3 sse4_1");
  expect(old).toMatchObject({ stdout: "", exitCode: 1 });
  expect(old.stderr).toContain("needs a processor with SSE4.2");
  const slow = await install("fpu sse2 sse4_1 sse4_2 popcnt");
  expect(slow.stdout).toContain("no AVX: numbers of many digits take longer");
  expect(slow.exitCode).toBe(0);
  expect((await install("fpu sse4_2 avx")).stdout).not.toContain("AVX");
});

/** What it needs, but for one. */
const without = (name: string) => [...TOOLS, "sha256sum", "curl"].filter((tool) => tool !== name);

test("what fetches, what unpacks and what checks is asked for by name", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  await using server = await serveFolder(folder.path);
  const said = (tools: string[]) => refusal({ folder: folder.path, source: server.url, tools });
  expect(await said(without("curl"))).toBe(
    "install.sh: curl and wget are missing: install one of them, and run this again\n",
  );
  expect(await said(without("tar"))).toBe("install.sh: tar is missing: install it, and run this again\n");
  expect(await said(without("sha256sum"))).toBe(
    "install.sh: nothing here can check the download's sum: install sha256sum (coreutils), shasum (perl) or openssl\n",
  );
  expect(server.asked).toEqual([]);
});

test("an archive with another sum is refused, changed or cut, whatever fetches it", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const archive = path.join(folder.path, ARCHIVE);
  const bytes = fs.readFileSync(archive);
  for (const tool of ["curl", "wget"]) {
    const tools = [...TOOLS, "sha256sum", tool];
    fs.writeFileSync(archive, bytes);
    await using cutting = await serveFolder(folder.path, "cut");
    const cut = await refusal({ folder: folder.path, source: cutting.url, tools });
    expect(cut).toMatch(new RegExp(`cannot fetch ${cutting.url}/${ARCHIVE} \\(${tool} ended with \\d+\\)`));
    // A shorter file that says so of itself, as a proxy would keep it.
    for (const wrong of [bytes.subarray(0, -100), Buffer.alloc(0), Buffer.from(bytes).fill(0, 100, 101)]) {
      fs.writeFileSync(archive, wrong);
      await using server = await serveFolder(folder.path);
      const said = await refusal({ folder: folder.path, source: server.url, tools });
      expect(said).toContain(`the sum of ${ARCHIVE} is not what SHA256SUMS says`);
      expect(said).toContain("Nothing was changed");
    }
  }
});

test("an address with no release, or with another version, is said to be that", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  await using server = await serveFolder(folder.path);
  const tools = [...TOOLS, "sha256sum", "curl"];
  const from = (source: string, ...options: string[]) =>
    refusal({ folder: folder.path, source, tools }, ...options);
  expect(await from(server.url, "--version", "7.0.0")).toContain(
    `has no fibserver-7.0.0-${PLATFORM}.tar.gz; ${ARCHIVE}`,
  );
  fs.writeFileSync(path.join(folder.path, "SHA256SUMS"), "<html>Please sign in</html>\n");
  expect(await from(server.url)).toContain("it is no release");
  fs.rmSync(path.join(folder.path, "SHA256SUMS"));
  expect(await from(server.url)).toContain(`cannot fetch ${server.url}/SHA256SUMS (curl ended with 22)`);
  expect(
    await refusal({ folder: folder.path, source: server.url, tools: without("curl").concat("wget") }),
  ).toMatch(/ERROR 404: Not Found\.\n.*\(wget ended with 8\)/);
  expect(await from("http://127.0.0.1:1")).toContain("(curl ended with 7)");
  expect(await from(folder.path)).toContain("is no folder with a release");
});

test("a sum that is there twice, or is none, is refused, and no name is printed as it came", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const sums = path.join(folder.path, "SHA256SUMS");
  const right = fs.readFileSync(sums, "utf8");
  fs.writeFileSync(sums, `${"0".repeat(64)}  ${ARCHIVE}\n${right}`);
  expect(await refusal({ folder: folder.path })).toContain(`names ${ARCHIVE} twice`);
  const odd = "fibserver-\u001B[2J.tar.gz";
  fs.writeFileSync(sums, `${"0".repeat(64)}  ${odd}\n\u001B[2J  ${ARCHIVE}\n`);
  const said = await refusal({ folder: folder.path });
  expect(said).toContain("it is no release");
  expect(said).not.toContain("\u001B");
});

test("wrong use is told from failure, and shown how", async () => {
  for (const words of [
    [],
    ["--prefix"],
    ["--prefix", "", "/tmp"],
    ["--prefix=", "/tmp"],
    ["--version=", "/tmp"],
    [""],
    ["--frobnicate"],
    ["ftp://127.0.0.1/x"],
    ["--version", "../../etc", "/tmp"],
    ["/a", "/b"],
  ]) {
    const piped = Bun.spawnSync(["sh", "-s", "--", ...words], { stdin: Bun.file(SCRIPT), env: {} });
    expect({ words, exitCode: piped.exitCode }).toEqual({ words, exitCode: 2 });
    expect(piped.stderr.toString()).toEndWith("--help says more\n");
  }
  const help = await runHere(["sh", SCRIPT, "--help"], {});
  expect(help).toMatchObject({ stderr: "", exitCode: 0 });
  expect(help.stdout).toContain("--prefix FOLDER");
});

test("an old version stays until the new one has run", async () => {
  using folder = temporaryFolder();
  const prefix = path.join(folder.path, "prefix");
  await smallRelease(folder.path, { version: "0.0.1" });
  const install = (version: string) =>
    runHere(["sh", SCRIPT, "--prefix", prefix, "--version", version, folder.path], {});
  expect((await install("0.0.1")).exitCode).toBe(0);
  const before = filesIn(prefix).map((file) => fs.readFileSync(path.join(prefix, file), "utf8"));
  const programs = {
    "echo 'no such library' >&2; exit 127":
      "does not run here. Nothing was changed. It said: no such library",
    "kill -ILL $$": "does not run here",
    "echo 7.7.7": "is not 0.0.2 but 7.7.7",
  };
  for (const [program, words] of Object.entries(programs)) {
    await smallRelease(folder.path, { version: "0.0.2", program });
    const refused = await install("0.0.2");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(words);
    expect(filesIn(prefix).map((file) => fs.readFileSync(path.join(prefix, file), "utf8"))).toEqual(before);
  }
  await smallRelease(folder.path, { version: "0.0.2" });
  expect((await install("0.0.2")).exitCode).toBe(0);
  expect(fs.readFileSync(path.join(prefix, "bin/fibserver"), "utf8")).toContain("0.0.2");
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "ended by %s while it fetches, it leaves nothing",
  async (signal) => {
    using folder = temporaryFolder();
    await smallRelease(folder.path, { version: VERSION });
    await using server = await serveFolder(folder.path, "stall");
    const prefix = path.join(folder.path, "prefix");
    const child = Bun.spawn(["sh", SCRIPT, "--prefix", prefix, server.url], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    await until("the archive was asked for", () => server.asked.length === 2);
    // As a terminal does: to all of its group.
    process.kill(-child.pid, signal);
    expect(await child.exited).toBeGreaterThan(0);
    expect(filesIn(prefix)).toEqual([]);
  },
);

test("of a script that was cut on its way nothing runs", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const prefix = path.join(folder.path, "prefix");
  const script = fs.readFileSync(SCRIPT, "utf8").trimEnd();
  // Also where what is left of a line's first word is another command, such as `set` of `set -eu`.
  const words = Array.from(script.matchAll(/^ *([a-z]+)/gm), ({ index, 0: { length } }) => index + length);
  const lengths = new Set([...words, ...Array.from({ length: 30 }, (_, index) => script.length - 1 - index)]);
  for (const length of lengths) {
    const child = Bun.spawn(["sh", "-s", "--", "--prefix", prefix, folder.path], {
      stdio: [Buffer.from(script.slice(0, length)), "pipe", "pipe"],
    });
    const stdout = await child.stdout.text();
    expect({ length, stdout, isThere: fs.existsSync(prefix) }).toEqual({
      length,
      stdout: "",
      isThere: false,
    });
  }
});

const withShellcheck = requireTool(["shellcheck", "--version"], "apt-get install shellcheck");

withShellcheck("shellcheck finds nothing", async () => {
  const checked = await runHere(
    ["shellcheck", "--shell=sh", "--enable=all", "--exclude=SC2249,SC2250,SC2310,SC2312", SCRIPT],
    {},
  );
  expect(checked).toEqual({ stdout: "", stderr: "", exitCode: 0 });
});
