/**
 * The unit for systemd is one that systemd understands, and starts what the program takes.
 * Method: `systemd-analyze verify`, which says what it does not know, and the line of ExecStart= without systemd.
 */
import { expect } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { BINARY, requireTool, startProgram, temporaryFolder } from "./binary.ts";

const UNIT = path.resolve(import.meta.dir, "../deploy/systemd/fibserver.service");
const PROGRAM = "/usr/local/bin/fibserver";

const withSystemd = requireTool(["systemd-analyze", "--version"], "apt-get install systemd");

withSystemd("fibserver.service is understood by systemd, and hardened", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "fibserver.service");
  const analyze = async (unit: string, ...command: string[]) => {
    // Another path than /usr/local: the program must be there.
    fs.writeFileSync(file, unit.replace(PROGRAM, BINARY));
    const { stdout, stderr } = await Bun.$`systemd-analyze ${command} ${file}`.quiet().nothrow();
    return `${stdout.toString()}${stderr.toString()}`;
  };
  const unit = fs.readFileSync(UNIT, "utf8");
  expect(await analyze(unit, "verify", "--man=no")).toBe("");
  expect(await analyze(unit.replace("WatchdogSec", "WatchdgSec"), "verify", "--man=no")).toContain(
    "Unknown key",
  );
  const exposure = /exposure level for fibserver.service: ([\d.]+)/.exec(
    await analyze(unit, "security", "--offline=true"),
  );
  expect(Number(exposure?.[1])).toBeLessThan(2);
  expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|LimitAS)=/m);
});

withSystemd("the line that fibserver.service starts serves", async () => {
  using folder = temporaryFolder();
  fs.mkdirSync(path.join(folder.path, "fibserver"));
  const line = /^ExecStart=(.*)$/m.exec(fs.readFileSync(UNIT, "utf8"))![1]!;
  const [program, ...args] = line.replaceAll("%S", folder.path).replace("--port 8080", "--port 0").split(" ");
  expect(program).toBe(PROGRAM);
  await using server = await startProgram(args, /"url":"(http:[^"]*)\/"/);
  expect((await fetch(`${server.said}/readyz`)).status).toBe(200);
});
