/**
 * A bare machine, as far as programs see: a root folder with nothing in it but what a test puts there, a `/proc` and
 * `/dev/null` of its own (Bun needs both), and no privilege unless it is asked for.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { collect, requireTool, type Result, temporaryFolder } from "./binary.ts";

const IN_ROOT = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc=/proc", "--wd=/"];

/** Registers a test that needs a root folder of its own: root's rights and busybox. */
export const withBareRoot = requireTool(
  ["unshare", "--mount", "--pid", "--fork", "busybox", "true"],
  "apt-get install util-linux busybox-static, and run the tests as root",
);

/** What it has, and how it is used. */
export interface BareRoot extends Disposable {
  /** The folder that is `/` inside. */
  readonly path: string;
  /** Copies a file or folder from here to that place inside. */
  add(from: string, to: string): void;
  /** The words of a program that is started inside; all that it starts ends with it. @param user - 65532 by default. */
  readonly command: (words: readonly string[], user?: number) => string[];
  /** Runs a program inside, to its end. */
  run(
    words: readonly string[],
    options?: { user?: number; env?: Readonly<Record<string, string>> },
  ): Promise<Result>;
}

/**
 * Makes one.
 *
 * @param programs - Dynamic programs that will run in it: their loaders and libraries are copied, not they themselves.
 * @param busybox - Whether it has a shell and the usual tools.
 */
export function bareRoot({
  programs = [],
  busybox = false,
}: {
  readonly programs?: readonly string[];
  readonly busybox?: boolean;
} = {}): BareRoot {
  const folder = temporaryFolder();
  // Of mode 700 as it is made: nobody but root would find anything in it.
  fs.chmodSync(folder.path, 0o755);
  const inside = (name: string) => path.join(folder.path, name);
  for (const name of ["proc", "dev", "etc", "tmp"]) fs.mkdirSync(inside(name));
  // As a temporary folder it is its maker's alone.
  fs.chmodSync(folder.path, 0o755);
  fs.chmodSync(inside("tmp"), 0o1777);
  for (const [name, minor] of [
    ["null", 3],
    ["zero", 5],
    ["urandom", 9],
  ] as const) {
    Bun.spawnSync(["mknod", "-m", "666", inside(`dev/${name}`), "c", "1", String(minor)]);
  }
  const add = (from: string, to: string) => {
    fs.mkdirSync(path.dirname(inside(to)), { recursive: true });
    fs.cpSync(from, inside(to), { recursive: true, dereference: true });
  };
  for (const library of new Set(programs.flatMap(librariesOf))) add(library, library);
  if (busybox) {
    add(Bun.which("busybox")!, "/bin/busybox");
    Bun.spawnSync(["chroot", folder.path, "/bin/busybox", "--install", "-s", "/bin"]);
  }
  const command = (words: readonly string[], user = 65_532) => [
    ...IN_ROOT,
    "-R",
    folder.path,
    "-S",
    String(user),
    "-G",
    String(user),
    ...words,
  ];
  return {
    path: folder.path,
    add,
    command,
    async run(words, { user, env = {} } = {}) {
      const child = Bun.spawn(command(words, user), {
        env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      return collect(child);
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

function librariesOf(program: string): string[] {
  const told = Bun.spawnSync(["ldd", program]).stdout.toString();
  return Array.from(told.matchAll(/(\/\S+) \(0x/g), ([, file]) => file!);
}
