/**
 * Every error that a user can cause at the shell, as a table: the line, what it says, its exit status.
 *
 * What holds for all of them is checked for each: one line on stderr and nothing on stdout, no bug and no stack
 * trace, a line to try for what cannot be run (2), and no line to try that would move the cursor or change anything.
 * Lines to try are run, too.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { environmentName } from "../../src/config/config.ts";
import {
  BINARY,
  requires,
  requireTool,
  type Result,
  run,
  runInShell,
  startServer,
  temporaryFolder,
  until,
} from "../binary.ts";

setDefaultTimeout(300_000);

/** A line of shell, in a folder with a cursor `x` at index 3. */
type Row = readonly [line: string, says: string | RegExp, exitCode: number];

const asRoot =
  process.getuid!() === 0
    ? requireTool(["setpriv", "--version"], "apt-get install util-linux")
    : requires(false, "it takes root to become somebody else");
const withFlock = requireTool(["flock", "--version"], "apt-get install util-linux");

/** Commands that change nothing, whatever follows. */
const HARMLESS = new Set(["help", "version", "completion", "fib", "fact", "ack", "index", "seq", "c"]);

/** Rows that are checked at a time, each in a folder of its own: most of their time is the start of processes. */
const LANES = 4;

/** Checks each row in a folder with a cursor at index 3, and what `prepare` puts beside it. */
async function inFolder(rows: readonly Row[], prepare = "true"): Promise<void> {
  const left = rows.values();
  await Promise.all(Array.from({ length: Math.min(LANES, rows.length) }, () => checkRows(left, prepare)));
}

/** Checks the rows that are left, one after the other: none of them changes the folder. */
async function checkRows(left: Iterable<Row>, prepare: string): Promise<void> {
  using folder = temporaryFolder();
  const { exitCode: prepared, stderr } = await runInShell(
    `"$FIBSERVER" cursor set 3 -f x && ${prepare}`,
    folder.path,
  );
  expect({ prepare, prepared, stderr }).toEqual({ prepare, prepared: 0, stderr: "" });
  const before = contents(folder.path);
  for (const [line, says, exitCode] of left) {
    const result = asLine(await runInShell(line, folder.path));
    expect({ line, exitCode: result.exitCode, stderr: result.stderr }).toEqual({
      line,
      exitCode,
      stderr: (typeof says === "string"
        ? expect.stringContaining(says)
        : expect.stringMatching(says)) as string,
    });
    checkManners(line, result);
    await tryIt(result.stderr, folder.path);
    expect({ line, files: contents(folder.path) }).toEqual({ line, files: before });
  }
}

/** With `--json` the same is said in a document. */
function asLine(result: Result): Result {
  if (!result.stderr.startsWith("{")) return result;
  return { ...result, stderr: `fibserver: ${(JSON.parse(result.stderr) as { detail: string }).detail}\n` };
}

