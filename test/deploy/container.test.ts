/**
 * The image that deploy/containers/Dockerfile describes, in a root, a network and a process table of its own: what is in
 * it, who runs it, what it may write to, and how its end and its health are told. Docker itself was never run.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { run, until } from "../binary.ts";
import { withBareRoot } from "../bare-root.ts";
import { buildImage, type Image } from "./dockerfile.ts";

setDefaultTimeout(300_000);

const ROOT = path.resolve(import.meta.dir, "../..");
const DOCKERFILE = path.join(ROOT, "deploy/containers/Dockerfile");

/** Makes all of a root read-only but one folder in it, brings up the loopback, and goes on with what follows. */
const CONFINE = `mount --bind "$1" "$1"; mount --bind "$1$2" "$1$2"; mount -o remount,bind,ro "$1"
ip link set lo up; shift 2; exec "$@"`;

/** Runs an image as `docker run --read-only` does. */
function start({ root, env, user, volume, entrypoint, command }: Image) {
  const words = root.command([...entrypoint, ...command], Number(user.split(":")[0]));
  const confined = ["unshare", "--mount", "--net", "sh", "-ec", CONFINE, "sh", root.path, volume, ...words];
  const child = Bun.spawn(confined, { env: { ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const within = ["nsenter", "--target", String(child.pid), "--mount", "--net"];
  return {
    child,
    /** The process that is 1 in there. */
    firstPid: () => Number(fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8")),
    /** Runs another program in the container. */
    exec: (more: readonly string[]) => {
      const ended = Bun.spawnSync([...within, ...root.command(more)], { env: { ...env } });
      const { exitCode } = ended;
      return { stdout: ended.stdout.toString(), stderr: ended.stderr.toString(), exitCode };
    },
  };
}

withBareRoot(
  "the image serves as 65532 from a read-only root, tells its health, and ends by SIGTERM",
  async () => {
    using image = await buildImage(DOCKERFILE, ROOT);
    expect(image).toMatchObject({ user: "65532:65532", port: "8080", stopSignal: "SIGTERM" });
    expect(image.env).toMatchObject({ FIBSERVER_HOST: "0.0.0.0", FIBSERVER_PORT: image.port });
    const at = (name: string) => fs.statSync(image.root.path + name);
    expect(at(image.volume)).toMatchObject({ uid: 65_532, gid: 65_532, mode: 0o40700 });
    expect(at("/usr/bin/fibserver")).toMatchObject({ uid: 0, mode: 0o100755 });
    const { child, exec, firstPid } = start(image);
    const logged = child.stderr.text();
    try {
      await until("the image is healthy", () => exec(image.healthCheck).exitCode === 0);
      const move = ["/usr/bin/fibserver", "n", "--server", `http://127.0.0.1:${image.port}`];
      expect(exec(move)).toEqual({ stdout: "1\n", stderr: "", exitCode: 0 });
      expect(fs.existsSync(`${image.root.path + image.volume}/cursor`)).toBe(true);
      const elsewhere = exec(["/usr/bin/fibserver", "n", "-f", "/tmp/cursor"]);
      expect(elsewhere).toMatchObject({ stdout: "", exitCode: 74 });
      expect(elsewhere.stderr).toMatch(/read-only file system/i);
      process.kill(firstPid(), "SIGSTOP");
      expect(exec(image.healthCheck).exitCode).toBe(1);
      process.kill(firstPid(), "SIGCONT");
      await until("it is healthy again", () => exec(image.healthCheck).exitCode === 0);
      process.kill(firstPid(), image.stopSignal);
      await until("it has ended", () => child.exitCode !== null);
      expect(child.exitCode).toBe(0);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
    const log = await logged;
    expect(log).toContain("Open to the network");
    expect(log).not.toContain('"level":"ERROR"');
    // What it has answered is in the volume, and this machine's program goes on from there.
    expect(await run(["c", "-f", `${image.root.path + image.volume}/cursor`])).toMatchObject({
      stdout: "1\n",
    });
  },
);
