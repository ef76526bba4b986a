/** The archives: each holds one folder with what is installed and its licences, and the same modes whoever made it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { run, temporaryFolder } from "../binary.ts";
import { artefact, PLATFORM, PLATFORMS, RELEASE, VERSION } from "./artefacts.ts";

setDefaultTimeout(300_000);

const ROOT = path.resolve(import.meta.dir, "../..");

/** `e_machine` of the ELF header, and the loader that the program names. */
const KINDS: Readonly<Record<string, readonly [machine: number, loader: string]>> = {
  "linux-x64": [62, "/lib64/ld-linux-x86-64.so.2"],
  "linux-arm64": [183, "/lib/ld-linux-aarch64.so.1"],
  "linux-x64-musl": [62, "/lib/ld-musl-x86_64.so.1"],
  "linux-arm64-musl": [183, "/lib/ld-musl-aarch64.so.1"],
};

const FILES = [
  "bin/fibserver",
  "share/bash-completion/completions/fibserver",
  "share/doc/fibserver/CHANGELOG.md",
  "share/doc/fibserver/LICENSE",
  "share/doc/fibserver/THIRD-PARTY.txt",
  "share/fish/vendor_completions.d/fibserver.fish",
  "share/man/man1/fibserver.1",
  "share/zsh/site-functions/_fibserver",
];

describe.each([...PLATFORMS])("the archive for %s", (platform) => {
  const name = `fibserver-${VERSION}-${platform}`;

  test("holds what is installed, of no user and with fixed modes", async () => {
    const listed =
      await Bun.$`tar --list --verbose --numeric-owner --file ${artefact(`${name}.tar.gz`)}`.text();
    const entries = listed
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/\s+/));
    expect(entries.filter(([mode]) => !mode!.startsWith("d")).map((entry) => entry.at(-1))).toEqual(
      FILES.map((file) => `${name}/${file}`),
    );
    for (const [mode, owner, , , , file] of entries) {
      const isExecuted = mode!.startsWith("d") || file!.endsWith("/bin/fibserver");
      expect({ file, mode: mode!.slice(1), owner }).toEqual({
        file,
        mode: isExecuted ? "rwxr-xr-x" : "rw-r--r--",
        owner: "0/0",
      });
    }
  });

  test("has the program for that processor and C library", async () => {
    using folder = temporaryFolder();
    await Bun.$`tar --extract --directory ${folder.path} --file ${artefact(`${name}.tar.gz`)}`;
    const program = path.join(folder.path, name, "bin/fibserver");
    const head = fs.readFileSync(program).subarray(0, 4096);
    const [machine, loader] = KINDS[platform]!;
    expect(head.subarray(0, 4).toString("latin1")).toBe("\u007fELF");
    expect(head.readUInt16LE(18)).toBe(machine);
    expect(head.includes(`${loader}\0`)).toBe(true);
    if (platform !== PLATFORM) return;
    const { stdout, exitCode } = await run(["--version"], { binary: program });
    expect({ version: stdout.trim().split(" ")[0], exitCode }).toEqual({ version: VERSION, exitCode: 0 });
    expect((await run(["--help"], { binary: program })).stdout).toContain("fibserver");
  });
});

test("the licences are those of all production packages that the program has, and of Bun", async () => {
  const name = `fibserver-${VERSION}-${PLATFORM}`;
  const texts =
    await Bun.$`tar --extract --to-stdout --file ${artefact(`${name}.tar.gz`)} ${name}/share/doc/fibserver/THIRD-PARTY.txt`.text();
  const { dependencies } = (await Bun.file(path.join(ROOT, "package.json")).json()) as {
    dependencies: Record<string, string>;
  };
  for (const [part, version] of Object.entries(dependencies))
    expect(texts).toContain(`\n${part} ${version} (`);
  for (const words of [
    `\nBun ${Bun.version}, with WebKit `,
    "GNU LIBRARY GENERAL PUBLIC LICENSE",
    "GNU LESSER GENERAL PUBLIC LICENSE",
    "swagger-ui-dist",
    "Apache License",
    "Permission is hereby granted, free of charge",
  ])
    expect(texts).toContain(words);
  // What only builds and tests is not passed on, nor is a path of whoever made it.
  expect(texts).not.toContain("\nfast-check ");
  expect(texts).not.toContain(ROOT);
});

test("SHA256SUMS names every file of the release, and all sums are right", async () => {
  const sums = fs.readFileSync(artefact("SHA256SUMS"), "utf8");
  const files = await Array.fromAsync(new Bun.Glob("**").scan(RELEASE));
  const names = sums
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(66));
  expect(names.toSorted()).toEqual(files.filter((file) => file !== "SHA256SUMS").toSorted());
  const checked = await Bun.$`sha256sum --check --strict --quiet SHA256SUMS`.cwd(RELEASE).nothrow();
  expect({ exitCode: checked.exitCode, said: checked.stderr.toString() }).toEqual({ exitCode: 0, said: "" });
});
