/**
 * The Debian packages: what is in them. That they are made the same again is in reproducible.test.ts.
 * Method: lintian, dpkg-deb, man, shellcheck.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { requireTool, temporaryFolder } from "../binary.ts";
import { artefact, VERSION } from "./artefacts.ts";

// lintian looks into 119 MB: 20 s on a machine that has nothing else to do.
setDefaultTimeout(1_800_000);

const DEBIAN_VERSION = VERSION.replaceAll("-", "~");
const debOf = (architecture: string) => artefact(`fibserver_${DEBIAN_VERSION}_${architecture}.deb`);
const ROOT = path.resolve(import.meta.dir, "../..");

const withDpkg = requireTool(["dpkg-deb", "--version"], "apt-get install dpkg");
const withLintian = requireTool(["lintian", "--version"], "apt-get install lintian");
const withShellcheck = requireTool(["shellcheck", "--version"], "apt-get install shellcheck");

withLintian("lintian finds nothing that is not explained", async () => {
  const { stdout } = await Bun.$`lintian --pedantic --display-info --allow-root ${debOf("amd64")}`
    .quiet()
    .nothrow();
  expect(stdout.toString()).toBe("");
});

withDpkg("both packages have the same files, all root's, and no newer libc than they ask for", async () => {
  const files = await content("amd64");
  expect(await content("arm64")).toBe(files);
  expect(files).not.toMatch(/^(?!\S+ root\/root )./m);
  for (const file of [
    "-rwxr-xr-x root/root ./usr/bin/fibserver",
    "-rw-r--r-- root/root ./usr/share/man/man1/fibserver.1.gz",
    "-rw-r--r-- root/root ./usr/share/bash-completion/completions/fibserver",
    "-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_fibserver",
    "-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/fibserver.fish",
    "-rw-r--r-- root/root ./lib/systemd/system/fibserver.service",
    "-rw-r--r-- root/root ./lib/systemd/system/fibserver-worker.service",
    "-rwxr-xr-x root/root ./etc/init.d/fibserver",
    "-rw-r----- root/root ./etc/default/fibserver",
  ]) {
    expect(files).toContain(`${file}\n`);
  }
  for (const architecture of ["amd64", "arm64"]) {
    using folder = temporaryFolder();
    await Bun.$`dpkg-deb --raw-extract ${debOf(architecture)} ${folder.path}`.quiet();
    const control = fs.readFileSync(path.join(folder.path, "DEBIAN/control"), "utf8");
    expect(control).toContain(`\nArchitecture: ${architecture}\n`);
    const asked = Number(/libc6 \(>= 2\.(\d+)\)/.exec(control)![1]);
    const program = fs.readFileSync(path.join(folder.path, "usr/bin/fibserver"), "latin1");
    const needed = Array.from(program.matchAll(/\0GLIBC_2\.(\d+)/g), ([, minor]) => Number(minor));
    expect(Math.max(...needed)).toBe(asked);
    // e_machine: which processor it is for.
    expect(program.codePointAt(18)).toBe(architecture === "amd64" ? 62 : 183);
    const unit = fs.readFileSync(path.join(folder.path, "lib/systemd/system/fibserver.service"), "utf8");
    expect(unit).toContain("\nExecStart=/usr/bin/fibserver serve\n");
    expect(unit).toContain("\nUser=fibserver\n");
    expect(unit).not.toMatch(/^DynamicUser|\/usr\/local/m);
    // Each file is the one that its sum is of.
    await Bun.$`md5sum --check --quiet DEBIAN/md5sums`.cwd(folder.path).quiet();
    if (architecture === "amd64") {
      const page = path.join(folder.path, "usr/share/man/man1/fibserver.1.gz");
      expect(await Bun.$`man -l ${page}`.env({ ...process.env, MANPAGER: "cat" }).text()).toContain(
        "fibserver",
      );
      const systemd =
        await Bun.$`SYSTEMD_UNIT_PATH=${folder.path}/lib/systemd/system: systemd-analyze verify --man=no --root=${folder.path} fibserver.service fibserver-worker.service`
          .quiet()
          .nothrow();
      expect(systemd.stderr.toString()).not.toMatch(/fibserver[-.\w]*:\d+/);
    }
  }
});

withShellcheck("the scripts of the package and for init are such that shellcheck finds nothing", async () => {
  const scripts = ["fill.sh", "postinst", "prerm", "postrm"].map((name) => `packages/debian/${name}`);
  await Bun.$`shellcheck ${scripts} deploy/init/fibserver`.cwd(ROOT);
  await Bun.$`shellcheck --shell=sh --exclude=SC2034 deploy/init/fibserver.openrc`.cwd(ROOT);
});

async function content(architecture: string): Promise<string> {
  const told = await Bun.$`dpkg-deb --contents ${debOf(architecture)}`.text();
  // Mode, owner and name; the sizes and the times differ.
  return told.replaceAll(/ +\d+ \d{4}-\S+ \S+/g, "");
}
