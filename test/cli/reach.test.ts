/** What a command says of a server that is there and does not answer as one would: another protocol, another token. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { run, spawn, startServer, temporaryFolder, until } from "../binary.ts";
import { makeCertificates, withOpenssl } from "../certificates.ts";
import { openServer } from "../client/server.ts";

setDefaultTimeout(300_000);

const toldOf = async (url: string) => (await run(["status", "--server", url])).stderr;

withOpenssl("whoever takes http for https, or the other way round, is told which to try", async () => {
  using folder = temporaryFolder();
  const at = await makeCertificates(folder.path);
  const files = ["-f", at("cursor"), "--tls-cert", at("good.crt"), "--tls-key", at("good.key")];
  await using secure = await startServer(files);
  await using plain = await openServer();
  expect(await toldOf(secure.url.replace("https:", "http:"))).toContain(
    `; perhaps it speaks https: --server ${secure.url}\n`,
  );
  expect(await toldOf(plain.url.replace("http:", "https:"))).toContain(
    `; perhaps it speaks no https: --server ${plain.url}\n`,
  );
});

test("what is no HTTP at all is told in our words", async () => {
  using other = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n\r\n") },
  });
  expect(await toldOf(`http://127.0.0.1:${other.port}`)).toEndWith(": it does not speak HTTP\n");
});

test("status --watch tells a server that refuses its token from one that is away", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  const allow = (token: string) =>
    fs.writeFileSync(file, `ops read ${Bun.SHA256.hash(token, "hex")}\n`, { mode: 0o600 });
  allow("of-before");
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file]);
  const watching = spawn(["status", "--watch", "--server", server.url], {
    env: { FIBSERVER_TOKEN: "of-before" },
  });
  let told = "";
  const reading = (async () => {
    for await (const chunk of watching.stdout.pipeThrough(new TextDecoderStream())) told += chunk;
  })();
  try {
    await until("it is shown", () => told.includes("Z ready; "));
    allow("of-after");
    server.kill("SIGHUP");
    await until("it is refused", () => /Z refused: .*FIBSERVER_TOKEN is not good there/.test(told));
    // It is away to who has waited for five seconds; whoever refuses a token has answered.
    expect(told).not.toMatch(/Z away: .*FIBSERVER_TOKEN/);
  } finally {
    watching.kill("SIGINT");
  }
  await reading;
});
