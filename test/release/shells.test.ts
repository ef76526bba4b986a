/**
 * TAB in the real shells: bash with bash-completion and without, zsh, fish, each in a terminal of its own.
 *
 * Words that a shell would run if somebody evaluated them are in the line, in names of files, in what a server tells: a
 * file appears if one is. The word under the cursor is no such word in zsh: its own TAB expands that, whatever the command.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { BINARY, output, requireTool, runInShell, startServer, temporaryFolder, until } from "../binary.ts";
import { Terminal } from "../terminal.ts";

setDefaultTimeout(300_000);

const BASH_COMPLETION = "/usr/share/bash-completion/bash_completion";

/** A way to have the completion. */
interface Shell {
  readonly name: string;
  readonly install: string;
  readonly probe: readonly string[];
  /** What starts it in a terminal, with a prompt that is `$ `. */
  readonly start: string;
  /** What is typed before. */
  readonly prepare: string;
  /** A command substitution. */
  readonly substitution: (command: string) => string;
  /** Whether it shows what a word is. */
  readonly tells: boolean;
  /** Of a script that comes in another way only that it is found is tested. */
  readonly isFoundOnly?: boolean;
}

const dollar = (command: string): string => `$(${command})`;

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    install: "apt-get install tmux",
    probe: ["tmux", "-V"],
    start: "PS1='$ ' exec bash --norc --noprofile",
    // As the strict have it.
    prepare: "set -u; source <(fibserver completion bash)",
    substitution: dollar,
    tells: false,
  },
  {
    name: "bash with bash-completion",
    install: "apt-get install tmux bash-completion",
    probe: ["sh", "-c", `tmux -V && test -f ${BASH_COMPLETION}`],
    start: "PS1='$ ' exec bash --norc --noprofile",
    // It loads the script itself, at the first TAB.
    prepare: `source ${BASH_COMPLETION}`,
    substitution: dollar,
    tells: false,
    isFoundOnly: true,
  },
  {
    name: "zsh",
    install: "apt-get install tmux zsh",
    probe: ["sh", "-c", "tmux -V && zsh --version"],
    start: "PS1='$ ' exec zsh -f",
    prepare: "setopt nounset ksharrays; source <(fibserver completion zsh); unsetopt ksharrays",
    substitution: dollar,
    tells: true,
  },
  {
    name: "zsh with the script in fpath",
    install: "apt-get install tmux zsh",
    probe: ["sh", "-c", "tmux -V && zsh --version"],
    start: "PS1='$ ' exec zsh -f",
    prepare: "fpath=($PWD/../site-functions $fpath); autoload -Uz compinit && compinit -D",
    substitution: dollar,
    tells: true,
    isFoundOnly: true,
  },
  {
    name: "fish",
    install: "apt-get install tmux fish",
    probe: ["sh", "-c", "tmux -V && fish --version"],
    start:
      "exec fish --private --init-command 'function fish_prompt; echo \"\\$ \"; end; set -g fish_greeting'",
    prepare: "fibserver completion fish | source",
    substitution: (command) => `(${command})`,
    tells: true,
  },
];

