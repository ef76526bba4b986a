/**
 * `fibserver completion SHELL`: the script that lets a shell complete the words of this program.
 *
 * A script is a few lines: it asks the program itself at each TAB (completion/answer.ts). So the definitions of the
 * commands are walked in one place for all shells, what is offered fits the version that runs, and names can be asked from
 * where they are. The generator for npm that was tried evaluates what is typed.
 * @module
 */
import { defineCommand } from "citty";
import path from "node:path";
import { shortened } from "../shell-word.ts";
import bash from "./completion/fibserver.bash" with { type: "text" };
import fish from "./completion/fibserver.fish" with { type: "text" };
import zsh from "./completion/fibserver.zsh" with { type: "text" };
import { usageError } from "./hints.ts";
import { print } from "./output.ts";

const SCRIPTS = { bash, zsh, fish } as const;

const SHELLS = Object.keys(SCRIPTS);

/** Prints the script of a shell. */
export const completion = defineCommand({
  meta: {
    name: "completion",
    description: "Print what makes a shell complete this program's words",
    examples: [
      "source <(fibserver completion bash)  # in ~/.bashrc",
      "source <(fibserver completion zsh)  # in ~/.zshrc",
      "fibserver completion fish | source  # in ~/.config/fish/config.fish",
    ],
    notes:
      "Packages and make install put the scripts where shells look for them: then nothing has to be done. At each TAB the fibserver of the PATH is asked; it offers commands, options and their values, files, the names of cursors, and the ids of tasks, from the file or the server that the line names, if that answers within a second.",
  },
  args: {
    // That it is missing is said below, with the shell of who asks.
    shell: {
      type: "positional",
      required: false,
      isNeeded: true,
      valueHint: "SHELL",
      values: SHELLS,
      description: "bash, zsh or fish",
    },
  },
  run({ args: { shell } }) {
    if (shell !== undefined && isShell(shell)) return print(SCRIPTS[shell]);
    const mine = path.basename(process.env["SHELL"] ?? "");
    const reason =
      shell === undefined ? "it takes the name of a shell" : `it knows no shell '${shortened(shell)}'`;
    throw usageError(
      "fibserver completion",
      `${reason}: ${SHELLS.join(", ")}`,
      isShell(mine) ? `fibserver completion ${mine}` : undefined,
    );
  },
});

function isShell(name: string): name is keyof typeof SCRIPTS {
  return Object.hasOwn(SCRIPTS, name);
}
