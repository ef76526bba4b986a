/**
 * A server with a certificate of its own: whom it answers, what it says of bad files, and what a browser does there.
 * Method: the program, certificates that openssl has made, curl, the client, the shell, and a real Chromium.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { output, run, startServer, temporaryFolder, until } from "./binary.ts";
import { makeCertificates, withOpenssl } from "./certificates.ts";
import { withBrowser, withChromium } from "./chromium.ts";
import { connect, requestBytes } from "./wire.ts";

setDefaultTimeout(300_000);

/** A server that serves https, and what makes a client believe it. */
async function startTls(folder: string, pair = "good", more: readonly string[] = []) {
  const at = await makeCertificates(folder);
  const files = ["--tls-cert", at(`${pair}.crt`), "--tls-key", at(`${pair}.key`)];
  const server = await startServer(["-f", at("cursor"), ...files, ...more]);
  return { server, at, files, trust: { NODE_EXTRA_CA_CERTS: at("ca.crt") } };
}

withOpenssl(
  "--tls-cert serves https to curl, the client and the shell, and plain http to nobody",
  async () => {
    using folder = temporaryFolder();
    const { server, at, trust } = await startTls(folder.path, "good", [
      "--per-client",
      "--trust-proxy",
      "127.0.0.1",
    ]);
    await using _server = server;
    expect(server.url).toStartWith("https://127.0.0.1:");
    expect(server.log()).not.toContain('"level":"WARN"');
    const curl = await Bun.$`curl -sSi --cacert ${at("ca.crt")} ${server.url}/api0/next`.text();
    expect(curl).toContain('{"value":"1","status":"200"}');
    expect(curl).toMatch(/^set-cookie: fibserver-client=.*; Secure/im);
    expect(curl).not.toMatch(/^strict-transport-security:/im);
    // A proxy that speaks TLS to us may speak plain http to its client, which would not send a Secure cookie back.
    const plain =
      await Bun.$`curl -sSi --cacert ${at("ca.crt")} -H ${"X-Forwarded-Proto: http"} ${server.url}/api0/next`.text();
    expect(plain).toMatch(/^set-cookie: fibserver-client=/im);
    expect(plain).not.toContain("; Secure");
    expect(await output(["n", "--server", server.url], { env: trust })).toBe("1\n");
    const script = `import { FibClient } from ${JSON.stringify(path.resolve(import.meta.dir, "../src/client/client.ts"))};
    console.log((await new FibClient(${JSON.stringify(server.url)}).cursor.next()).index)`;
    fs.writeFileSync(at("ask.ts"), script);
    expect(await Bun.$`${process.execPath} ${at("ask.ts")}`.env({ ...process.env, ...trust }).text()).toBe(
      "2\n",
    );
    const distrusting = await run(["n", "--server", server.url]);
    expect(distrusting).toMatchObject({ stdout: "", exitCode: 69 });
    expect(distrusting.stderr).toContain("NODE_EXTRA_CA_CERTS=FILE");
    const { socket, ended } = await connect(Number(new URL(server.url).port));
    socket.write(requestBytes("GET /api0/next"));
    expect(await ended).not.toContain("HTTP/1.1");
    expect(await output(["c", "--server", server.url], { env: trust })).toBe("1\n");
    for (const [version, isTaken] of [
      ["-tls1_1", false],
      ["-tls1_2", true],
      ["-tls1_3", true],
    ] as const) {
      const place = new URL(server.url).host;
      const { exitCode } =
        await Bun.$`openssl s_client ${version} -cipher ALL:@SECLEVEL=0 -connect ${place} </dev/null`
          .quiet()
          .nothrow();
      expect({ version, isTaken: exitCode === 0 }).toEqual({ version, isTaken });
    }
  },
);

withOpenssl("--tls-cert sends the whole chain of its file, and takes a mark at its start", async () => {
  using folder = temporaryFolder();
  const at = await makeCertificates(folder.path);
  // As some editors save a file.
  const marked = (name: string) => fs.writeFileSync(at(name), `\uFEFF${fs.readFileSync(at(name), "utf8")}`);
  for (const name of ["chained.crt", "chained.key"]) marked(name);
  const files = ["--tls-cert", at("chained.crt"), "--tls-key", at("chained.key")];
  await using server = await startServer(["-f", at("cursor"), ...files]);
  const trust = { NODE_EXTRA_CA_CERTS: at("ca.crt") };
  expect(await output(["n", "--server", server.url], { env: trust })).toBe("1\n");
});