function checkManners(line: string, { stdout, stderr, exitCode }: Result): void {
  expect({ line, stdout, stderr }).toEqual({
    line,
    stdout: "",
    stderr: expect.stringMatching(/^fibserver: [^\n]+\n$/) as string,
  });
  expect(stderr).not.toContain("\u001B");
  expect(stderr).not.toMatch(/bug|undefined|[^.]\.\. |\? Try|, Try/);
  expect({ line, tries: stderr.includes(". Try: fibserver ") }).toEqual({ line, tries: exitCode === 2 });
  for (const [, suggested] of stderr.matchAll(/Try: fibserver ([^\n]*)|`fibserver ([^`]*)`/g)) {
    if (suggested === undefined) continue;
    const words = suggested.split(" ");
    const isHarmless = HARMLESS.has(words[0]!) || /^(cursor (inspect|list)|task list)( |$)/.test(suggested);
    expect({ line, suggested, isHarmless }).toEqual({ line, suggested, isHarmless: true });
    if (words[0] === "c") expect(words.filter((word) => /^[pni]+$/.test(word))).toEqual([]);
  }
}

/** The lines that have been tried: what they do is the same in each folder. */
const tried = new Set<string>();

/** Pastes the line that an error suggests, but for those that ask a server. */
async function tryIt(stderr: string, folder: string): Promise<void> {
  const line = /Try: fibserver (.*)\n$/.exec(stderr)?.[1];
  if (line === undefined || /--server|^task list|^c$|^cursor (inspect|list)$/.test(line) || tried.has(line))
    return;
  tried.add(line);
  const { exitCode, stderr: said } = await runInShell(
    `"$FIBSERVER" ${line.replace(/^c /, "-f x c ")}`,
    folder,
  );
  expect({ line, exitCode, said }).toEqual({ line, exitCode: 0, said: "" });
}

/** Names and bytes of what is in a folder; links are not followed. */
function contents(folder: string): string[] {
  const entries = fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return [name].concat(contents(name));
    return entry.isFile() ? `${name} ${fs.readFileSync(name, "latin1")}` : name;
  });
  return entries.toSorted();
}

test("a wrong word or flag is refused with a line to try", async () => {
  await inFolder([
    ['"$FIBSERVER" -f x nn', "'nn' is no command and none of the letters p, c, n", 2],
    ['"$FIBSERVER" -f x N', "'N' is no command", 2],
    ['"$FIBSERVER" 8080', "'8080' is no command", 2],
    ['"$FIBSERVER" ""', "'' is no command", 2],
    [
      '"$FIBSERVER" complement',
      "'complement' is no command and none of the letters p, c, n. Try: fibserver help\n",
      2,
    ],
    [
      '"$FIBSERVER" completion',
      "it takes the name of a shell: bash, zsh, fish. Try: fibserver help completion",
      2,
    ],
    ['SHELL=/bin/zsh "$FIBSERVER" completion', "bash, zsh, fish. Try: fibserver completion zsh\n", 2],
    ['"$FIBSERVER" completion csh', "it knows no shell 'csh': bash, zsh, fish. Try: ", 2],
    ['"$FIBSERVER" cursr inspect', "(did you mean cursor?). Try: fibserver help cursor", 2],
    ['"$FIBSERVER" hlep', "(did you mean help?). Try: fibserver help\n", 2],
    ['"$FIBSERVER" zeckendorf 5', "(did you mean zeck?). Try: fibserver help zeck\n", 2],
    ['"$FIBSERVER" help zeckendorf', "(did you mean zeck?). Try: fibserver help zeck\n", 2],
    ['"$FIBSERVER" luca 5', "(did you mean lucas?). Try: fibserver help lucas\n", 2],
    ['"$FIBSERVER" fibonacci 5', "(did you mean fib?). Try: fibserver help fib\n", 2],
    ['"$FIBSERVER" -f x n help', "help is a command, and those come first. Try: fibserver help\n", 2],
    ...["next", "current", "previous", "prev"].map((word): Row => [
      `"$FIBSERVER" -f x ${word}`,
      `'${word}' is no command and none of the letters p, c, n (did you mean ${word[0]}?). Try: fibserver help\n`,
      2,
    ]),
    ['"$FIBSERVER" help nothing', "there is no command 'nothing'. Try: fibserver help\n", 2],
    ['"$FIBSERVER" help cursor nothing', "there is no command 'cursor nothing'", 2],
    ['"$FIBSERVER" version 1', "'1' is one word too many; it takes none", 2],
    [
      '"$FIBSERVER" -f x n cursor',
      "cursor is a command, and those come first. Try: fibserver help cursor",
      2,
    ],
    ['"$FIBSERVER" n version', "version is a command", 2],
    [`"$FIBSERVER" $(printf 'x%.0s' {1..9999})`, `'${"x".repeat(40)}…' is no command`, 2],
    ['"$FIBSERVER" -f x -y n', "it knows no -y. Try: fibserver help\n", 2],
    ['"$FIBSERVER" -f x --jsno n', "it knows no --jsno (did you mean --json?). Try: fibserver help\n", 2],
    ['"$FIBSERVER" -f x --no-json n', "it knows no --no-json", 2],
    ['"$FIBSERVER" -f x -f x n', "--file is given twice", 2],
    ['"$FIBSERVER" -f x --file=x n', "--file is given twice", 2],
    ['"$FIBSERVER" -f', "-f takes a value, FILE. Try", 2],
    ['"$FIBSERVER" n -f', "-f takes a value, FILE", 2],
    ['"$FIBSERVER" -f -p n', "-f takes a value, FILE; one that begins with a dash: --file=-p", 2],
    ['"$FIBSERVER" n -f=foo', "-f takes a value: -f foo. Try: fibserver help\n", 2],
    ['"$FIBSERVER" fib 10 -o=foo', "-o takes a value: -o foo", 2],
    ['"$FIBSERVER" -f "" n', "Cannot use an empty file name for --file", 2],
    ['"$FIBSERVER" -f x --json=yes n', "--json takes no value", 2],
    ['"$FIBSERVER" -f x -i n', "-i reads the letters from standard input", 2],
    ['"$FIBSERVER" -f x -p 0 n', "--port is for a server, which takes no letters", 2],
    ['"$FIBSERVER" -f x --max-digits 5 -i', "--max-digits is for a server", 2],
    ['"$FIBSERVER" --json', "--json is for letters, and there are none", 2],
    ['"$FIBSERVER" -p 0 --json -f x', "--json is for letters", 2],
    ['"$FIBSERVER" serve --json', "it knows no --json", 2],
    ['"$FIBSERVER" --cursor alice', "--cursor is for letters, and there are none. Try: fibserver help\n", 2],
    ['"$FIBSERVER" --server http://127.0.0.1:1 -p 0', "--server is for letters, and there are none", 2],
    ['"$FIBSERVER" serve --cursor alice', "it knows no --cursor: a server has all cursors", 2],
    ['"$FIBSERVER" n --per-client', "--per-client is for a server, which takes no letters", 2],
    [
      '"$FIBSERVER" n --cursr alice',
      "it knows no --cursr (did you mean --cursor?). Try: fibserver help\n",
      2,
    ],
    ['"$FIBSERVER" n --cursor', "--cursor takes a value, NAME", 2],
    ['"$FIBSERVER" n --cursor ""', "Cannot use '' for --cursor: a name has 1 to 64 of", 2],
    ['"$FIBSERVER" -f x n --cursor Alice', "Cannot use 'Alice' for --cursor: a name has 1 to 64 of", 2],
    ['"$FIBSERVER" -f x n --cursor client-x', "names that begin with client- are reserved. Try: ", 2],
    ['FIBSERVER_CURSOR=.x "$FIBSERVER" -f x n', "Cannot use '.x' for FIBSERVER_CURSOR: a name has", 2],
    [
      '"$FIBSERVER" cursor show alice -f x',
      "'alice' is one word too many; it takes none: a cursor is named by --cursor NAME. Try: ",
      2,
    ],
    ['"$FIBSERVER" cursor set alice 5 -f x', "it takes INDEX: a cursor is named by --cursor NAME. Try: ", 2],
    ['"$FIBSERVER" cursor watch --name alice', "it knows no --name: a cursor is named by --cursor NAME", 2],
    ['"$FIBSERVER" cursor list alice', "it takes none: names that begin alike are asked for by --prefix", 2],
    ['"$FIBSERVER" cursor list --prefix A -f x', "Cannot use 'A' for --prefix: a name has", 2],
    ['"$FIBSERVER" cursor list --cursor alice', "it knows no --cursor: it lists all of them", 2],
    ['"$FIBSERVER" cursor inspect --cursor alice', "it knows no --cursor: it shows a file", 2],
    [
      '"$FIBSERVER" cursor lst',
      "it knows no 'lst' (did you mean list?). Try: fibserver help cursor list\n",
      2,
    ],
    ['"$FIBSERVER" cursor alice -f x', "inspect, export; a cursor is named by --cursor NAME. Try: ", 2],
    ...[
      ["rm", "remove"],
      ["delete", "remove"],
      ["create", "set"],
    ].map(([word, meant]): Row => [
      `"$FIBSERVER" cursor ${word} alice -f x`,
      `it knows no '${word}' (did you mean ${meant}?). Try: fibserver help cursor ${meant}\n`,
      2,
    ]),
    ['"$FIBSERVER" cursor remvoe --cursor alice', "(did you mean remove?). Try: fibserver help cursor", 2],
    ['"$FIBSERVER" serve n', "'n' is one word too many", 2],
    [
      '"$FIBSERVER" cursor inspect --redis redis://h',
      "it shows a file; fibserver c, which takes --redis, shows the cursor in Redis. Try: ",
      2,
    ],
    ['"$FIBSERVER" serve --cors x', "it knows no --cors: --allow-origin names pages", 2],
    [
      '"$FIBSERVER" serve --metrics 9090',
      "a server has /metrics, /livez and /readyz on its own port. Try: ",
      2,
    ],
    [
      '"$FIBSERVER" -p 0 --metrics 9090',
      "a server has /metrics, /livez and /readyz on its own port. Try: ",
      2,
    ],
    ['"$FIBSERVER" help n x', "there is no command 'n x'", 2],
    ['"$FIBSERVER" worker', "it needs --redis URL. Try: fibserver help worker", 2],
    ['"$FIBSERVER" worker --concurrency 3', "it knows no --concurrency", 2],
    ['"$FIBSERVER" -f x --redis redis://127.0.0.1 n', "Cannot use both --file and --redis", 2],
  ]);
});

test("a number that is none, or out of its range, is refused with the range and a line to try", async () => {
  await inFolder([
    ['"$FIBSERVER" fib', "N is missing. Try: fibserver help fib\n", 2],
    [
      '"$FIBSERVER" fib abc',
      "'abc' for N: it takes a whole number from 0 to 20000000000. Try: fibserver fib 100\n",
      2,
    ],
    ['"$FIBSERVER" fib ""', "'' for N", 2],
    ['"$FIBSERVER" fib 1.5', "'1.5' for N", 2],
    ['"$FIBSERVER" fib 1e6', "'1e6' for N", 2],
    ['"$FIBSERVER" fib -5', "'-5' begins with a dash, as flags do; a number is a whole number from 0", 2],
    ['"$FIBSERVER" fib -50', "'-50' begins with a dash", 2],
    ['"$FIBSERVER" fib -- -5', "'-5' for N: it takes a whole number from 0", 2],
    [
      '"$FIBSERVER" fib 20000000001',
      "from 0 to 20000000000. Try: fibserver fib 20000000001 --first 30 --last 30",
      2,
    ],
    [
      '"$FIBSERVER" fib 99999999999999999999',
      "Try: fibserver fib 99999999999999999999 --first 30 --last 30",
      2,
    ],
    ['"$FIBSERVER" fib 1 2', "'2' is one word too many; it takes N. Try: fibserver help fib\n", 2],
    [
      '"$FIBSERVER" fib 1 --jason',
      "it knows no --jason (did you mean --json?). Try: fibserver help fib\n",
      2,
    ],
    ['"$FIBSERVER" fib 1 -o', "-o takes a value, FILE", 2],
    ['"$FIBSERVER" fib 1 -o ""', "empty file name", 2],
    ['"$FIBSERVER" seq 10 -o ""', "empty file name", 2],
    ['"$FIBSERVER" fib 1 -o a -o b', "--out is given twice", 2],
    ['"$FIBSERVER" fact', "N is missing", 2],
    ['"$FIBSERVER" fact -1', "'-1' begins with a dash", 2],
    ['"$FIBSERVER" fact 1073741824', "from 0 to 1073741823. Try: fibserver fact 100\n", 2],
    ['"$FIBSERVER" fact x', "Try: fibserver fact 100", 2],
    ['"$FIBSERVER" ack 1', "N is missing. Try: fibserver help ack", 2],
    ['"$FIBSERVER" ack', "M N is missing", 2],
    ['"$FIBSERVER" ack 1 x', "'x' for N", 2],
    ['"$FIBSERVER" ack x 1', "'x' for M", 2],
    ['"$FIBSERVER" ack 1 2 3', "'3' is one word too many; it takes M N", 2],
    ['"$FIBSERVER" index', "VALUE is missing", 2],
    ['"$FIBSERVER" index x', "Try: fibserver index 6765", 2],
    ['"$FIBSERVER" index 007', "Try: fibserver index 6765", 2],
    ['"$FIBSERVER" index -8', "'-8' begins with a dash", 2],
    ['"$FIBSERVER" seq', "COUNT|FROM..TO is missing", 2],
    ['"$FIBSERVER" seq x', "Try: fibserver seq 10", 2],
    ['"$FIBSERVER" seq 5..', "Try: fibserver seq ", 2],
    ['"$FIBSERVER" seq ..5', "Try: fibserver seq ", 2],
    ['"$FIBSERVER" seq 5...8', "Try: fibserver seq ", 2],
    ['"$FIBSERVER" seq 1..2..3', "'1..2..3' is no range. Try: fibserver seq 10..20\n", 2],
    ['"$FIBSERVER" seq 8..5', "Try: fibserver seq 5..8", 2],
    ['"$FIBSERVER" seq -5..8', "'-5..8' begins with a dash", 2],
    ['"$FIBSERVER" seq 5 8', "'8' is one word too many", 2],
    [
      '"$FIBSERVER" cursor',
      "it takes list, show, set, remove, watch, inspect, export. Try: fibserver help cursor\n",
      2,
    ],
    [
      '"$FIBSERVER" cursor inpect',
      "it knows no 'inpect' (did you mean inspect?). Try: fibserver help cursor inspect",
      2,
    ],
    ['"$FIBSERVER" cursor constructor', "it takes list, show, set, remove, watch, inspect, export", 2],
    ['"$FIBSERVER" cursor -f x', "it takes list, show, set, remove, watch, inspect, export", 2],
    ['"$FIBSERVER" cursor set -f x', "INDEX is missing. Try: fibserver help cursor set\n", 2],
    ['"$FIBSERVER" cursor set 1 2 -f x', "'2' is one word too many; it takes INDEX", 2],
    ['"$FIBSERVER" cursor set five -f x', "whole number from 0 to 92. Try: fibserver help cursor set\n", 2],
    ['"$FIBSERVER" cursor set -1 -f x', "'-1' begins with a dash", 2],
    ['"$FIBSERVER" cursor set 93 -f x', "from 0 to 92", 2],
    ['"$FIBSERVER" cursor set 93 -f x --json', "from 0 to 92", 2],
    ['"$FIBSERVER" cursor export x', "NEW-FILE is missing", 2],
    ['"$FIBSERVER" cursor export x new', "it needs --go. Try: fibserver help cursor export", 2],
    ['"$FIBSERVER" cursor export --go x x', "it exists", 2],
  ]);
});

test("a command for a task that cannot be understood is refused before a server is asked", async () => {
  await inFolder([
    ['"$FIBSERVER" task', "it takes run, ", 2],
    ['"$FIBSERVER" task start', "it takes run, ", 2],
    ['"$FIBSERVER" task run', "KIND N... is missing. Try: fibserver help task run\n", 2],
    ...["primes 5", "fibonacci", "fibonacci 1 2", "ackermann 1"].map((what): Row => [
      `"$FIBSERVER" task run ${what}`,
      /it takes fibonacci N, lucas N, .*\. Try: fibserver help task run\n$/,
      2,
    ]),
    ['"$FIBSERVER" task run fibonacci x', "Try: fibserver help task run\n", 2],
    ['"$FIBSERVER" task run fibonacci -5', "'-5' begins with a dash", 2],
    [
      '"$FIBSERVER" task run fibonacci 5 --detach -o out',
      "--detach waits for no result, so -o has nothing to write",
      2,
    ],
    ['"$FIBSERVER" task run sequence 8..5', "8 comes after 5. Try: fibserver help task run\n", 2],
    ['"$FIBSERVER" task run sequence x', "'x' for COUNT", 2],
    ['"$FIBSERVER" task run sequence 1..2..3', "'1..2..3' is no range. Try: fibserver help task run\n", 2],
    ['"$FIBSERVER" task show', "ID is missing", 2],
    ['"$FIBSERVER" task show a b', "'b' is one word too many; it takes ID", 2],
    ['"$FIBSERVER" task cancel 1 2', "'2' is one word too many; it takes ID", 2],
    ['"$FIBSERVER" task forget', "ID is missing. Try: fibserver help task forget\n", 2],
    ['"$FIBSERVER" task list --all', "it knows no --all. Try: fibserver help task list\n", 2],
    ['"$FIBSERVER" task list --state good', "'good' is none of queued, running, ", 2],
    ['"$FIBSERVER" task list --state ""', "'' is none of queued, running, ", 2],
    ...["show", "watch", "result", "cancel", "forget"].flatMap((command) =>
      // The last is an id without its first digit.
      ["", "1", "../livez", "1a21b25-1309-719e-8a36-c54fc6a05e1b"].map((id): Row => [
        `"$FIBSERVER" task ${command} '${id}'`,
        `'${id}' is no task's id. Try: fibserver task list\n`,
        2,
      ]),
    ),
  ]);
});

