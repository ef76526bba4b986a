/** TLS towards Redis and Sentinel with certificates of clients, and what is said when something about them is wrong. */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { requireTool, run, startServer, temporaryFolder, until } from "./binary.ts";
import { hasRedis, runHeard, startRedis, withRedis } from "./redis.ts";
import { startSentinel } from "./sentinel.ts";
import { startWorker } from "./executor.ts";

setDefaultTimeout(300_000);

const withTls = hasRedis ? requireTool(["openssl", "version"], "apt-get install openssl") : withRedis;

/** An authority, a server's and a client's certificate, as `NAME.crt` and `NAME.key` in the folder. */
async function makeCertificates(folder: string): Promise<void> {
  const quiet = (line: string) => Bun.$`cd ${folder} && sh -ec ${line}`.quiet();
  await quiet(
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=authority",
  );
  await quiet(
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout stranger.key -out stranger.crt -days 2 -subj /CN=stranger",
  );
  for (const name of ["server", "client"]) {
    const subject = `-subj /CN=${name} -addext subjectAltName=IP:127.0.0.1`;
    await quiet(`openssl req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr ${subject}`);
    await quiet(
      `openssl x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out ${name}.crt -days 2 -copy_extensions copy`,
    );
  }
}

/** A Redis that wants to see a certificate, and the flags that show it one. */
async function startStrict(folder: string, settings: readonly string[] = []) {
  await makeCertificates(folder);
  const [ca, cert, key] = ["ca.crt", "client.crt", "client.key"].map((name) => path.join(folder, name));
  const at = (name: string) => path.join(folder, name);
  const files = {
    "tls-cert-file": at("server.crt"),
    "tls-key-file": at("server.key"),
    "tls-ca-cert-file": at("ca.crt"),
    "tls-auth-clients": "yes",
  };
  const args = Object.entries(files).flatMap(([name, value]) => [`--${name}`, value]);
  const redis = await startRedis(["--port", "0", ...args, ...settings], "tls");
  const flags = ["--redis-tls-ca", ca!, "--redis-tls-cert", cert!, "--redis-tls-key", key!];
  return { redis, flags, files, at };
}

withTls(
  "--redis-tls-cert shows a certificate to a Redis that wants one, from fronts, executors and letters",
  async () => {
    using folder = temporaryFolder();
    const { redis, flags, at } = await startStrict(folder.path);
    await using _redis = redis;
    await using server = await startServer(["--redis", redis.url, ...flags]);
    await using _worker = await startWorker(redis.url, {}, flags);
    const body = JSON.stringify({ kind: "fibonacci", n: "5000000" });
    const headers = { "content-type": "application/json" };
    const accepted = await fetch(`${server.url}/v1/tasks`, { method: "POST", headers, body });
    const { id } = (await accepted.json()) as { id: string };
    await until("the task is ready", async () => {
      return (await (await fetch(`${server.url}/v1/tasks/${id}`)).text()).includes('"state":"ready"');
    });
    expect(await runHeard(["n", "--redis", redis.url, ...flags])).toEqual({
      stdout: "1\n",
      stderr: "",
      exitCode: 0,
    });
    // Without it, and without the authority.
    for (const [given, said] of [
      [flags.slice(0, 2), "it wants a certificate: give --redis-tls-cert FILE and --redis-tls-key FILE"],
      [
        flags.slice(2),
        "its certificate is refused: self signed certificate in certificate chain; name its authority",
      ],
      [
        [...flags.slice(0, 2), "--redis-tls-cert", at("stranger.crt"), "--redis-tls-key", at("stranger.key")],
        "it does not know the authority of the certificate in --redis-tls-cert",
      ],
    ] as const) {
      const { stderr, exitCode } = await runHeard(["n", "--redis", redis.url, ...given]);
      expect(stderr).toContain(said);
      expect(exitCode).toBe(69);
    }
  },
);

