# Every task a person does. Each installs what it needs on Debian and Ubuntu;
# the README says what to install elsewhere.

SHELL := /bin/sh
.DEFAULT_GOAL := help
export CARGO_INCREMENTAL ?= 1

# What `make bench` measures, and how: BENCH_ARGUMENTS="--quick --only http,tcp".
BENCH_PROGRAM ?= target/release/pilotlight
BENCH_ARGUMENTS ?=

# Not among the UI packages: it is needed for installers only.
TAURI_CLI := 2.12.5

BUILD_PACKAGES := build-essential pkg-config libwebkit2gtk-4.1-dev libdbus-1-dev
TEST_PACKAGES := xvfb xauth xfce4-panel xdotool x11-utils imagemagick webkit2gtk-driver dbus fonts-inter
# The servers that the tests of checks start, and check. Debian and Ubuntu also
# start some of them for the machine itself, unless told not to by policy-rc.d.
SERVER_PACKAGES := redis-server postgresql mariadb-server rabbitmq-server mosquitto nats-server \
	nginx-light bind9 bind9-utils openssh-server exim4-daemon-light dovecot-imapd dovecot-pop3d \
	tinyproxy monitoring-plugins-basic openssl iproute2 python3-grpcio python3-websockets
BENCH_PACKAGES := nginx-light prometheus-blackbox-exporter
ICON_PACKAGES := librsvg2-bin imagemagick fonts-inter

UI_SOURCES := $(shell find ui/src ui/public ui/index.html ui/*.ts ui/*.js ui/package.json -type f 2>/dev/null)

.PHONY: help run test lint ui bindings docs errors icons screenshots bench bench-history package clean
.PHONY: build-needs test-needs toolchain

help: ## What there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: build-needs ui/dist/index.html ## Build and start Pilotlight; without a display, the demo in the terminal
	cargo build
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" != Linux ]; then \
		target/debug/pilotlight; \
	else \
		echo "There is no display here: this is the demo in the terminal. Ctrl+C ends it."; \
		target/debug/pilotlight demo --headless; \
	fi

test: build-needs test-needs lint ui/dist/index.html ## Everything a change has to pass
	npm --prefix ui test
	cargo test --workspace

lint: build-needs ui/dist/index.html ## Formatting and lints, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	npm --prefix ui run lint
	npm --prefix ui run check

ui: ui/dist/index.html ## The window's files

ui/dist/index.html: ui/node_modules/.installed $(UI_SOURCES)
	npm --prefix ui run build
	@touch $@

ui/node_modules/.installed: ui/package-lock.json | toolchain
	npm --prefix ui ci --no-audit --no-fund
	@touch $@

bindings: build-needs ui/dist/index.html ## The window's types, from the backend's
	PILOTLIGHT_WRITE_BINDINGS=1 cargo test --test all bindings

docs: build-needs ui/dist/index.html ## docs/checks.md, from what the kinds of check say of themselves
	PILOTLIGHT_WRITE_DOCS=1 cargo test --test all docs

errors: test-needs toolchain ## docs/errors.md, from what the checks say to real servers
	rm -f docs/errors.md
	PILOTLIGHT_WRITE_ERRORS=1 cargo test -p probe --test kinds

icons: ## The PNGs, from the SVGs
	@scripts/install $(ICON_PACKAGES)
	icons/render.sh

screenshots: build-needs test-needs ui/dist/index.html ## docs/screenshots, from the real window
	cargo build
	xvfb-run -a -s '-screen 0 1280x1000x24' dbus-run-session -- \
		node scripts/screenshots.mjs $(CURDIR)/target/debug/pilotlight docs/screenshots

bench: build-needs ui/dist/index.html ## What it costs beside its peers (25 min), into docs/measured.md
	@scripts/install $(BENCH_PACKAGES)
	cargo build --release
	cargo build --release -p bench
	target/release/bench --program $(BENCH_PROGRAM) $(BENCH_ARGUMENTS)

bench-history: build-needs ## Speed and size of a year of history
	cargo bench -p history --bench year

package: build-needs ui/dist/index.html ## Installers for this system
	npx --yes @tauri-apps/cli@$(TAURI_CLI) build

clean: ## Everything that was built
	cargo clean
	rm -rf ui/dist ui/node_modules gen permissions

build-needs: toolchain
	@scripts/install $(BUILD_PACKAGES)

test-needs:
	@scripts/install $(TEST_PACKAGES) $(SERVER_PACKAGES)

toolchain:
	@scripts/toolchain
