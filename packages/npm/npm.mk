# The packages for npm: the program for those who have node, and @fibserver/client.
NPM_PACKAGES := fibserver $(TARGETS:%=fibserver-%)
NPM_TARBALLS := $(NPM_PACKAGES:%=$(RELEASE)/%-$(VERSION).tgz) $(RELEASE)/fibserver-client-$(VERSION).tgz
RELEASED += $(NPM_TARBALLS)

# By Bun and not by npm: it is there in any case and pinned, so that the same sources make the same bytes whatever npm
# there is. Times and owners are fixed by both; modes are set here, since they follow the umask.
# $(call pack-npm,FOLDER)
define pack-npm
find $(1) -type f -exec chmod 644 {} +
[ ! -d $(1)/bin ] || chmod 755 $(1)/bin/*
mkdir -p $(RELEASE)
cd $(1) && $(abspath $(BUN)) pm pack --quiet --ignore-scripts --destination $(abspath $(RELEASE)) >/dev/null
endef

$(RELEASE)/fibserver-$(VERSION).tgz: packages/npm/fibserver packages/npm/README.md packages/npm/manifest.ts packages/npm/npm.mk package.json LICENSE node_modules/.ready
	rm -rf build/npm/fibserver
	install -D packages/npm/fibserver build/npm/fibserver/bin/fibserver
	cp packages/npm/README.md LICENSE build/npm/fibserver
	$(BUN) packages/npm/manifest.ts fibserver >build/npm/fibserver/package.json
	$(call pack-npm,build/npm/fibserver)

$(TARGETS:%=$(RELEASE)/fibserver-%-$(VERSION).tgz): $(RELEASE)/fibserver-%-$(VERSION).tgz: dist/fibserver-% packages/npm/platform.md packages/npm/manifest.ts packages/npm/npm.mk package.json LICENSE \
		build/release/THIRD-PARTY.txt
	rm -rf build/npm/$*
	install -D dist/fibserver-$* build/npm/$*/bin/fibserver
	cp packages/npm/platform.md build/npm/$*/README.md
	cp LICENSE build/release/THIRD-PARTY.txt build/npm/$*
	$(BUN) packages/npm/manifest.ts $* >build/npm/$*/package.json
	$(call pack-npm,build/npm/$*)
	rm -r build/npm/$*

$(RELEASE)/fibserver-client-$(VERSION).tgz: dist/client/package.json packages/npm/npm.mk
	rm -rf build/npm/client
	mkdir -p build/npm
	cp -r dist/client build/npm/client
	$(call pack-npm,build/npm/client)
