/**
 * The units for systemd are ones that systemd understands, hardened, and start what the program takes.
 * Method: `systemd-analyze verify`, which says what it does not know, and the lines of ExecStart= without systemd.
 */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { BINARY, requireTool, run, startProgram, temporaryFolder } from "../binary.ts";
import { startRedis } from "../redis.ts";

const FOLDER = path.resolve(import.meta.dir, "../../deploy/systemd");
const PROGRAM = "/usr/local/bin/fibserver";
const UNITS = ["fibserver", "fibserver-worker"] as const;

const withSystemd = requireTool(["systemd-analyze", "--version"], "apt-get install systemd");

for (const name of UNITS) {
  withSystemd(`${name}.service is understood by systemd, and hardened`, async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, `${name}.service`);
    const analyze = async (unit: string, ...command: string[]) => {
      // Another path than /usr/local: the program must be there.
      fs.writeFileSync(file, unit.replaceAll(PROGRAM, BINARY));
      const { stdout, stderr } = await Bun.$`systemd-analyze ${command} ${file}`.quiet().nothrow();
      return `${stdout.toString()}${stderr.toString()}`;
    };
    const unit = readUnit(name);
    expect(await analyze(unit, "verify", "--man=no")).toBe("");
    expect(await analyze(unit.replace("WatchdogSec", "WatchdgSec"), "verify", "--man=no")).toContain(
      "Unknown key",
    );
    // With a user that is made by hand, as the Debian package has it, as without one.
    for (const suited of [unit, unit.replace("DynamicUser=yes", "User=fibserver")]) {
      const told = await analyze(suited, "security", "--offline=true");
      const exposure = /exposure level for \S+: ([\d.]+)/.exec(told)?.[1];
      expect(Number(exposure)).toBeLessThanOrEqual(1.5);
    }
    // What systemd's own figure does not tell.
    for (const line of [
      "Type=notify",
      "WatchdogSec=30",
      "Restart=on-failure",
      "UMask=0077",
      "KeyringMode=private",
    ])
      expect(unit).toContain(`\n${line}\n`);
    // The server's own limit is 10 s.
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(10);
    expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|LimitAS)=/m);
    // A secret in the environment's file is not in the arguments, which ps shows.
    expect(unit).toContain("\nEnvironmentFile=-/etc/default/fibserver\n");
  });
}

test("the server's state is its own, and nobody else's to read", () => {
  expect(readUnit("fibserver")).toContain("\nStateDirectory=fibserver\nStateDirectoryMode=0700\n");
});

for (const name of UNITS) {
  test(`${name}.service is started again for as long as its Redis is away or its port taken`, async () => {
    const unit = readUnit(name);
    const setting = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];
    // Of [Unit]; in [Service] systemd ignores it. Its default is five starts in 10 s.
    expect(unit.slice(0, unit.indexOf("\n[Service]\n"))).toContain("\nStartLimitIntervalSec=0\n");
    expect(setting("Restart")).toBe("on-failure");
    const hopeless = setting("RestartPreventExitStatus")!.split(" ").map(Number);
    using folder = temporaryFolder();
    const fileEnv = (file: string) => ({ FIBSERVER_FILE: path.join(folder.path, file) });
    await using taken = await startProgram(["serve", "-p", "0"], /"url":"(http:[^"]*)\/"/, {
      env: fileEnv("one"),
    });
    const env = {
      fibserver: { ...fileEnv("two"), FIBSERVER_PORT: new URL(taken.said).port },
      "fibserver-worker": { FIBSERVER_REDIS: "redis://127.0.0.1:1" },
    }[name];
    const { exitCode } = await run(wordsOf(unit), { env });
    expect(exitCode).toBeGreaterThan(0);
    expect(hopeless).not.toContain(exitCode);
    expect(hopeless).toContain((await run([...wordsOf(unit), "--no-such-flag"])).exitCode);
  });
}

withSystemd("what fibserver.service starts serves, and keeps the cursor where the unit says", async () => {
  using folder = temporaryFolder();
  fs.mkdirSync(path.join(folder.path, "fibserver"));
  const unit = readUnit("fibserver");
  const [, name, value] = /^Environment=(\w+)=(.*)$/m.exec(unit)!;
  const file = value!.replace("%S", folder.path);
  await using server = await startProgram(wordsOf(unit), /"url":"(http:[^"]*)\/"/, {
    env: { [name!]: file, FIBSERVER_PORT: "0" },
  });
  expect((await fetch(`${server.said}/readyz`)).status).toBe(200);
  expect(fs.existsSync(file)).toBe(true);
});

withSystemd(
  "what fibserver-worker.service starts needs a Redis, and takes it from the environment",
  async () => {
    const args = wordsOf(readUnit("fibserver-worker"));
    const without = await run(args);
    expect(without.exitCode).toBe(2);
    expect(without.stderr).toContain("--redis");
    await using redis = await startRedis();
    await using worker = await startProgram(args, /(Computing for)/, { env: { FIBSERVER_REDIS: redis.url } });
    worker.kill("SIGTERM");
    expect(await worker.ended()).toBe(0);
  },
);

/** The words after the program in ExecStart=. */
function wordsOf(unit: string): string[] {
  const [program, ...args] = /^ExecStart=(.*)$/m.exec(unit)![1]!.split(" ");
  expect(program).toBe(PROGRAM);
  return args;
}

function readUnit(name: string): string {
  return fs.readFileSync(path.join(FOLDER, `${name}.service`), "utf8");
}