withOpenssl("--tls-cert and --tls-key say which file is wrong and why, before anything is made", async () => {
  using folder = temporaryFolder();
  const at = await makeCertificates(folder.path);
  fs.writeFileSync(at("empty"), "");
  await Bun.$`mkfifo ${at("pipe")}`;
  fs.symlinkSync("/dev/zero", at("endless"));
  fs.writeFileSync(at("large"), "#".repeat(2 ** 20 + 1));
  fs.writeFileSync(
    at("reversed.crt"),
    fs.readFileSync(at("middle.crt"), "utf8") + fs.readFileSync(at("good.crt"), "utf8"),
  );
  await Bun.$`cd ${folder.path} && openssl pkey -in good.key -aes256 -passout pass:x -out locked.key && openssl ec -in good.key -aes256 -passout pass:x -out locked-of-old.key`.quiet();
  for (const [name, kind] of [
    ["short", "rsa:512"],
    ["curve", "ec -pkeyopt ec_paramgen_curve:secp224r1"],
    ["strange", "ed448"],
  ] as const) {
    const made = `openssl req -x509 -newkey ${kind} -nodes -keyout ${name}.key -out ${name}.crt -subj /CN=x`;
    await Bun.$`cd ${folder.path} && sh -ec ${made}`.quiet();
  }
  const secret = fs.readFileSync(at("good.key"), "utf8").split("\n")[1]!;
  for (const [cert, key, wrong, said] of [
    ["short.crt", "short.key", "short.key", "for --tls-key: its kind of key is none that TLS takes"],
    ["curve.crt", "curve.key", "curve.key", "for --tls-key: its kind of key is none that TLS takes"],
    ["strange.crt", "strange.key", "strange.key", "for --tls-key: its kind of key is none that TLS takes"],
    ["gone", "good.key", "gone", "for --tls-cert: there is no such file"],
    ["good.crt", "gone", "gone", "for --tls-key: there is no such file"],
    [".", "good.key", ".", "for --tls-cert: it is no file"],
    // Whoever waited for these would wait for ever.
    ["pipe", "good.key", "pipe", "for --tls-cert: it is no file"],
    ["good.crt", "pipe", "pipe", "for --tls-key: it is no file"],
    ["endless", "good.key", "endless", "for --tls-cert: it is no file"],
    ["large", "good.key", "large", "for --tls-cert: it is larger than 1048576 bytes"],
    ["empty", "good.key", "empty", "for --tls-cert: it is no certificate in PEM"],
    ["good.key", "good.crt", "good.key", "for --tls-cert: it is no certificate in PEM"],
    ["good.crt", "good.crt", "good.crt", "for --tls-key: it is no private key in PEM"],
    ["good.crt", "locked.key", "locked.key", "for --tls-key: it is encrypted"],
    ["good.crt", "locked-of-old.key", "locked-of-old.key", "for --tls-key: it is encrypted"],
    [
      "good.crt",
      "other.key",
      "other.key",
      `for --tls-key: it is the key of another certificate than ${at("good.crt")}.`,
    ],
    [
      "reversed.crt",
      "good.key",
      "good.key",
      `than ${at("reversed.crt")}, whose first one must be that of the key`,
    ],
    ["expired.crt", "expired.key", "expired.crt", "for --tls-cert: it has expired, on "],
  ] as const) {
    const args = ["-p", "0", "-f", at("cursor"), "--tls-cert", at(cert), "--tls-key", at(key)];
    const { stdout, stderr, exitCode } = await run(args);
    expect({ said, stdout, exitCode }).toEqual({ said, stdout: "", exitCode: 2 });
    expect(stderr).toContain(`Cannot use ${at(wrong)} `);
    expect(stderr).toContain(said);
    expect(stderr).not.toContain(secret);
    expect(fs.existsSync(at("cursor"))).toBe(false);
  }
});