withTls("files of TLS that cannot be used are named, with what is wrong", async () => {
  using folder = temporaryFolder();
  await makeCertificates(folder.path);
  const at = (name: string) => path.join(folder.path, name);
  fs.writeFileSync(at("text"), "no certificate");
  const url = "rediss://127.0.0.1:1";
  for (const [flags, said] of [
    [
      ["--redis-tls-cert", at("client.crt")],
      "Cannot use --redis-tls-cert without its key: --redis-tls-key is missing",
    ],
    [
      ["--redis-tls-key", at("client.key")],
      "Cannot use --redis-tls-key without its certificate: --redis-tls-cert is missing",
    ],
    [["--redis-tls-ca", at("gone")], `Cannot use ${at("gone")} for --redis-tls-ca: there is no such file`],
    [["--redis-tls-ca", "/dev/zero"], "Cannot use /dev/zero for --redis-tls-ca: it is no file"],
    [
      ["--redis-tls-ca", at("text")],
      `Cannot use ${at("text")} for --redis-tls-ca: it is no certificate in PEM`,
    ],
    [
      ["--redis-tls-cert", at("client.crt"), "--redis-tls-key", at("client.crt")],
      `Cannot use ${at("client.crt")} for --redis-tls-key: it is no private key`,
    ],
    [
      ["--redis-tls-cert", at("client.crt"), "--redis-tls-key", at("server.key")],
      `Cannot use ${at("server.key")} for --redis-tls-key: it is the key of another certificate`,
    ],
  ] as const) {
    for (const command of [["n"], ["serve", "-p", "0"], ["worker"]]) {
      const { stdout, stderr, exitCode } = await run([...command, "--redis", url, ...flags]);
      expect({ said, stdout, stderr, exitCode }).toMatchObject({ stdout: "", exitCode: 2 });
      expect(stderr).toContain(said);
    }
  }
  for (const [name, file, said] of [
    ["CERT", "client.crt", "FIBSERVER_REDIS_TLS_CERT without its key: FIBSERVER_REDIS_TLS_KEY is missing"],
    ["CA", "gone", `${at("gone")} for FIBSERVER_REDIS_TLS_CA: there is no such file`],
  ] as const) {
    const env = { FIBSERVER_REDIS: url, [`FIBSERVER_REDIS_TLS_${name}`]: at(file) };
    const { stderr, exitCode } = await run(["n"], { env });
    expect({ stderr, exitCode }).toEqual({
      stderr: expect.stringContaining(`Cannot use ${said}`) as string,
      exitCode: 2,
    });
  }
});

withTls(
  "rediss+sentinel:// speaks TLS to both, each with its password, a prefix and --redis-wait",
  async () => {
    using folder = temporaryFolder();
    const { redis, flags, files, at } = await startStrict(folder.path, ["--requirepass", "p@ss"]);
    await using _redis = redis;
    const lines = Object.entries({ ...files, "tls-replication": "yes" }).map((each) => each.join(" "));
    const access = ["--tls", "--cacert", at("ca.crt"), "--cert", at("client.crt"), "--key", at("client.key")];
    const secrets = ["requirepass watch:man", "sentinel auth-pass fib p@ss"];
    await using sentinel = await startSentinel(redis.port, 1, [...lines, ...secrets], access);
    const url = `rediss+sentinel://:p%40ss@127.0.0.1:1,127.0.0.1:${sentinel.port}/fib/3`;
    const sharing = ["--redis", url, "--redis-prefix", "team:fib", ...flags];
    const env = { FIBSERVER_SENTINEL_AUTH: ":watch:man" };
    await using server = await startServer(sharing, { env });
    await using _worker = await startWorker(url, { env }, sharing.slice(2));
    expect((await fetch(`${server.url}/v1/cursor/next`, { method: "POST" })).status).toBe(200);
    expect(await runHeard(["n", ...sharing], { env })).toEqual({ stdout: "1\n", stderr: "", exitCode: 0 });
    const unreplicated = await runHeard(["n", ...sharing, "--redis-wait", "1"], { env });
    expect(unreplicated).toMatchObject({ stdout: "", exitCode: 75 });
    expect(unreplicated.stderr).toMatch(
      /0 of 1 replicas had it after 1000 ms: the move may have been made or not; c in its place shows where the cursor is\n$/,
    );
    expect((await runHeard(["c", ...sharing], { env })).stdout).toBe("2\n");
    for (const [auth, said] of [
      ["", "NOAUTH"],
      ["wrong", "WRONGPASS"],
    ] as const) {
      const { stderr, exitCode } = await runHeard(["n", ...sharing], {
        env: { FIBSERVER_SENTINEL_AUTH: auth },
      });
      expect(stderr).toContain(said);
      expect(stderr).toContain("FIBSERVER_SENTINEL_AUTH");
      expect(exitCode).toBe(69);
    }
    const wrong = await runHeard(["n", "--redis", url.replace("p%40ss", "secret"), ...flags], { env });
    expect(wrong.stderr).toContain("the user name or the password in the URL is wrong");
    const unknown = await runHeard(["n", "--redis", url.replace("/fib/", "/other/"), ...flags], { env });
    expect(unknown.stderr).toContain(
      "its Sentinels know no primary called other; SENTINEL MASTERS lists those they know",
    );
    const plain = await runHeard(["n", "--redis", url.replace("rediss+", "redis+")], { env });
    expect(plain).toMatchObject({ exitCode: 69 });
    expect(plain.stderr).toContain("try rediss+sentinel://");
    const alone = await runHeard(["n", "--redis", redis.url.replace("rediss:", "redis:")]);
    expect(alone).toMatchObject({ exitCode: 69 });
    expect(alone.stderr).toContain("try rediss://");
    for (const { stderr } of [wrong, unknown, unreplicated])
      expect(stderr).not.toMatch(/p%40ss|p@ss|secret|watch/);
  },
);
