/**
 * The manual page (mdoc), from the definitions of the commands and the table of errors.
 * @module
 */
import { version } from "../../package.json";
import {
  argumentsOf,
  type Command,
  COMMON_FLAGS,
  type Found,
  type Named,
  resolved,
  synopsis,
} from "../../src/cli/arguments.ts";
import { ENVIRONMENT } from "../../src/cli/flags.ts";
import { fibserver } from "../../src/cli/root.ts";
import { CODES } from "../../src/errors.ts";
import { argument, examples, literal, prose, tagged } from "./mdoc.ts";

/** What is the same in so many commands is described once, for all of them. */
const SHARED_COUNT = 3;

const STANDING_IN =
  "The options of serve and worker may come from the environment, also those of them that other commands take, and so may --cursor: --max-index N is FIBSERVER_MAX_INDEX=N. A flag wins. The other options are flags alone.";

/** What is read from the environment besides what stands in for flags. */
export const VARIABLES: Readonly<Record<string, string>> = {
  BUN_BE_BUN:
    "Set to 1, it makes the program the bun command, as it does with each that Bun has compiled. That cannot be switched off.",
  FIBSERVER_SENTINEL_AUTH:
    "The Sentinels' own [USER:]PASSWORD, where --redis names them. There is no flag for it, since ps shows flags to everybody.",
  FIBSERVER_SERVER: "The server that task and status ask; the commands of cursors do so with --server alone.",
  FIBSERVER_TOKEN:
    "The token that a command sends to the server it asks. There is no flag for it, since ps shows flags to everybody.",
  HOME: "The cursor file is below it, unless XDG_STATE_HOME or --file says otherwise.",
  NOTIFY_SOCKET: "Set by systemd: where a server and an executor tell it how they are.",
  NO_COLOR: "Set to anything: no bold titles, no colours.",
  NODE_EXTRA_CA_CERTS: "A file with further authorities (PEM) to trust when a server is asked by https.",
  OTEL_EXPORTER_OTLP_ENDPOINT:
    "Where a server sends traces; without it, it makes none. Its relatives are read, too.",
  SHELL: "The shell whose script completion suggests to those who name an unknown one.",
  TERM: "On a dumb terminal nothing is bold or redrawn.",
  WATCHDOG_USEC: "Set by systemd, in microseconds: how often it wants to hear from them.",
  XDG_STATE_HOME: "The cursor file is below it, if it is set.",
};

const FILES: Readonly<Record<string, string>> = {
  "~/.local/state/fibserver/cursor":
    "The default cursor, unless --file names another file or --redis a Redis.",
  "~/.local/state/fibserver/cursor.cursors":
    "Beside it: the cursors with names. SQLite has up to two more files beside it.",
  "~/.local/state/fibserver/cursor.go16":
    "Beside it: the file of a Go cursor server that was there before, as it was. A later one is cursor.go16.2.",
  "~/.local/state/fibserver/cursor.tasks":
    "Beside it: the tasks of a server; their results are in cursor.tasks.results.",
};

/** A command with its arguments. */
interface Described extends Omit<Found, "argv"> {
  readonly flags: readonly Named[];
  readonly positionals: readonly Named[];
}

/** The page. @param date - Shown at its foot. */
export async function manualPage(date: Date): Promise<string> {
  const [root, ...commands] = await describe({ command: fibserver, name: "fibserver" });
  const all = [root!, ...commands];
  const shared = sharedFlags(all.flatMap(({ flags }) => flags));
  const isShared = ([name, definition]: Named) =>
    shared.has(name) && keyOf(shared.get(name)!) === keyOf(definition);
  const rootMeta = (await resolved(fibserver.meta))!;
  const month = date.toLocaleString("en", { month: "long", timeZone: "UTC" });
  const sections: [title: string, lines: string[]][] = [
    ["NAME", [".Nm fibserver", `.Nd ${lowered(literal(rootMeta.description!))}`]],
    ["SYNOPSIS", usage(rootMeta.usage!.map(([line]) => line))],
    [
      "DESCRIPTION",
      [
        ...DESCRIPTION,
        ...tagged(
          rootMeta.usage!.map(([line, what]) => [`Li ${argument(line)}`, prose(`${capital(what)}.`)]),
        ),
      ],
    ],
    ["OPTIONS", ["These are taken by several commands, which name them below.", ...options([...shared])]],
    ["COMMANDS", (await Promise.all(all.map((each) => section(each, isShared)))).flat()],
    ["ENVIRONMENT", [...prose(STANDING_IN), ...tagged(rows(VARIABLES, "Ev"))]],
    ["FILES", tagged(rows(FILES, "Pa"))],
    ["EXIT STATUS", exitStatus()],
    ["EXAMPLES", examples(rootMeta.examples!).slice(1)],
    ["SEE ALSO", [".Xr redis-server 1 ,", ".Xr systemd 1"]],
  ];
  const head = [
    `.Dd ${month} ${date.getUTCDate()}, ${date.getUTCFullYear()}`,
    ".Dt FIBSERVER 1",
    `.Os fibserver ${argument(version)}`,
  ];
  return `${[...head, ...sections.flatMap(([title, lines]) => [`.Sh ${title}`].concat(lines))].join("\n")}\n`;
}

