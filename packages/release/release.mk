# What is released, in dist/release/: archives, packages for Debian and npm, the list of parts, the script that installs.
# The same sources make the same bytes, in whatever folder: times are those of the commit.
VERSION := $(shell sed -n 's/.*"version": "\([^"]*\)".*/\1/p' package.json)
RELEASE := dist/release
# Without git it is to be given, and COMMIT with it.
export SOURCE_DATE_EPOCH ?= $(or $(shell GIT_CEILING_DIRECTORIES="$(abspath ..)" git log -1 --format=%ct 2>/dev/null))

# Where a release will be found: install.sh fetches from there, unless it is told otherwise.
RELEASE_URL ?=

.PHONY: release
release: $(RELEASE)/SHA256SUMS ## Make dist/release: archives, Debian and npm packages, SBOM, install.sh

# RELEASED is what all who make something for a release add to.
RELEASED := $(TARGETS:%=$(RELEASE)/fibserver-$(VERSION)-%.tar.gz) $(RELEASE)/fibserver-$(VERSION).cdx.json $(RELEASE)/install.sh
.SECONDEXPANSION:
$(RELEASE)/SHA256SUMS: $$(RELEASED)
	cd $(RELEASE) && LC_ALL=C sha256sum $(sort $(patsubst $(RELEASE)/%,%,$(RELEASED))) >SHA256SUMS

# One folder each. Modes do not follow the umask of who makes it, nor the order that of the disk.
ARCHIVE := tar --create --format=ustar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner \
	--mode=u=rwX,go=rX
$(RELEASE)/fibserver-$(VERSION)-%.tar.gz: dist/fibserver-% $(WORDS) LICENSE CHANGELOG.md build/release/THIRD-PARTY.txt \
		build/release/time
	rm -rf build/release/$*
	$(call install-tree,$<,build/release/$*/fibserver-$(VERSION)-$*)
	install -D -m 644 -t build/release/$*/fibserver-$(VERSION)-$*/share/doc/fibserver LICENSE CHANGELOG.md build/release/THIRD-PARTY.txt
	mkdir -p $(RELEASE)
	$(ARCHIVE) --directory=build/release/$* fibserver-$(VERSION)-$* | gzip -n >$@
	rm -rf build/release/$*

# What of others is in the program is what the bundler takes in, from the entry points of the program and its page.
PARTS := src/main.ts $(WORKERS) src/web/main.tsx
build/release/THIRD-PARTY.txt: $(wildcard packages/release/*) $(SOURCES) $(PAGE) Makefile
	mkdir -p $(@D)
	$(BUN) packages/release/licences.ts $(PARTS) >$@

$(RELEASE)/fibserver-$(VERSION).cdx.json: $(wildcard packages/release/*) $(SOURCES) $(PAGE) Makefile build/release/time
	mkdir -p $(@D)
	$(BUN) packages/release/sbom.ts $(PARTS) >$@

$(RELEASE)/install.sh: packages/release/install.sh package.json build/release/url
	mkdir -p $(@D)
	sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@URL@|$(subst &,\&,$(RELEASE_URL))|g' $< >$@

# Written only when it is another one: then what has it in it is made anew.
build/release/url: VALUE = $(RELEASE_URL)
build/release/time: VALUE = $(SOURCE_DATE_EPOCH)
build/release/url build/release/time: always
	@[ -n "$(SOURCE_DATE_EPOCH)" ] || { echo "No git tells when these sources are from: make release \
	SOURCE_DATE_EPOCH=\$$(date +%s) COMMIT=NAME" >&2; exit 1; }
	@mkdir -p $(@D); echo "$(VALUE)" | cmp -s - $@ || echo "$(VALUE)" >$@

.PHONY: test-release
test-release: build release dist ## Test what is released and deployed: installed, upgraded, removed, behind proxies, on arm64
	$(TEST) $(RELEASE_TESTS)

.PHONY: test-arm64
test-arm64: build dist/fibserver-linux-arm64 ## Test the program for arm64 under qemu; a part of test-release
	$(TEST) test/release/arm64.test.ts
