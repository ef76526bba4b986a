/** A real terminal, for what draws on one. @module */
import fs from "node:fs";
import path from "node:path";
import { BINARY, requireTool, temporaryFolder, until } from "./binary.ts";

/** A `test` that needs {@link Terminal}. */
export const withTmux = requireTool(["tmux", "-V"], "apt-get install tmux");

/** A shell in a terminal that tmux draws. */
export class Terminal implements AsyncDisposable {
  readonly #sockets = temporaryFolder();
  readonly #socket = path.join(this.#sockets.path, "tmux");

  constructor(folder: string, columns = 80) {
    const size = ["-x", String(columns), "-y", "24"];
    this.#tmux(
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      ...size,
      "-c",
      folder,
      "PS1='$ ' bash --norc --noprofile",
    );
  }

  /** Types a line that a shell runs. */
  type(line: string): void {
    this.#tmux("send-keys", "-l", line);
    this.press("Enter");
  }

  press(...keys: string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  resize(columns: number, rows = 24): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  screen(): string {
    return this.#tmux("capture-pane", "-p").trimEnd();
  }

  /** With what has gone up, and the codes that make it coloured. */
  history(): string {
    return this.#tmux("capture-pane", "-p", "-e", "-S", "-").trimEnd();
  }

  /** Appends all that is drawn from now on to a file. */
  record(file: string): void {
    this.#tmux("pipe-pane", `cat >>${file}`);
  }

  /** Waits until it shows something. */
  async shows(what: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    try {
      await until("", () => (found = what.exec(this.screen())) !== null);
    } catch {
      throw new Error(`The terminal does not show ${what}:\n${this.screen()}`);
    }
    return found!;
  }

  /** How the last program ended; asked when the shell reads again, lest a program that is ending takes the question. */
  async status(): Promise<number> {
    await this.shows(/\$$/);
    this.type('echo "status=$?"');
    const [, status] = await this.shows(/^status=(\d+)$/m);
    return Number(status);
  }

  /** Lets go on what was stopped, on a screen that shows nothing of before. */
  async foreground(): Promise<void> {
    this.type("clear; fg");
    await until("the screen is cleared", () => !this.screen().includes("Stopped"));
  }

  /** Whether the cursor is shown, and lines are wrapped. */
  flags(): string {
    return this.#tmux("display-message", "-p", "cursor #{cursor_flag} wrap #{wrap_flag}").trim();
  }

  /** What the shell runs. */
  child(): number {
    const shell = this.#tmux("display-message", "-p", "#{pane_pid}").trim();
    const pid = Number.parseInt(fs.readFileSync(`/proc/${shell}/task/${shell}/children`, "latin1"));
    // A signal for 0 would end us.
    if (!(pid > 0)) throw new Error(`The shell runs nothing:\n${this.screen()}`);
    return pid;
  }

  /** Closes it, as a person closes a window. */
  close(): void {
    this.#tmux("kill-server");
  }

  async [Symbol.asyncDispose]() {
    Bun.spawnSync(["tmux", "-S", this.#socket, "kill-server"]);
    this.#sockets[Symbol.dispose]();
  }

  #tmux(...args: string[]): string {
    const { stdout, stderr, exitCode } = Bun.spawnSync(["tmux", "-S", this.#socket, ...args], {
      env: { PATH: process.env["PATH"], HOME: "/nonexistent", TERM: "xterm", F: BINARY },
    });
    if (exitCode !== 0) throw new Error(`tmux ${args.join(" ")}: ${stderr.toString()}`);
    return stdout.toString();
  }
}
