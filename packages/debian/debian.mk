# The packages for Debian and Raspberry Pi OS, by dpkg-deb alone: what debhelper would write is in packages/debian.
# Before a release Debian wants a tilde: 0.2.0~rc.1 is older than 0.2.0.
DEB_VERSION := $(subst -,~,$(VERSION))
# Who releases it says who they are.
DEB_MAINTAINER ?= fibserver authors <fibserver@invalid.example>
DEBS := $(foreach arch,amd64 arm64,$(RELEASE)/fibserver_$(DEB_VERSION)_$(arch).deb)
RELEASED += $(DEBS)

$(RELEASE)/fibserver_$(DEB_VERSION)_amd64.deb: dist/fibserver-linux-x64
$(RELEASE)/fibserver_$(DEB_VERSION)_arm64.deb: dist/fibserver-linux-arm64

# zstd, which dpkg reads from 1.21.18 on (Debian 12, Ubuntu 22.04). -z9 takes 5 s for 47 MB; -z19 saves a tenth of that
# and takes 100. More threads would make other bytes.
# Never strip the program: it is its runtime with an appendix, which strip would cut off.
$(DEBS): $(WORDS) $(wildcard packages/debian/* deploy/systemd/* deploy/init/*) CHANGELOG.md Makefile \
		build/release/THIRD-PARTY.txt
	@command -v dpkg-deb >/dev/null || { echo "The Debian packages are made by dpkg-deb (1.21.18 or newer, with zstd): \
	apt-get install dpkg, apk add dpkg, dnf install dpkg" >&2; exit 1; }
	rm -rf build/debian/$(@F); mkdir -p $(RELEASE) build/debian/$(@F)/DEBIAN
	$(call install-tree,$(filter dist/fibserver-linux-%,$^),build/debian/$(@F)/usr)
	packages/debian/fill.sh build/debian/$(@F) $(DEB_VERSION) $(@:$(RELEASE)/fibserver_$(DEB_VERSION)_%.deb=%) \
		'$(DEB_MAINTAINER)'
	dpkg-deb --root-owner-group --threads-max=1 -Zzstd -z9 --build build/debian/$(@F) $@ >/dev/null
	rm -rf build/debian/$(@F)