withOpenssl(
  "--tls-cert warns of a certificate that ends soon or begins later, and of a key for all",
  async () => {
    using folder = temporaryFolder();
    const at = await makeCertificates(folder.path);
    fs.chmodSync(at("ending.key"), 0o644);
    for (const [pair, warnings] of [
      [
        "ending",
        [
          /ending.crt\\" expires on \\"\d{4}-\d\d-\d\d\\"; days left: [45]\b/,
          /may read the private key: chmod o-rw .*ending.key/,
        ],
      ],
      ["early", [/early.crt\\" is not valid before /]],
    ] as const) {
      const files = ["--tls-cert", at(`${pair}.crt`), "--tls-key", at(`${pair}.key`)];
      await using server = await startServer(["-f", at("cursor"), ...files]);
      expect(server.log().match(/"level":"WARN"/g)).toHaveLength(warnings.length);
      for (const warning of warnings) expect(server.log()).toMatch(warning);
    }
  },
);

withOpenssl(
  "SIGHUP looks at the certificate again, says how a new one comes into use, and ends nothing",
  async () => {
    using folder = temporaryFolder();
    const { server, at, trust } = await startTls(folder.path);
    await using _server = server;
    const signalled = async (sign: RegExp) => {
      server.kill("SIGHUP");
      await until(`it said ${sign.source}`, () => sign.test(server.log()));
    };
    await signalled(/good.crt\\" is the one in use, valid until/);
    fs.copyFileSync(at("ending.crt"), at("good.crt"));
    await signalled(
      /ERROR.*good.key for --tls-key: it is the key of another certificate.*; the certificate of the start stays in use/,
    );
    fs.copyFileSync(at("ending.key"), at("good.key"));
    await signalled(
      /good.crt\\", valid until .* is not in use yet, and the one in use ends on .*: restart, or hand over .* --reuse-port/,
    );
    await signalled(/good.crt\\" expires on/);
    fs.rmSync(at("good.crt"));
    await Bun.$`mkfifo ${at("good.crt")}`;
    await signalled(
      /ERROR.*good.crt for --tls-cert: it is no file.*; the certificate of the start stays in use/,
    );
    expect(await output(["n", "--server", server.url], { env: trust })).toBe("1\n");
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
  },
);

withOpenssl("SIGHUP knows a new certificate also where its key is the old one", async () => {
  using folder = temporaryFolder();
  const { server, at } = await startTls(folder.path);
  await using _server = server;
  fs.appendFileSync(at("good.crt"), fs.readFileSync(at("middle.crt")));
  server.kill("SIGHUP");
  await until("it said so", () => server.log().includes("is not in use yet"));
});

withOpenssl("SIGHUP ends a server without a certificate as it did", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  server.kill("SIGHUP");
  expect(await server.ended()).toBe(129);
});

withChromium(
  "over https a page moves the cursor; one of another site is told by Sec-Fetch-Site, and does not",
  async () => {
    using folder = temporaryFolder();
    const { server, at, trust } = await startTls(folder.path, "good", ["--allow-host", "fib.test"]);
    await using _server = server;
    const place = `https://fib.test:${new URL(server.url).port}`;
    // Hidden as one over plain http would be: nothing but Sec-Fetch-Site tells it from an address that was typed.
    const foreign = `<meta name="referrer" content="no-referrer"><iframe src="${place}/api0/next"></iframe>`;
    using evil = Bun.serve({
      port: 0,
      tls: { cert: Bun.file(at("other.crt")), key: Bun.file(at("other.key")) },
      fetch: () => new Response(foreign, { headers: { "content-type": "text/html" } }),
    });
    await withBrowser(async (browser) => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      expect((await page.goto(`${place}/api0/next`))?.status()).toBe(200);
      const index = await page.evaluate<unknown>(
        `fetch("/v1/cursor/next", { method: "POST" }).then((response) => response.json()).then(({ index }) => index)`,
      );
      expect(index).toBe("2");
      const refused = page.waitForResponse((response) => response.url() === `${place}/api0/next`);
      await page.goto(`https://evil.test:${evil.port}/`);
      expect((await refused).status()).toBe(403);
      expect(await (await refused).request().headerValue("sec-fetch-site")).toBe("cross-site");
    });
    expect(await output(["c", "--server", server.url], { env: trust })).toBe("1\n");
  },
);
