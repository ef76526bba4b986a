/**
 * What install.sh meets in its tests: releases of a few bytes, servers that serve them well or badly, and machines that
 * have some tools and not others.
 * @module
 */
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { collect, type Result } from "../binary.ts";
import { artefact, PLATFORM } from "./artefacts.ts";

/** The script as it is released. */
export const SCRIPT = artefact("install.sh");

/** All that it uses of a machine, beside what fetches and what makes sums. */
export const TOOLS = [
  "cat",
  "cp",
  "dirname",
  "grep",
  "gzip",
  "mkdir",
  "mktemp",
  "mv",
  "rm",
  "sh",
  "tar",
  "tr",
  "uname",
];

/**
 * Makes a release of one archive, with a script in the program's place.
 *
 * @param folder - Gets the archive, SHA256SUMS and install.sh.
 * @param program - What the script does; by default it says its version.
 */
export async function smallRelease(
  folder: string,
  { version, platform = PLATFORM, program }: { version: string; platform?: string; program?: string },
): Promise<void> {
  const name = `fibserver-${version}-${platform}`;
  const put = (file: string, contents: string, mode: number) => {
    const target = path.join(folder, name, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, contents, { mode });
  };
  put(
    "bin/fibserver",
    `#!/bin/sh\n${program ?? `echo '${version} (commit 0123456789ab, Bun 1.2.3)'`}\n`,
    0o755,
  );
  for (const file of [
    "share/bash-completion/completions/fibserver",
    "share/doc/fibserver/LICENSE",
    "share/fish/vendor_completions.d/fibserver.fish",
    "share/man/man1/fibserver.1",
    "share/zsh/site-functions/_fibserver",
  ])
    put(file, `${file} of ${version}\n`, 0o644);
  await Bun.$`tar -czf ${name}.tar.gz ${name} && rm -r ${name} && sha256sum *.tar.gz >SHA256SUMS`.cwd(folder);
  fs.copyFileSync(SCRIPT, path.join(folder, "install.sh"));
}

/** A server of a folder, on the loopback. */
export interface FileServer extends AsyncDisposable {
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[];
}

/**
 * Serves a folder.
 *
 * @param fault - What becomes of archives: half of one is sent before the connection ends, or before nothing more comes.
 *   Or of all: they are elsewhere, by a redirect.
 */
export async function serveFolder(folder: string, fault?: "cut" | "stall" | "redirect"): Promise<FileServer> {
  const asked: string[] = [];
  const server = http.createServer((incoming, answer) => {
    const name = incoming.url!.replace(/^\/release\//, "");
    asked.push(incoming.url!);
    const file = path.join(folder, path.basename(name));
    if (!fs.existsSync(file)) answer.writeHead(404).end("not found\n");
    else if (fault === "redirect" && !name.startsWith("/there/"))
      answer.writeHead(302, { location: `/there/${name}` }).end();
    else {
      const bytes = fs.readFileSync(file);
      answer.writeHead(200, { "content-length": bytes.length });
      if (!name.endsWith(".tar.gz") || fault === undefined || fault === "redirect") answer.end(bytes);
      else
        answer.write(bytes.subarray(0, bytes.length / 2), () => {
          if (fault === "cut") answer.destroy();
        });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/release`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Makes a folder for PATH with these tools of this machine, and no other. @returns its name. */
export function toolFolder(folder: string, names: readonly string[]): string {
  const tools = fs.mkdtempSync(path.join(folder, "tools-"));
  for (const name of names) fs.symlinkSync(Bun.which(name)!, path.join(tools, name));
  return tools;
}

/** Puts a script in a tool's place. */
export function fakeTool(tools: string, name: string, script: string): void {
  fs.rmSync(path.join(tools, name), { force: true });
  fs.writeFileSync(path.join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** Runs a command line on this machine, to its end. @param words - Such as `dash install.sh URL`. */
export async function runHere(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  const child = Bun.spawn([Bun.which(words[0]!)!, ...words.slice(1)], {
    env: { PATH: process.env["PATH"], ...env },
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return collect(child);
}

/** All files below a folder, with those whose names begin with a dot; none when it is not there. */
export function filesIn(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  return [...new Bun.Glob("**").scanSync({ cwd: folder, dot: true })].toSorted();
}