test("a setting that makes no sense is refused, from a flag and from the environment", async () => {
  const settings: [name: string, values: string[], says: string][] = [
    ["max-index", ["many", "", "-0", "100000001", "1e3"], "a whole number from 0 to 100000000"],
    [
      "lock-timeout",
      ["soon", "", "1e9", "Infinity", "1000000"],
      "seconds from 0 to 999999.999, such as 5 or 0.5",
    ],
    ["port", ["http", "", "65536", "1.5", "٣"], "a whole number from 0 to 65535"],
    ["host", [""], "an address, such as 127.0.0.1"],
    ["allow-host", ["http://fib.test", "fib.test:80", "*.fib.test"], "names without scheme and port"],
    [
      "base-path",
      ["fib", "/a//b", "/fib?", "/a b", "/%66ib"],
      "a path of letters, digits and -._~, such as /",
    ],
    ["trust-proxy", ["proxy", "10.0.0.0/99"], "addresses or networks"],
    ["max-digits", ["0", "x", ""], "a whole number from 1 to 1000000000"],
    ["max-sequence", ["0", "x"], "a whole number from 1 to 1000000000"],
    ["max-terms", ["0", "x"], "a whole number from 1 to 1000000000"],
    ["max-computations", ["0", "1025"], "a whole number from 1 to 1024"],
    ["max-queue", ["x", "100001"], "a whole number from 0 to 100000"],
    ["max-streams", ["0"], "a whole number from 1 to 100000"],
    ["max-watchers", ["0"], "a whole number from 1 to 1000000"],
    ["max-tasks", ["0"], "a whole number from 1 to 1000000"],
    ["result-ttl", ["0", "0.0001", "week"], "seconds from 0.001 to 999999.999"],
    ["client-ttl", ["0", "100000000"], "seconds from 1 to 99999999.999"],
    ["result-budget", ["0", "1000001"], "a whole number from 1 to 1000000"],
  ];
  const rows = settings.flatMap(([name, values, says]) =>
    values.flatMap((value): Row[] => [
      [
        `"$FIBSERVER" serve -f x --${name}='${value}'`,
        new RegExp(`--${name}[^:]*: it takes ${escaped(says)}`),
        2,
      ],
      [
        `${environmentName(name)}='${value}' "$FIBSERVER" serve -f x`,
        new RegExp(`${environmentName(name)}[^:]*: it takes ${escaped(says)}`),
        2,
      ],
    ]),
  );
  const redis = "it takes a URL such as redis://127.0.0.1:6379";
  const more: Row[] = [
    "http://127.0.0.1",
    "127.0.0.1:6379",
    "redis://",
    "redis://host/name",
    "redis://:p%zz@host",
  ].flatMap((url): Row[] => [
    [`"$FIBSERVER" n --redis ${url}`, new RegExp(`--redis: ${redis}`), 2],
    [`FIBSERVER_REDIS=${url} "$FIBSERVER" n`, new RegExp(`FIBSERVER_REDIS: ${redis}`), 2],
    [`FIBSERVER_REDIS=${url} "$FIBSERVER" cursor set 5`, new RegExp(`FIBSERVER_REDIS: ${redis}`), 2],
    [`FIBSERVER_REDIS_STORE=${url} "$FIBSERVER" worker`, new RegExp(`FIBSERVER_REDIS_STORE: ${redis}`), 2],
  ]);
  await inFolder([
    ...rows,
    ...more,
    ['"$FIBSERVER" -f x n --max-index many', /--max-index: it takes .*\. Try: fibserver help\n/, 2],
    [
      'FIBSERVER_MAX_INDEX=many "$FIBSERVER" -f x n',
      /FIBSERVER_MAX_INDEX: it takes .*\. Try: fibserver help\n/,
      2,
    ],
    ['FIBSERVER_FILE= "$FIBSERVER" n', /an empty file name for FIBSERVER_FILE/, 2],
    ['FIBSERVER_DEBUG=maybe "$FIBSERVER" -f x', /'maybe' for FIBSERVER_DEBUG: it takes 1 or 0/, 2],
    ['FIBSERVER_ONE_CPU=2 "$FIBSERVER" -f x n', /'2' for FIBSERVER_ONE_CPU/, 2],
    [
      'FIBSERVER_FILE=x FIBSERVER_REDIS=redis://h "$FIBSERVER" n',
      /both FIBSERVER_FILE and FIBSERVER_REDIS/,
      2,
    ],
    ['FIBSERVER_REDIS_QUEUE=redis://h "$FIBSERVER" n', /one Redis of two/, 2],
    [
      'FIBSERVER_SERVER=nowhere "$FIBSERVER" task list',
      /for FIBSERVER_SERVER.*Try: fibserver help task list\n/,
      2,
    ],
    ['"$FIBSERVER" -f x -p abc', /'abc' for --port: .*Try: fibserver help serve\n/, 2],
    ['"$FIBSERVER" -f x -p abc n', "--port is for a server, which takes no letters", 2],
    ['"$FIBSERVER" n --server nowhere', /'nowhere' for --server/, 2],
    [
      `"$FIBSERVER" n --server "http://127.0.0.1:1/a b" -f x`,
      /Try: fibserver c --server 'http:\/\/127.0.0.1:1\/a b'\n/,
      2,
    ],
    ['unset HOME; "$FIBSERVER" n', /HOME is no absolute path/, 2],
    ['HOME= "$FIBSERVER" cursor list', /HOME is no absolute path.*\. Try: fibserver help cursor list\n/, 2],
    ['HOME= "$FIBSERVER" cursor inspect', /no absolute path.*\. Try: fibserver help cursor inspect\n/, 2],
    ['HOME=. XDG_STATE_HOME=state "$FIBSERVER" n', /HOME is no absolute path/, 2],
  ]);
  // Hundreds of processes, one after the other.
}, 900_000);

