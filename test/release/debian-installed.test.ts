/**
 * What dpkg makes of the Debian package: installed, served by its init script, upgraded, downgraded, removed, purged, and
 * the cursor through all of that.
 * Method: Debian's own dpkg in a layer over this machine's files, with processes and a network of its own.
 */
import { expect, setDefaultTimeout } from "bun:test";
import { inOverlay, withOverlay } from "../overlay.ts";
import { artefact, VERSION } from "./artefacts.ts";

// The package is unpacked a dozen times: 20 s on a machine that has nothing else to do.
setDefaultTimeout(1_800_000);

const DEB = artefact(
  `fibserver_${VERSION.replaceAll("-", "~")}_${process.arch === "x64" ? "amd64" : "arm64"}.deb`,
);

// What each script begins with: `quiet` runs what must print nothing on stderr, `other` makes a package of another version.
const BEGIN = `
set -euo pipefail
is() { [ "$1" = "$2" ] || { echo "line \${BASH_LINENO[0]}: got '$1', not '$2'" >&2; exit 1; }; }
fails() { if "$@" >/tmp/told 2>&1; then echo "line \${BASH_LINENO[0]}: $* did not fail" >&2; exit 1; fi; }
url=http://127.0.0.1:8080
# The init script waits five seconds, and a busy machine takes longer.
serves() { for _ in {1..2000}; do ! fibserver status --quiet || return 0; sleep 0.1; done; }
next() { serves; fibserver n --server $url; }
quiet() { "$@" >/dev/null 2>/tmp/err; grep -v -e 'Reading database' -e '^dpkg: warning: downgrading' -e 'could not determine current runlevel' -e 'policy-rc.d denied' -e '^Created symlink' -e '^Not building database' -e '^Configuration file' -e '^ ==> ' -e '^$' /tmp/err >&2 && return 1 || true; }
state() { stat -c '%a %U' /var/lib/fibserver; }
# other VERSION: the same program under this version; what is in /tmp/change is done to it.
other() {
  [ -d /tmp/other ] || dpkg-deb --raw-extract ${DEB} /tmp/other
  sed -i "s/^Version: .*/Version: $1/" /tmp/other/DEBIAN/control
  [ ! -e /tmp/change ] || (cd /tmp/other && . /tmp/change)
  dpkg-deb --root-owner-group -Znone --build /tmp/other /tmp/fibserver-$1.deb >/dev/null; rm -f /tmp/change
}

`;

async function succeeds(script: string): Promise<void> {
  expect(await inOverlay(`${BEGIN}${script}`)).toEqual({ stdout: "", stderr: "", exitCode: 0 });
}

withOverlay("a package is installed, serves, is upgraded and downgraded, removed and purged", () =>
  succeeds(`
quiet dpkg --install ${DEB}
is "$(state)" "700 fibserver"
is "$(next)" 1
is "$(next)" 1
is "$(next)" 2
server=$(cat /run/fibserver.pid)
is "$(stat -c %U /proc/$server)" fibserver
is "$(man --where fibserver)" /usr/share/man/man1/fibserver.1.gz

# An upgrade keeps a conffile that was changed, and the cursor, and has the new program serve.
echo FIBSERVER_LOG_LEVEL=warning >>/etc/default/fibserver
echo 'echo "# another comment" >>etc/default/fibserver' >/tmp/change
other 99
quiet dpkg --force-confold --install /tmp/fibserver-99.deb
grep -q ^FIBSERVER_LOG_LEVEL=warning /etc/default/fibserver
[ "$(cat /run/fibserver.pid)" != $server ]
is "$(next)" 3

# One that fails leaves the version, and the server running.
server=$(cat /run/fibserver.pid)
printf '#!/bin/sh\\nexit 1\\n' >/tmp/fail
echo 'rm usr/bin/fibserver; install -m 755 /tmp/fail DEBIAN/preinst' >/tmp/change
other 100
fails dpkg --install /tmp/fibserver-100.deb
is "$(dpkg-query --show --showformat '\${db:Status-Abbrev}\${Version}' fibserver)" "ii 99"
is "$(cat /run/fibserver.pid)" $server
is "$(next)" 5

# Who stopped it finds it stopped after a downgrade.
service fibserver stop >/dev/null
quiet dpkg --force-confold --install ${DEB}
fails service fibserver status
service fibserver start >/dev/null
is "$(next)" 8

# Installed again over itself, and configured once more: nothing changes.
quiet dpkg --install ${DEB}
is "$(next)" 13

mkdir -p /root/.local/state/fibserver; HOME=/root fibserver n >/dev/null
quiet dpkg --remove fibserver
[ ! -e /run/fibserver.pid ] && [ ! -e /usr/bin/fibserver ]
is "$(state)" "700 fibserver"
/etc/init.d/fibserver start
quiet dpkg --install ${DEB}
is "$(next)" 21
grep -q ^FIBSERVER_LOG_LEVEL=warning /etc/default/fibserver

quiet dpkg --purge fibserver </dev/null
for gone in /var/lib/fibserver /etc/default/fibserver /etc/init.d/fibserver /etc/logrotate.d/fibserver /var/log/fibserver.log \\
  /run/fibserver.pid /etc/systemd/system/fibserver.service /etc/systemd/system/multi-user.target.wants/fibserver.service; do
  [ ! -e $gone ] && [ ! -L $gone ] || { echo "$gone is left" >&2; exit 1; }
done
fails ls /etc/rc?.d/*fibserver
[ -e /root/.local/state/fibserver/cursor ]
`),
);

