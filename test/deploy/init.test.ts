/**
 * The init scripts, run as init runs them.
 * Method: a layer over this machine's files; SysV's by dash and busybox, with Debian's start-stop-daemon, busybox's, and
 * without any.
 */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { BINARY } from "../binary.ts";
import { inOverlay, withOverlay } from "../overlay.ts";

const SCRIPTS = path.resolve(import.meta.dir, "../../deploy/init");

const SETUP = `
set -eu
ends() { wanted=$1; shift; status=0; "$@" >/tmp/told 2>&1 || status=$?
  [ $status = $wanted ] || { echo "$* ended with $status, not $wanted:" >&2; cat /tmp/told >&2; exit 1; }; }
# Whoever waited for it or not: a process that has ended has no exe.
has_ended() { ! readlink "/proc/$1/exe" >/tmp/told; }
cp ${BINARY} /usr/local/bin/fibserver
# Its five seconds are those of a machine that has nothing else to do; here it waits for what comes of a start.
sed 's/\\b50\\b/3000/' ${SCRIPTS}/fibserver >/etc/init.d/fibserver
chmod 755 /etc/init.d/fibserver
[ "$(grep -c '\\b3000\\b' /etc/init.d/fibserver)" = 2 ]
url=http://127.0.0.1:8080
`;

const SEQUENCE = `
ends 2 $sh /etc/init.d/fibserver
ends 1 $sh /etc/init.d/fibserver start
grep -q 'there is no user fibserver' /tmp/told
useradd --system fibserver
ends 3 $sh /etc/init.d/fibserver status
ends 0 $sh /etc/init.d/fibserver stop
ends 0 $sh /etc/init.d/fibserver try-restart
ends 0 $sh /etc/init.d/fibserver start
ends 0 $sh /etc/init.d/fibserver start
ends 0 $sh /etc/init.d/fibserver status
ends 0 fibserver n --server $url
[ "$(stat -c '%a %U' /var/lib/fibserver /var/lib/fibserver/cursor /var/log/fibserver.log)" = "700 fibserver
600 fibserver
600 fibserver" ]
[ "$(stat -c %U /proc/$(cat /run/fibserver.pid))" = fibserver ]
# After the program was replaced it is still the one that is stopped.
old=$(cat /run/fibserver.pid)
cp /usr/local/bin/fibserver /tmp/f; mv /tmp/f /usr/local/bin/fibserver
ends 0 $sh /etc/init.d/fibserver restart
has_ended $old
[ "$(fibserver c --server $url)" = 1 ]
# One that takes its time is waited for.
slow=$(cat /run/fibserver.pid)
kill -STOP $slow
{ sleep 1; kill -CONT $slow; } &
ends 0 $sh /etc/init.d/fibserver stop
has_ended $slow
ends 0 $sh /etc/init.d/fibserver start
killed=$(cat /run/fibserver.pid)
kill -KILL "$killed"
until has_ended $killed; do sleep 0.1; done
ends 1 $sh /etc/init.d/fibserver status
# Another process that has the same number by now is left alone.
sleep infinity & echo $! >/run/fibserver.pid
ends 0 $sh /etc/init.d/fibserver stop
kill -0 $!
# A setting from the file, and one that is wrong.
echo FIBSERVER_PORT=8099 >/etc/default/fibserver
ends 0 $sh /etc/init.d/fibserver force-reload
ends 0 fibserver status --quiet --server http://127.0.0.1:8099
ends 0 $sh /etc/init.d/fibserver stop
[ ! -e /run/fibserver.pid ]
echo FIBSERVER_PORT=none >/etc/default/fibserver
ends 1 $sh /etc/init.d/fibserver start
grep -q FIBSERVER_PORT /tmp/told
[ ! -e /run/fibserver.pid ]
`;

// /lib/lsb would be taken by dash alone; busybox runs its own tools in the place of those of the machine.
for (const [title, prepare] of [
  ["dash, with Debian's start-stop-daemon", "sh=dash"],
  [
    "busybox, with its own start-stop-daemon",
    `mkdir /tmp/b; busybox --install -s /tmp/b; rm /usr/sbin/start-stop-daemon; ln -s "$(command -v busybox)" /usr/sbin/start-stop-daemon; sh="busybox sh"`,
  ],
  [
    "dash, without start-stop-daemon",
    "rm /usr/sbin/start-stop-daemon /sbin/start-stop-daemon 2>/dev/null || true; sh=dash",
  ],
] as const) {
  withOverlay(`the init script starts, stops and tells, in ${title}`, async () => {
    expect(await inOverlay(`${SETUP}${prepare}\n${SEQUENCE}`)).toEqual({
      stdout: "",
      stderr: "",
      exitCode: 0,
    });
  });
}

test("OpenRC starts it again without end, since what it waits for may come later", () => {
  const script = fs.readFileSync(path.join(SCRIPTS, "fibserver.openrc"), "utf8");
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(script)?.[1];
  expect(setting("supervisor")).toBe("supervise-daemon");
  // Unlimited; and a wrong setting, of which OpenRC cannot be told, does not fill the log.
  expect(setting("respawn_max")).toBe("0");
  expect(Number(setting("respawn_delay"))).toBeGreaterThanOrEqual(5);
});
