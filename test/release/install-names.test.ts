/** install.sh where names are odd or taken, and where files and addresses lead elsewhere. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { requireTool, temporaryFolder } from "../binary.ts";
import { PLATFORM, VERSION } from "./artefacts.ts";
import { filesIn, runHere, SCRIPT, serveFolder, smallRelease, toolFolder, TOOLS } from "./install-setup.ts";

setDefaultTimeout(300_000);

const ARCHIVE = `fibserver-${VERSION}-${PLATFORM}.tar.gz`;

const withBash = requireTool(["bash", "-c", "true"], "apt-get install bash");

withBash("whatever the prefix is called, it is used, and the line for the PATH can be pasted", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  for (const name of [
    "a b",
    "$(touch ran)",
    "`touch ran`",
    'a"b',
    "it's '",
    String.raw`back\to\the`,
    "$HOME!x",
    "-p",
  ]) {
    const prefix = path.join(folder.path, "prefixes", name);
    const installed = await runHere(["sh", SCRIPT, "--prefix", prefix, folder.path], {});
    expect({ name, ...installed, stdout: "" }).toEqual({ name, stdout: "", stderr: "", exitCode: 0 });
    const program = path.join(prefix, "bin/fibserver");
    expect(installed.stdout).toStartWith(`fibserver ${VERSION} is installed: ${program}\n`);
    const line = installed.stdout.split("\n").find((each) => each.startsWith("  export"))!;
    for (const shell of ["sh", "bash"]) {
      const pasted = Bun.spawnSync([shell, "-c", `${line}\ncommand -v fibserver; printf '%s\\n' "$PATH"`], {
        cwd: folder.path,
        env: { PATH: process.env["PATH"] },
      });
      expect(pasted.stdout.toString()).toBe(`${program}\n${path.dirname(program)}:${process.env["PATH"]}\n`);
    }
  }
  expect(filesIn(folder.path)).not.toContain("ran");
  const colon = await runHere(["sh", SCRIPT, "--prefix", path.join(folder.path, "a:b"), folder.path], {});
  expect(colon.stdout).toContain("cannot be on the PATH, since there is a colon in its name");
});

test("the PATH leads to the program, however the folder is written in it", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const home = path.join(folder.path, "home");
  fs.mkdirSync(home);
  fs.symlinkSync("home", path.join(folder.path, "link"));
  const bin = `${home}/.local/bin`;
  for (const [HOME, written] of [
    [home, `${bin}/`],
    [`${home}/`, bin],
    [home, `${folder.path}/home/../home/.local//bin`],
    [home, `${folder.path}/link/.local/bin`],
    [`${folder.path}/link`, bin],
  ] as const) {
    const PATH = `${folder.path}/none:${written}:${process.env["PATH"]}`;
    const installed = await runHere(["sh", SCRIPT, folder.path], { HOME, PATH });
    expect({ written, ...installed }).toEqual({
      written,
      stdout: `fibserver ${VERSION} is installed: ${HOME.replace(/\/$/, "")}/.local/bin/fibserver\n`,
      stderr: "",
      exitCode: 0,
    });
  }
});

test("a folder where a file must be is named, and nothing is changed", async () => {
  using folder = temporaryFolder();
  const prefix = path.join(folder.path, "prefix");
  const install = () => runHere(["sh", SCRIPT, "--prefix", prefix, folder.path], {});
  await smallRelease(folder.path, { version: VERSION, program: `echo '${VERSION} (older)'` });
  expect((await install()).exitCode).toBe(0);
  const files = filesIn(prefix);
  await smallRelease(folder.path, { version: VERSION });
  for (const file of files) {
    const taken = path.join(prefix, file);
    fs.renameSync(taken, `${folder.path}/aside`);
    fs.mkdirSync(taken);
    const refused = await install();
    expect(refused).toEqual({
      stdout: "",
      stderr: `install.sh: the folder ${taken} is in the way: a file must be there. Nothing was changed\n`,
      exitCode: 1,
    });
    fs.rmdirSync(taken);
    fs.renameSync(`${folder.path}/aside`, taken);
    expect(filesIn(prefix)).toEqual(files);
    expect(fs.readFileSync(path.join(prefix, "bin/fibserver"), "utf8")).toContain("older");
  }
  fs.rmSync(prefix, { recursive: true });
  fs.mkdirSync(prefix);
  fs.symlinkSync("nowhere", path.join(prefix, "bin"));
  expect((await install()).stderr).toBe(`install.sh: ${prefix}/bin is in the way: a folder must be there\n`);
});

test("sums are taken as other tools write them", async () => {
  using folder = temporaryFolder();
  await smallRelease(folder.path, { version: VERSION });
  const sums = path.join(folder.path, "SHA256SUMS");
  const [sum] = fs.readFileSync(sums, "utf8").split(" ");
  for (const text of [
    `${sum}  ${ARCHIVE}\r\n`,
    `${sum} *${ARCHIVE}\n`,
    `${sum}  ${ARCHIVE}`,
    `${sum!.toUpperCase()} *${ARCHIVE}\r\n`,
  ]) {
    fs.writeFileSync(sums, text);
    const prefix = path.join(folder.path, "prefix");
    const installed = await runHere(["sh", SCRIPT, "--prefix", prefix, folder.path], {});
    expect({ text, ...installed, stdout: "" }).toEqual({ text, stdout: "", stderr: "", exitCode: 0 });
  }
});

for (const tool of ["curl", "wget"]) {
  const withTools = requireTool(
    ["sh", "-c", `command -v ${tool} && command -v openssl`],
    `apt-get install ${tool} openssl`,
  );

  withTools(`${tool} is not led from https: to http:, but to https:`, async () => {
    using folder = temporaryFolder();
    await smallRelease(folder.path, { version: VERSION });
    await using plain = await serveFolder(folder.path);
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder.path, name));
    await Bun.$`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`.quiet();
    const server = https.createServer(
      { key: fs.readFileSync(key!), cert: fs.readFileSync(cert!) },
      (incoming, answer) => {
        const [, where, name] = /^\/(\w+)\/(.*)$/.exec(incoming.url!)!;
        if (where === "there") answer.end(fs.readFileSync(path.join(folder.path, name!)));
        else
          answer
            .writeHead(302, { location: where === "plain" ? `${plain.url}/${name}` : `/there/${name}` })
            .end();
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    fs.writeFileSync(path.join(folder.path, ".wgetrc"), `ca_certificate = ${cert}\n`);
    const PATH = toolFolder(folder.path, [...TOOLS, "sha256sum", tool]);
    const prefix = path.join(folder.path, "prefix");
    const install = (from: string) =>
      runHere(["sh", SCRIPT, "--prefix", prefix, from], { PATH, HOME: folder.path, CURL_CA_BUNDLE: cert! });
    try {
      const refused = await install(`${url}/plain`);
      expect({ ...refused, stderr: "", files: filesIn(prefix) }).toEqual({
        stdout: "",
        stderr: "",
        exitCode: 1,
        files: [],
      });
      expect(refused.stderr).toMatch(/Protocol "?http"? |leads from https: to http:/);
      expect(await install(`${url}/secure`)).toMatchObject({ stderr: "", exitCode: 0 });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}