const DESCRIPTION = [
  ".Nm",
  "keeps a place in the Fibonacci sequence, in a file or in Redis,",
  "and moves it at the shell or over HTTP.",
  "A move that was answered is never lost.",
  "It also computes exact numbers of any length, at once or as tasks of a server.",
];

/** Those that many commands take, as most of them do. */
function sharedFlags(flags: readonly Named[]): Map<string, Named[1]> {
  const shared = new Map<string, Named[1]>();
  for (const [name, same] of Map.groupBy(flags, ([flag]) => flag)) {
    const [most] = [...Map.groupBy(same, ([, definition]) => keyOf(definition)).values()].toSorted(
      (a, b) => b.length - a.length,
    );
    if (most!.length >= SHARED_COUNT) shared.set(name, most![0]![1]);
  }
  return shared;
}

const keyOf = (definition: Named[1]): string => JSON.stringify(definition);

async function describe({ command, name }: Omit<Found, "argv">): Promise<Described[]> {
  const { flags, positionals } = await argumentsOf(command);
  const own = command.run === undefined ? [] : flags;
  const below = Object.entries(await resolved(command.subCommands ?? {})).map(async ([word, each]) =>
    describe({ command: await resolved<Command>(each), name: `${name} ${word}` }),
  );
  return [{ command, name, flags: own, positionals }, ...(await Promise.all(below)).flat()];
}

/** What there is to know of one command. */
async function section(
  { command, name, flags, positionals }: Described,
  isShared: (flag: Named) => boolean,
): Promise<string[]> {
  const meta = (await resolved(command.meta)) ?? {};
  if (command.run === undefined) return [];
  const isRoot = command === fibserver;
  const listed = flags.filter(
    ([flag]) => !meta.unlisted?.includes(flag) && !Object.hasOwn(COMMON_FLAGS, flag),
  );
  const described = positionals.filter(([, { description }]) => description !== undefined);
  const also = listed
    .filter(isShared)
    .flatMap(([flag]) => [" ,", `.Fl \\-${literal(flag)}`])
    .slice(1);
  const title = `${name} ${synopsis(positionals)}`.trimEnd();
  return [
    `.Ss ${argument(title)}`,
    ...prose(`${isRoot ? "Move the cursor, or serve it where there are no letters" : meta.description}.`),
    ...(meta.notes === undefined || meta.notes === ENVIRONMENT ? [] : prose(meta.notes)),
    ...tagged(
      described.map((each) => [`Ar ${argument(synopsis([each]))}`, prose(`${each[1].description}.`)]),
    ),
    ...options(listed.filter((flag) => !isShared(flag))),
    ...(also.length === 0 ? [] : [".Pp", "It also takes", ...joined(also)]),
    ...(isRoot ? [] : examples(meta.examples ?? [])),
  ];
}

/** Macros with the commas of a list at the ends of their lines. */
function joined(parts: readonly string[]): string[] {
  const macros = parts.filter((part) => part.startsWith("."));
  return macros.map((macro, i) => `${macro} ${i === macros.length - 1 ? "." : ","}`);
}

function options(flags: readonly Named[]): string[] {
  return tagged(
    flags.map(([name, definition]) => {
      const short = "alias" in definition ? `Fl ${String(definition.alias)} , ` : "";
      const hint = definition.valueHint === undefined ? "" : ` Ar ${argument(definition.valueHint)}`;
      return [`${short}Fl \\-${literal(name)}${hint}`, prose(`${definition.description}.`)];
    }),
  );
}

function usage(lines: readonly string[]): string[] {
  return lines.flatMap((line) => [".Nm", literal(line.replace(/^fibserver ?/, ""))]);
}

/** Each exit status with what it tells, of the table of errors. */
function exitStatus(): string[] {
  const byExit = Map.groupBy(Object.values(CODES), ({ exit }) => exit);
  const failures = [...byExit]
    .toSorted(([a], [b]) => a - b)
    .map(([exit, codes]): [string, string[]] => [
      `Er ${exit}`,
      prose(`${codes.map(({ title }) => title).join("; ")}.`),
    ]);
  return [
    ".Ex -std",
    "After an error it is as in",
    ".In sysexits.h :",
    ...tagged(failures.map(([term, lines]) => [term.replace("Er", "Li"), lines])),
    "A signal that ends it makes 128 and the number of the signal.",
  ];
}

function rows(table: Readonly<Record<string, string>>, macro: string) {
  return Object.entries(table).map(([name, what]): [string, string[]] => [
    `${macro} ${argument(name)}`,
    prose(what),
  ]);
}

const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;
const lowered = (text: string): string => `${text[0]!.toLowerCase()}${text.slice(1)}`;
