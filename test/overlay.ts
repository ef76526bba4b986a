/**
 * This machine once more, to install into: its files below a layer of their own in memory, with processes and a network
 * of their own. What is done in it is gone with it.
 * @module
 */
import { collect, requireTool, type Result, temporaryFolder } from "./binary.ts";

const APART = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"];

// `policy-rc.d` of a container would keep every service from starting, and so would a machine in no runlevel;
// to index all manual pages takes 10 s for each package.
const SETUP = `
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root"
mount -t proc proc "$0/root/proc"
mount -t tmpfs tmpfs "$0/root/run"
mount --bind /dev "$0/root/dev"
rm -f "$0/root/usr/sbin/policy-rc.d" "$0/root/sbin/runlevel" "$0/root/var/lib/man-db/auto-update"
printf '#!/bin/sh\\necho N 2\\n' >"$0/root/sbin/runlevel"
chmod 755 "$0/root/sbin/runlevel"
ip link set lo up
exec chroot "$0/root" /bin/bash -c "$1" </dev/null
`;

/** Registers a test that installs into such a machine: root's rights, overlayfs and Debian's dpkg. */
export const withOverlay = requireTool(
  [...APART, "sh", "-c", "mount -t tmpfs t /mnt && dpkg --version && ip link set lo up"],
  "apt-get install dpkg util-linux iproute2, and run the tests as root, with CAP_SYS_ADMIN",
);

/**
 * Runs a script of bash in such a machine; all that it started ends with it.
 */
export async function inOverlay(script: string): Promise<Result> {
  using folder = temporaryFolder();
  const child = Bun.spawn([...APART, "bash", "-c", SETUP, folder.path, script], {
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return await collect(child);
}
