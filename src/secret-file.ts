/**
 * Small files that a process reads at its start and again with SIGHUP, while it answers others: tokens, certificates and
 * their keys.
 *
 * A pipe or a device in such a place would hold up everybody: `open` waits for who writes into a pipe, and /dev/zero has
 * no end. So a file is opened without waiting, and read only when it is one, and small; and by a thread of Bun's pool,
 * because its disk may stall.
 * @module
 */
import fs from "node:fs";
import { notice } from "./notices.ts";
import { shellWord } from "./shell-word.ts";

/** Ten thousand tokens, or five times the authorities that Debian trusts. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Bits of a file's mode: everybody may read it, or change it. */
const ALL_READ = 0o004;
const ALL_CHANGE = 0o002;

/** Makes the error for a file that cannot be used, of the reason. */
export type Refuse = (reason: string, cause?: unknown) => Error;

/** Reads a file whole, as text, without the mark that some editors begin one with. @throws What `refuse` makes. */
export async function readSmallFile(path: string, refuse: Refuse): Promise<string> {
  return (await read(path, refuse)).text;
}

/**
 * The same for a file with secrets, or with what says who may: tells where everybody on this machine may read or change it.
 *
 * @param what - What is in it, for that warning: `the tokens`.
 */
export async function readSecretFile(path: string, what: string, refuse: Refuse): Promise<string> {
  const { text, mode } = await read(path, refuse);
  if ((mode & (ALL_READ | ALL_CHANGE)) !== 0) {
    const may = (mode & ALL_CHANGE) === 0 ? "read" : "change";
    notice(`Everybody on this machine may ${may} ${what}: chmod o-rw ${shellWord(path)}`);
  }
  return text;
}

async function read(path: string, refuse: Refuse): Promise<{ text: string; mode: number }> {
  let file: fs.promises.FileHandle | undefined;
  try {
    file = await fs.promises.open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse(NO_FILE);
    if (stat.size > FILE_BYTES_MAX) throw refuse(`it is larger than ${FILE_BYTES_MAX} bytes`);
    return { text: new TextDecoder().decode(await file.readFile()), mode: stat.mode };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (!/^E[A-Z]+$/.test(code)) throw error;
    throw refuse(REASONS[code] ?? message, error);
  } finally {
    await file?.close();
  }
}

const NO_FILE = "it is no file";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "it may not be read",
  EPERM: "it may not be read",
  ELOOP: "it is a link that leads nowhere",
  EIO: "it cannot be read",
  // What open says of a socket.
  ENXIO: NO_FILE,
};