withOverlay(
  "policy-rc.d is obeyed, and a port that is taken is no reason for a package to be half installed",
  () =>
    succeeds(`
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
dpkg --install ${DEB} >/dev/null 2>&1
[ ! -e /run/fibserver.pid ]
quiet dpkg --purge fibserver
rm /usr/sbin/policy-rc.d
dpkg --unpack ${DEB} >/dev/null 2>&1
cp /usr/bin/fibserver /tmp/other-server; /tmp/other-server serve -f /tmp/its-cursor 2>/dev/null &
serves
# Not five seconds, as on a machine that has nothing else to do: what comes of the start is waited for.
sed -i 's/\\b50\\b/3000/' /etc/init.d/fibserver.dpkg-new
is "$(grep -c '\\b3000\\b' /etc/init.d/fibserver.dpkg-new)" 2
dpkg --configure fibserver >/tmp/told 2>&1
grep -q 'it is in use' /tmp/told
is "$(dpkg-query --show --showformat '\${db:Status-Abbrev}' fibserver)" "ii "
`),
);

withOverlay("where systemd runs, the server is started, and after an upgrade what ran is started again", () =>
  succeeds(`
# A systemctl that notes what it is asked, and has the real one do what needs no systemd; an executor is not active.
mkdir -p /run/systemd/system /opt/real
mv /bin/systemctl /opt/real/
cat >/bin/systemctl <<'END'
#!/bin/sh
echo "$*" >>/tmp/asked
case "$*" in
*--root=*) exec /opt/real/systemctl "$@" ;;
*is-active*worker*) exit 3 ;;
*is-active*) cat /tmp/state ;;
*is-enabled*) echo enabled ;;
esac
END
chmod 755 /bin/systemctl
echo active >/tmp/state
asked() { grep -v -e is- -e --root= /tmp/asked | sed -E 's/^(-[^ ]+ )+//' | uniq; rm -f /tmp/asked; }
quiet dpkg --install ${DEB}
is "$(readlink /etc/systemd/system/multi-user.target.wants/fibserver.service)" /lib/systemd/system/fibserver.service
[ ! -e /etc/systemd/system/multi-user.target.wants/fibserver-worker.service ]
is "$(asked)" $'daemon-reload\\nstart fibserver.service'
[ ! -e /run/fibserver.pid ]
quiet dpkg --install ${DEB}
is "$(asked)" $'daemon-reload\\nrestart fibserver.service'
# Who stopped it finds it stopped.
echo inactive >/tmp/state
quiet dpkg --install ${DEB}
is "$(asked)" daemon-reload
quiet dpkg --remove fibserver
is "$(asked)" $'stop fibserver.service fibserver-worker.service\\ndaemon-reload'
`),
);
