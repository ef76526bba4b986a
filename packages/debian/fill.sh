#!/bin/sh
# Makes of a folder, in whose usr/ the program is installed, that of a Debian package: fill.sh FOLDER VERSION ARCH
# MAINTAINER. Run from the root of the sources, with SOURCE_DATE_EPOCH. The same input makes the same files.
set -eu
umask 022
folder=$1 version=$2 architecture=$3 maintainer=$4
here=packages/debian

# put MODE FROM TO
put() {
	install -D -m "$1" "$2" "$folder/$3"
}

# The files for deployment by hand, as they are for /usr/bin and the user that postinst makes.
suited() {
	sed -e 's|/usr/local/bin/fibserver|/usr/bin/fibserver|' -e 's|^DynamicUser=yes|User=fibserver|' \
		-e '/^# .* the program.s path in ExecStart=/s|the program.s path in ExecStart=|nothing, in the package|' \
		-e 's|What to change: PROGRAM below, and nothing else|What to change: nothing, in the package|' \
		"$1" >"$folder/suited"
	put "$2" "$folder/suited" "$3"
	rm "$folder/suited"
}

for unit in fibserver fibserver-worker; do
	suited "deploy/systemd/$unit.service" 644 "lib/systemd/system/$unit.service"
done
suited deploy/init/fibserver 755 etc/init.d/fibserver
# Settings may be passwords.
put 640 $here/default etc/default/fibserver
put 644 $here/logrotate etc/logrotate.d/fibserver
put 644 $here/overrides usr/share/lintian/overrides/fibserver

# Where Debian's zsh looks for what packages bring.
mkdir -p "$folder/usr/share/zsh/vendor-completions"
mv "$folder/usr/share/zsh/site-functions/_fibserver" "$folder/usr/share/zsh/vendor-completions/"
rmdir "$folder/usr/share/zsh/site-functions"

doc=usr/share/doc/fibserver
put 644 $here/copyright "$doc/copyright"
printf 'fibserver (%s) unstable; urgency=medium\n\n  * What has changed for users: CHANGELOG.md.gz, beside this file.\n\n -- %s  %s\n' \
	"$version" "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$folder/$doc/changelog"
put 644 CHANGELOG.md "$doc/CHANGELOG.md"
put 644 build/release/THIRD-PARTY.txt "$doc/THIRD-PARTY.txt"
gzip -9n "$folder/$doc/changelog" "$folder/$doc/CHANGELOG.md" "$folder/$doc/THIRD-PARTY.txt" \
	 "$folder/usr/share/man/man1/fibserver.1"

for script in preinst postinst prerm postrm; do
	[ ! -e $here/$script ] || put 755 $here/$script DEBIAN/$script
done
(cd "$folder" && find etc -type f | LC_ALL=C sort | sed 's|^|/|') >"$folder/DEBIAN/conffiles"
(cd "$folder" && find usr lib -type f | LC_ALL=C sort | xargs md5sum) >"$folder/DEBIAN/md5sums"
# As dpkg-gencontrol counts: each file in whole KiB, and one for each folder.
kib=$(cd "$folder" && find . -path ./DEBIAN -prune -o -type f -printf '%s\n' -o -printf '0\n' |
	awk '{ sum += $1 ? int(($1 + 1023) / 1024) : 1 } END { print sum }')
sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$architecture|" -e "s|@MAINTAINER@|$maintainer|" \
	-e "s|@KIB@|$kib|" $here/control >"$folder/DEBIAN/control"

# Whatever the umask and the clock were; dpkg-deb only holds down times that are later.
find "$folder" -type d -exec chmod 755 {} +
chmod 644 "$folder"/DEBIAN/control "$folder"/DEBIAN/conffiles "$folder"/DEBIAN/md5sums
find "$folder" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
