# `make` alone lists the targets. Needs git, make, and either Bun or node with npm.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

PORT ?= 8080
PREFIX ?= $(HOME)/.local
ROUNDS ?= 100

# The pinned Bun: the one on the PATH if it is this version, else the npm registry's, in .bun/.
BUN_VERSION := $(shell sed -n 's/.*"packageManager": "bun@\([^"]*\)".*/\1/p' package.json)
ifeq ($(shell bun --version 2>/dev/null),$(BUN_VERSION))
BUN := $(shell command -v bun)
BUN_READY :=
else
BUN := .bun/bun
BUN_READY := .bun/bun
endif
BIN := node_modules/.bin

# The parts written in AssemblyScript; each is embedded in the binary as a file.
KERNELS := build/add.wasm build/add-scalar.wasm build/multiply.base64
ASC := -O3 --noAssert --runtime stub --initialMemory 1

# The page of /docs, compressed: 1.9 MB become 0.5. Its licences go with it.
DOCS_FILES := swagger-ui-bundle.js swagger-ui.css start.js licences.txt
DOCS := $(foreach file,$(DOCS_FILES),build/docs/$(file).br build/docs/$(file).gz)

# The page of /, built for browsers and compressed; it uses the client as anybody does.
PAGE_FILES := app.js app.css icon.svg
PAGE := $(foreach file,$(PAGE_FILES),build/page/$(file).br build/page/$(file).zst build/page/$(file).gz)

SOURCES := $(shell find src -type f) $(KERNELS) $(DOCS) package.json bun.lock tsconfig.json

# What /metrics says it was built from; of this folder alone, not of one around it.
COMMIT ?= $(or $(shell GIT_CEILING_DIRECTORIES="$(abspath ..)" git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null),unknown)

# Bytecode takes 4 of 15 ms off the start, splitting keeps what a command does not import from being loaded.
# What a compiled binary must not do: read .env or bunfig.toml from the folder it is started in, or
# run code that arrives as text (BUN_OPTIONS=--preload). Each kind of worker thread starts from its own entry point.
WORKERS := src/log-worker.ts src/numbers/worker.ts src/cursor/store-worker.ts src/tasks/store-worker.ts src/tasks/results-worker.ts
BUILD := build --compile --minify --bytecode --format=esm --splitting \
	--no-compile-autoload-dotenv --no-compile-autoload-bunfig \
	--compile-exec-argv="--disallow-code-generation-from-strings=strict" \
	--define BUILD_COMMIT="\"$(COMMIT)\"" \
	src/main.ts $(WORKERS)
TARGETS := linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build and serve (PORT=8080)
	exec dist/fibserver -p $(PORT)