test("a file that cannot be used says why, in which file, and leaves everything as it is", async () => {
  await inFolder(
    [
      ['"$FIBSERVER" -f missing/x n', /its folder does not exist; mkdir -p missing\n/, 74],
      ['"$FIBSERVER" -f "$PWD/missing/x" n', /mkdir -p \/.*\/missing\n/, 74],
      ['"$FIBSERVER" -f "no such/x" n', /mkdir -p 'no such'\n/, 74],
      [`"$FIBSERVER" -f "it's new/x" n`, /mkdir -p 'it'\\''s new'\n/, 74],
      [
        `"$FIBSERVER" -f $'a\\nb\\e[31m/x' n`,
        /Cannot create a\\012b\\033\[31m\/x: .* mkdir -p \$'a\\012b\\033\[31m'\n/,
        74,
      ],
      ['"$FIBSERVER" -f ./-d/x n', /mkdir -p \.\/-d\n/, 74],
      ['"$FIBSERVER" -f plain/x n', /Cannot open plain\/x: ENOTDIR/, 74],
      ['"$FIBSERVER" -f loop/x n', /Cannot use loop\/x/, 65],
      [`"$FIBSERVER" -f $(printf 'x%.0s' {1..300}) n`, /ENAMETOOLONG/, 74],
      ['"$FIBSERVER" -f folder n', /Cannot use folder: it is a folder/, 65],
      ['"$FIBSERVER" -f link n', /it is a symbolic link/, 65],
      ['"$FIBSERVER" -f plain n', /Cannot use plain: it has 5 bytes/, 65],
      ['"$FIBSERVER" -f "bad one" c', /look at it with `fibserver cursor inspect -f 'bad one'`/, 65],
      ['"$FIBSERVER" serve -p 0 -f "bad one"', /look at it with/, 65],
      ['"$FIBSERVER" cursor set 4 -f plain', /Cannot use plain/, 65],
      ['"$FIBSERVER" cursor inspect -f missing', /Cannot read missing: ENOENT/, 74],
      ['"$FIBSERVER" cursor inspect -f folder', /Cannot read folder: it is not a regular file/, 74],
      ...["inspect", "list", "show --cursor bob", "set 5 --cursor bob"].flatMap((command): Row[] => [
        [`"$FIBSERVER" cursor ${command} -f plain/x`, /Cannot find plain\/x: ENOTDIR/, 74],
        [`HOME=/dev/null "$FIBSERVER" cursor ${command}`, /Cannot find \/dev\/null\/.*: ENOTDIR/, 74],
        [`"$FIBSERVER" cursor ${command} -f $(printf 'x%.0s' {1..300})`, /Cannot find x*: ENAMETOOLONG/, 74],
      ]),
      ['"$FIBSERVER" cursor export --go plain new', /Cannot use plain/, 65],
      ['"$FIBSERVER" cursor export --go x missing/new', /its folder does not exist/, 74],
      ['mkdir here; cd here; rmdir ../here; "$FIBSERVER" -f x n', /Cannot create x: ENOENT/, 74],
      [
        'XDG_STATE_HOME=$PWD/plain "$FIBSERVER" n',
        /Cannot make the folder .*\/plain\/fibserver: ENOTDIR.*-f FILE\n/,
        74,
      ],
      [
        'XDG_STATE_HOME=$PWD/plain "$FIBSERVER" -p 0',
        /Cannot make the folder .*\/plain\/fibserver: ENOTDIR/,
        74,
      ],
      ['HOME=/proc "$FIBSERVER" n', /Cannot make the folder \/proc\/\.local\/state\/fibserver/, 74],
      ['ulimit -f 0; "$FIBSERVER" -f new n', /Cannot create new: EFBIG/, 74],
      ['ulimit -n 5; "$FIBSERVER" -f x n', /EMFILE: too many open files/, 74],
      ['"$FIBSERVER" -f x -i <folder', /Cannot go on: EISDIR/, 71],
      ...["fib", "seq"].flatMap((command): Row[] => [
        [`"$FIBSERVER" ${command} 10 -o folder`, /Cannot write folder: EISDIR/, 74],
        [`"$FIBSERVER" ${command} 10 -o folder/`, /Cannot write folder\/: EISDIR/, 74],
        [`"$FIBSERVER" ${command} 10 -o missing/out`, /Cannot write missing\/out: ENOENT/, 74],
        [`"$FIBSERVER" ${command} 10 -o plain/out`, /Cannot write plain\/out: ENOTDIR/, 74],
      ]),
    ],
    "mkdir folder && ln -s x link && ln -s loop loop && echo test >plain && head -c 8192 /dev/zero >'bad one'",
  );
});

withFlock("a file that another process holds is told from one that cannot be used", async () => {
  await inFolder([
    [
      'flock x "$FIBSERVER" -f x --lock-timeout 0.1 n',
      /another process has held it for 100 ms; try again/,
      75,
    ],
    ['flock x "$FIBSERVER" cursor set 5 -f x --lock-timeout 0', /another process has held it/, 75],
    ['flock . "$FIBSERVER" -f new n', /Cannot create new: \. is locked/, 75],
  ]);
});

test("an end of the sequence, or a value that is none of it, exits with 1", async () => {
  await inFolder([
    ['"$FIBSERVER" -f x --max-index 3 n', /the cursor is at index 3; --max-index allows no more/, 1],
    ['"$FIBSERVER" -f x p --cursor bob', /one begins at index 0, the start of the sequence/, 1],
    [
      '"$FIBSERVER" -f x c n --cursor bob',
      /Cannot find cursor bob: there is none; n makes it, fibserver cursor list -f x shows which there are/,
      1,
    ],
    [
      '"$FIBSERVER" cursor show --json --cursor bob -f "$PWD/x"',
      /n makes it, fibserver cursor list -f \/[^ ]+\/x shows which/,
      1,
    ],
    ['"$FIBSERVER" cursor remove -f x', /the default cursor is always there; set it to 0 instead/, 1],
    ['"$FIBSERVER" index 7', /no Fibonacci number: it lies between F\(5\) and F\(6\)/, 1],
    ['"$FIBSERVER" ack 4 3', /Cannot compute A\(4,3\): it cannot be written down/, 1],
    ['"$FIBSERVER" ack 5 5', /Cannot compute A\(5,5\)/, 1],
    ['"$FIBSERVER" seq 10000000000', /the text would be too long/, 1],
    ['"$FIBSERVER" fact 1073741823', /Cannot compute/, 1],
  ]);
});

test("an output that is closed or full is an error of every command that prints", async () => {
  const commands = [
    "help",
    "version",
    "fib 10",
    "fib 1000000",
    "fact 10",
    "ack 1 1",
    "index 8",
    "seq 10",
    "seq 10 --json",
    "cursor inspect -f x",
    "cursor list -f x",
    "cursor show -f x",
    "cursor watch -f x",
    "-f x c",
  ];
  await inFolder([
    ...commands.map((command): Row => [
      `"$FIBSERVER" ${command} >&-`,
      /Cannot write the output: it is closed\n/,
      74,
    ]),
    ...commands.map((command): Row => [
      `"$FIBSERVER" ${command} >/dev/full`,
      /Cannot write the output: ENOSPC/,
      74,
    ]),
    ['"$FIBSERVER" -f x n >&-', /it is closed/, 74],
    ['"$FIBSERVER" cursor set 4 -f x >&-', /it is closed/, 74],
    ['"$FIBSERVER" n --cursor alice -f x >&-', /it is closed/, 74],
    ['"$FIBSERVER" cursor remove --cursor alice -f x >&-', /it is closed/, 74],
  ]);
});

test("a reader that has seen enough ends the moves without a word, and a script can tell", async () => {
  using folder = temporaryFolder();
  const line =
    '"$FIBSERVER" -f x -i | { read first; echo $first; exec <&-; echo closed >&2; }; echo ${PIPESTATUS[1]}';
  const gate = path.join(folder.path, "gate");
  expect(Bun.spawnSync(["mkfifo", gate]).exitCode).toBe(0);
  const child = Bun.spawn(["bash", "-c", `{ echo n; read -r wait <gate; echo n; echo n; } | ${line}`], {
    env: { PATH: process.env["PATH"], FIBSERVER: BINARY },
    cwd: folder.path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const errors = child.stderr.getReader();
  expect(Buffer.from((await errors.read()).value!).toString()).toBe("closed\n");
  fs.writeFileSync(gate, "go\n");
  expect(await child.stdout.text()).toBe("1\n74\n");
  expect((await errors.read()).done).toBe(true);
  // One move was made and not seen, and the last one not made.
  expect((await run(["-f", path.join(folder.path, "x"), "c"])).stdout).toBe("1\n");
});

test("a server or a Redis that is not there exits with 69 and names it", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  const { port } = new URL(server.url);
  await inFolder([
    [`"$FIBSERVER" -f x -p ${port}`, new RegExp(`127.0.0.1:${port}.*choose another with -p`), 69],
    ['"$FIBSERVER" -f x -p 0 --host 192.0.2.1', /Cannot listen on 192\.0\.2\.1/, 69],
    ...["n", "c", "task list"].map((command): Row => [
      `"$FIBSERVER" ${command} --server http://127.0.0.1:1`,
      /Cannot reach http:\/\/127\.0\.0\.1:1\/.*: ECONNREFUSED; start one with fibserver serve, or name it with --server URL\n$/,
      69,
    ]),
    [
      'FIBSERVER_REDIS=redis://:secret@127.0.0.1:1 "$FIBSERVER" n',
      /Redis at redis:\/\/127\.0\.0\.1:1: nothing listens/,
      69,
    ],
    [
      'FIBSERVER_REDIS=redis://:secret@127.0.0.1:1 "$FIBSERVER" -i',
      /Redis at redis:\/\/127\.0\.0\.1:1: nothing listens/,
      69,
    ],
    ['FIBSERVER_REDIS=redis://:secret@127.0.0.1:1 "$FIBSERVER" cursor set 5', /nothing listens/, 69],
    ['"$FIBSERVER" serve -p 0 --redis redis://127.0.0.1:1', /nothing listens/, 69],
    ['"$FIBSERVER" worker --redis redis://127.0.0.1:1', /nothing listens/, 69],
    ['FIBSERVER_FILE=x FIBSERVER_REDIS=redis://127.0.0.1:1 "$FIBSERVER" worker', /nothing listens/, 69],
    [
      'FIBSERVER_REDIS=redis://:secret@127.0.0.1:1 "$FIBSERVER" cursor inspect',
      /the cursor is not in a file, but in Redis at redis:\/\/127\.0\.0\.1:1; fibserver c shows it\. Try: fibserver help cursor inspect\n/,
      2,
    ],
  ]);
  // Of one that does not answer within a second something else is said.
  const line = `"$FIBSERVER" c --redis redis://127.0.0.1:${port}`;
  let told: Result | undefined;
  await until("it answers within a second", async () => {
    told = await runInShell(line, folder.path);
    return !told.stderr.includes("it says nothing: it hangs");
  });
  expect(told).toMatchObject({ exitCode: 69 });
  expect(told!.stderr).toContain("what answers there is no Redis");
  checkManners(line, told!);
});

asRoot("a state folder that may not be made, and a folder that may not be written, are no bugs", async () => {
  await inFolder(
    [
      ['HOME=$PWD/closed $NOBODY "$FIBSERVER" n', /Cannot make the folder .*EACCES.*-f FILE\n/, 74],
      ['HOME=$PWD/closed $NOBODY "$FIBSERVER" -p 0', /Cannot make the folder .*EACCES.*-f FILE\n/, 74],
      ['$NOBODY "$FIBSERVER" -f closed/x n', /EACCES/, 74],
      ['$NOBODY "$FIBSERVER" cursor list -f secret/x', /Cannot find secret\/x: EACCES/, 74],
      ['$NOBODY "$FIBSERVER" cursor inspect -f secret/x', /Cannot find secret\/x: EACCES/, 74],
      ['$NOBODY "$FIBSERVER" c --cursor bob -f secret/x', /Cannot find secret\/x: EACCES/, 74],
      ['$NOBODY "$FIBSERVER" fib 10 -o closed/out', /Cannot write closed\/out: EACCES/, 74],
      ['$NOBODY "$FIBSERVER" fib 10 -o x', /Cannot write x: EACCES/, 74],
    ].map(
      ([line, says, exitCode]) =>
        [String(line).replace("$NOBODY", "setpriv --reuid 65534 --clear-groups"), says, exitCode] as Row,
    ),
    "chmod 755 . && mkdir -m 755 closed && mkdir -m 700 secret",
  );
});

test("with --json an error is a problem document in one line, also when the line cannot be parsed", async () => {
  using folder = temporaryFolder();
  for (const [args, code, exit] of [
    [["-f", "x", "--json", "p"], "sequence_start", 1],
    [["--json", "-f", "missing/x", "n"], "cursor_io", 74],
    [["fib", "abc", "--json"], "bad_argument", 2],
    [["fib", "--json", "--bogus"], "bad_argument", 2],
    [["index", "7", "--json"], "not_fibonacci", 1],
    [["seq", "--json", "8..5"], "bad_argument", 2],
    [["task", "list", "--json", "--server", "http://127.0.0.1:1"], "unreachable", 69],
    [["n", "--server", "http://127.0.0.1:1", "--json"], "unreachable", 69],
    [["--json"], "bad_argument", 2],
    [["cursor", "inspect", "--json", "-f", "missing"], "cursor_io", 74],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(args, { cwd: folder.path });
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: exit });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(stderr)).toEqual({
      type: `urn:fibserver:error:${code}`,
      title: expect.any(String) as string,
      exit,
      detail: expect.stringMatching(/^(Cannot|This is no)/) as string,
      code,
    });
  }
  const { stderr, exitCode } = await run(["-i", "--json", "-f", "x"], { cwd: folder.path, stdin: "p\n" });
  expect(JSON.parse(stderr)).toMatchObject({ code: "sequence_start" });
  expect(exitCode).toBe(0);
  // After -- it is a word like any other.
  expect((await run(["fib", "--", "--json"], { cwd: folder.path })).stderr).toStartWith(
    "fibserver: Cannot use",
  );
});

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