for (const shell of SHELLS) {
  requireTool(shell.probe, shell.install)(
    `${shell.name} completes what may follow, and runs nothing`,
    async () => {
      using folder = temporaryFolder();
      const work = await furnish(folder.path);
      const environment = `PATH=${folder.path}/bin:$PATH HOME=${folder.path}/home XDG_DATA_HOME=${folder.path}/data`;
      await using terminal = new Terminal(work, 120);
      await terminal.shows(/\$/);
      // What is left of the first shell's screen would be taken for an answer.
      terminal.type(`export ${environment}; clear; ${shell.start}`);
      await terminal.shows(/^\$ *$/m);
      terminal.type(`clear; ${shell.prepare}; echo "re"ady`);
      // The first thing that is said.
      await terminal.shows(/^ready$/m);
      if (!shell.isFoundOnly) expect(terminal.screen()).not.toMatch(/fibserver|error|bad/);
      const tab = async (line: string, becomes: RegExp, keys = ["Tab"]) => {
        // Each shell's own way to throw a line away, and a screen with nothing of before.
        terminal.press("C-e", "C-u", "C-l");
        await until("the line is empty", () => /^\$ *$/.test(terminal.screen()));
        terminal.press("-l", line);
        await terminal.shows(new RegExp(`^\\$ ${RegExp.escape(line)}`, "m"));
        terminal.press(...keys);
        await terminal.shows(becomes);
      };
      await tab("fibserver pis", /^\$ fibserver pisano\b/m);
      await tab("fibserver seq 10 --format=nd", /^\$ fibserver seq 10 --format=ndjson\b/m);
      await tab("fibserver c -f my", /^\$ fibserver c -f my\\ cursor\b/m);
      if (shell.isFoundOnly) return;
      await tab("fibserver cursor s", /show[^]*set|set[^]*show/, ["Tab", "Tab"]);
      if (shell.tells) await terminal.shows(/Move a cursor to an index/);
      // Files, also behind a redirection, and folders alone.
      await tab("fibserver c --file=my", /^\$ fibserver c --file=my\\ cursor\b/m);
      await tab("fibserver fib 10 > my", /^\$ fibserver fib 10 > my\\ cursor\b/m);
      await tab("fibserver backup a", /^\$ fibserver backup a\\ folder\//m);
      await tab("fibserver c -f odd", /^\$ fibserver c -f \S*odd/m);
      // Names, from the file and the server that the line names.
      await tab(String.raw`fibserver c -f my\ cursor --cursor al`, /--cursor alice\b/);
      await tab(`fibserver c -f "my cursor" --cursor=al`, /--cursor=alice\b/);
      await using server = await startServer(["-f", path.join(folder.path, "served")]);
      await output(["n", "--cursor", "remote-one", "--server", server.url]);
      await tab(`fibserver c --server ${server.url} --cursor rem`, /--cursor rem/);
      // A server that does not answer within a second is left out, and who types presses TAB again.
      let pressedMs = performance.now();
      await until("the server's cursor is named", () => {
        if (/--cursor remote-one\b/.test(terminal.screen())) return true;
        if (performance.now() - pressedMs > 5000) {
          terminal.press("Tab");
          pressedMs = performance.now();
        }
        return false;
      });
      const run = shell.substitution("touch ran");
      // Behind a backtick or a semicolon, also a quoted one, bash sees another command, and asks nobody here.
      const more = shell.name === "bash" ? "" : " `touch ran` ';touch ran;'";
      await tab(`fibserver c -f ${run} "${run}"${more} --lock`, /--lock-timeout\b/);
      expect(fs.readdirSync(work).toSorted()).toEqual(
        ["my cursor", "my cursor.cursors", "a folder", ODD].toSorted(),
      );
      const program = path.join(folder.path, "bin/fibserver");
      for (const other of OTHERS) {
        fs.rmSync(program, { force: true });
        if (other !== undefined) fs.writeFileSync(program, `#!/bin/sh\n${other}\n`, { mode: 0o755 });
        // What is typed behind it appears once it has been done.
        await tab("fibserver p", /qq/, ["Tab", "q", "q"]);
        expect({ other, screen: terminal.screen() }).toEqual({ other, screen: "$ fibserver pqq" });
      }
    },
  );
}

/** What may be on the PATH in the place of the program: nothing, one that crashes, one that knows of no completion. */
const OTHERS = [
  undefined,
  "kill -SEGV $$",
  "echo Usage: fibserver; echo pabcdef",
  String.raw`printf 'Usage\0\npab\0cdef\n'`,
];

/** A name that does something, if somebody evaluates it. */
const ODD = "odd;touch ran;$(touch ran)`touch ran`";

/** A home with the program on its PATH, the scripts where packages put them, and a folder to work in. */
async function furnish(folder: string): Promise<string> {
  const work = path.join(folder, "work");
  const completions = path.join(folder, "data/bash-completion/completions");
  for (const each of [work, completions, `${folder}/home`, `${folder}/bin`, `${folder}/site-functions`])
    fs.mkdirSync(each, { recursive: true });
  fs.symlinkSync(BINARY, `${folder}/bin/fibserver`);
  fs.writeFileSync(`${completions}/fibserver`, await output(["completion", "bash"]));
  fs.writeFileSync(`${folder}/site-functions/_fibserver`, await output(["completion", "zsh"]));
  fs.mkdirSync(path.join(work, "a folder"));
  fs.writeFileSync(path.join(work, ODD), "");
  await runInShell(`"$FIBSERVER" n -f 'my cursor' && "$FIBSERVER" n -f 'my cursor' --cursor alice`, work);
  return work;
}