# What a shell knows of the program: its manual page and completions, from the definitions of its commands.
WORDS := $(addprefix build/words/,fibserver.1 fibserver.bash _fibserver fibserver.fish)
$(WORDS) &: dist/fibserver $(wildcard packages/manual/*)
	mkdir -p build/words
	$(BUN) packages/manual/build.ts >build/words/fibserver.1
	dist/fibserver completion bash >build/words/fibserver.bash
	dist/fibserver completion zsh >build/words/_fibserver
	dist/fibserver completion fish >build/words/fibserver.fish

# $(call install-tree,PROGRAM,FOLDER): what is installed, wherever that is: by make, in an archive, in a Debian package.
define install-tree
install -D -m 755 $(1) "$(2)"/bin/fibserver
install -D -m 644 build/words/fibserver.1 "$(2)"/share/man/man1/fibserver.1
install -D -m 644 build/words/fibserver.bash "$(2)"/share/bash-completion/completions/fibserver
install -D -m 644 build/words/_fibserver "$(2)"/share/zsh/site-functions/_fibserver
install -D -m 644 build/words/fibserver.fish "$(2)"/share/fish/vendor_completions.d/fibserver.fish
endef

.PHONY: build
build: dist/fibserver dist/client/package.json ## Build dist/fibserver for this machine, and dist/client for npm

dist/fibserver: $(SOURCES) $(PAGE) Makefile node_modules/.ready build/commit
	$(BUN) $(BUILD) --outfile $@

# The package @fibserver/client, as `npm publish dist/client` takes it. For browsers is for all: no built-in module, nothing
# of Bun. Of the declarations those that client.d.ts leads to: none names a type of the server's.
CLIENT_TYPES := client codes cursor cursors error forms inquiries options position server-status status tasks
dist/client/package.json: $(SOURCES) $(wildcard packages/client/*) LICENSE Makefile node_modules/.ready
	rm -rf build/types dist/client
	$(BUN) $(BIN)/tsc --project packages/client
	$(BUN) build --target=browser --outdir dist/client src/client/client.ts
	cp $(CLIENT_TYPES:%=build/types/client/%.d.ts) packages/client/README.md LICENSE dist/client
	$(BUN) packages/client/manifest.ts >$@

.PHONY: dist
dist: $(TARGETS:%=dist/fibserver-%) ## Build for Linux on x64 and arm64, glibc and musl

dist/fibserver-%: $(SOURCES) $(PAGE) Makefile node_modules/.ready build/commit
	$(BUN) $(BUILD) --target=bun-$* --outfile $@

# Written only when it is another one: then the program is built anew.
.PHONY: always
build/commit: always
	@mkdir -p build; [ "$$(cat $@ 2>/dev/null)" = "$(COMMIT)" ] || echo "$(COMMIT)" >$@

build/%.wasm: src/numbers/kernel/%.ts $(wildcard src/numbers/kernel/*.ts) Makefile node_modules/.ready
	$(BUN) $(BIN)/asc $< --outFile $@ $(ASC) --enable simd

# Make would remove it, as a step on the way to the next.
.PRECIOUS: build/%.wasm

# As text it is part of the program: node:fs, to read a file, takes 1 ms to load.
build/%.base64: build/%.wasm
	base64 -w 0 $< >$@

# For processors without vectors.
build/add-scalar.wasm: src/numbers/kernel/add.ts $(wildcard src/numbers/kernel/*.ts) Makefile node_modules/.ready
	$(BUN) $(BIN)/asc $< --outFile $@ $(ASC)

build/docs/%.br build/docs/%.gz: build/docs/% packages/docs/compress.ts node_modules/.ready
	$(BUN) packages/docs/compress.ts $<

# One run makes all of them.
$(PAGE) &: dist/client/package.json packages/page/build.ts
	mkdir -p build/page
	$(BUN) packages/page/build.ts build/page

build/docs/start.js: packages/docs/start.js
	install -D -m 644 $< $@

build/docs/licences.txt: node_modules/.ready Makefile
	mkdir -p $(@D)
	cd node_modules/swagger-ui-dist && cat NOTICE LICENSE swagger-ui-bundle.js.LICENSE.txt >$(abspath $@)

build/docs/swagger-ui-bundle.js build/docs/swagger-ui.css: node_modules/.ready
	mkdir -p $(@D)
	cp node_modules/swagger-ui-dist/$(@F) $@

# In a process of their own, and alone: they make a WASM memory for each damage, and that collects the whole heap when it
# is full. Beside all others they take 180 s, alone 17.
NUMBERS_TESTS := test/numbers/

# Then four groups at once, since most of the time of each goes by in waiting: for elections and for faults to heal; for
# answers of servers and shells; for browsers; and all the others. JOBS=1, one after the other, is for CI, where what
# fails must fail for its own sake.
JOBS ?= 4
WAITING_TESTS := test/chaos/ test/worker.test.ts test/terminal.test.ts test/stalls.test.ts test/prometheus.test.ts \
	$(wildcard test/redis-*.test.ts test/tasks/redis*.test.ts test/named-*.test.ts)
SEEING_TESTS := test/web/ $(wildcard test/http/*browser*.test.ts test/http/docs.test.ts test/http/nginx.test.ts)
ASKING_TESTS := test/client/ test/cli/ $(filter-out $(SEEING_TESTS),$(wildcard test/http/*.test.ts))

# What is released and deployed, which must be made first: `make test-release`.
RELEASE_TESTS := test/release/ test/deploy/

# No test is timed: what hangs is ended by this, and not what a busy machine holds up (Bun's own limit is 5 s).
TEST := $(BUN) test --timeout 300000

.PHONY: test test-numbers test-seeing test-waiting test-asking test-others
test: build ## Run every test (ROUNDS=100 of kill -9, CHAOS=30 seconds of faults, JOBS=1 for one group at a time)
	status=0; $(MAKE) --no-print-directory test-numbers || status=$$?; \
	$(MAKE) --no-print-directory --jobs=$(JOBS) --output-sync --keep-going \
		test-seeing test-waiting test-asking test-others || status=$$?; \
	exit $$status

test-numbers:
	$(TEST) $(NUMBERS_TESTS)

test-seeing:
	$(TEST) $(SEEING_TESTS)

test-waiting:
	$(TEST) $(WAITING_TESTS)

test-asking:
	$(TEST) $(ASKING_TESTS)

test-others:
	ROUNDS=$(ROUNDS) $(TEST) $(patsubst %,--path-ignore-patterns '%**',$(NUMBERS_TESTS) $(WAITING_TESTS) $(RELEASE_TESTS) test/http/ $(filter-out test/http/%,$(ASKING_TESTS) $(SEEING_TESTS)))

.PHONY: shots
shots: build ## Take pictures of the page into build/shots/ (ONLY="busy away")
	$(BUN) test/web/shots.ts $(ONLY)

.PHONY: check
check: $(KERNELS) $(DOCS) $(PAGE) node_modules/.ready ## Types, lint, format, dead code
	$(BIN)/tsc
	$(BIN)/tsc --project src/web
	$(BIN)/oxlint --type-aware --deny-warnings
	$(BIN)/oxfmt --check
	$(BUN) $(BIN)/knip

.PHONY: format
format: node_modules/.ready ## Rewrite the sources in the project's format
	$(BIN)/oxfmt

.PHONY: bench
bench: build ## Measure, and write docs/performance.md (ONLY="cursor numbers", ROUNDS=5; WRITE=1 measures nothing)
	$(BUN) bench/run.ts $(if $(WRITE),--write)

.PHONY: install
install: build $(WORDS) ## Install into PREFIX (~/.local): program, manual page, completions
	$(call install-tree,dist/fibserver,$(DESTDIR)$(PREFIX))

.PHONY: clean
clean: ## Remove what was built and fetched
	rm -rf dist build node_modules .bun

node_modules/.ready: package.json bun.lock $(BUN_READY)
	$(BUN) install --frozen-lockfile
	touch $@

# The registry's packages ship the binary itself, so no install script has to run; more than one may fit
# the machine (glibc and musl), so the one that runs is taken.
.bun/bun: package.json
	rm -rf .bun
	mkdir .bun
	if command -v npm >/dev/null; \
	then npm install --prefix .bun --no-save --no-audit --no-fund --ignore-scripts bun@$(BUN_VERSION); \
	else echo '{}' >.bun/package.json && cd .bun && bun add --ignore-scripts bun@$(BUN_VERSION); fi
	cd .bun && for bun in node_modules/@oven/bun-*/bin/bun; \
	do if "$$bun" --version >/dev/null 2>&1; then ln -s "$$bun" bun; break; fi; done
	test "$$($@ --version)" = $(BUN_VERSION)

include packages/release/release.mk packages/npm/npm.mk packages/debian/debian.mk
