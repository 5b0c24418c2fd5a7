# Every task a person does. Each installs what it needs on Debian and Ubuntu;
# the README says what to install elsewhere.

SHELL := /bin/sh
.DEFAULT_GOAL := help
export CARGO_INCREMENTAL ?= 1

# What `make bench` measures, and how: BENCH_ARGUMENTS="--quick --only http,tcp".
BENCH_PROGRAM ?= $(TARGET)/release/pilotlight
BENCH_ARGUMENTS ?=

# Not among the UI packages: it is needed for installers only.
TAURI_CLI := 2.12.5

HEADLESS_PACKAGES := build-essential
BUILD_PACKAGES := $(HEADLESS_PACKAGES) pkg-config libwebkit2gtk-4.1-dev libdbus-1-dev
TEST_PACKAGES := xvfb xauth xfce4-panel xdotool x11-utils imagemagick webkit2gtk-driver dbus fonts-inter \
	gnome-keyring libsecret-tools
# The servers that the tests of checks start, and check. Debian and Ubuntu also
# start some of them for the machine itself, unless told not to by policy-rc.d.
SERVER_PACKAGES := redis-server postgresql mariadb-server rabbitmq-server mosquitto nats-server \
	nginx-light bind9 bind9-utils openssh-server exim4-daemon-light dovecot-imapd dovecot-pop3d \
	tinyproxy monitoring-plugins-basic openssl iproute2 python3-grpcio python3-websockets
# Tauri's bundler asks for it wherever there is a tray.
PACKAGE_PACKAGES := libayatana-appindicator3-dev
BENCH_PACKAGES := nginx-light prometheus-blackbox-exporter
ICON_PACKAGES := librsvg2-bin imagemagick fonts-inter

UI_SOURCES := $(shell find ui/src ui/public ui/index.html ui/*.ts ui/*.js ui/package.json -type f 2>/dev/null)

TARGET := $(or $(CARGO_TARGET_DIR),target)
# The program for servers and containers: everything but the desktop app.
HEADLESS := --no-default-features --features checks
# Only Linux has machines without one.
DISPLAYED := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter-out Linux,$(shell uname))

.PHONY: help run test lint ui bindings docs errors icons screenshots bench bench-history headless package clean
.PHONY: build-needs headless-needs test-needs toolchain

help: ## What there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# Cargo draws a bar on a terminal, and elsewhere writes a line for each crate.
say-how-long = [ -e $(TARGET)/debug/pilotlight ] || \
	echo "The first build takes about $(1) minutes on two cores, later ones seconds."

ifneq ($(DISPLAYED),)
run: build-needs ui/dist/index.html ## Build and start Pilotlight; without a display, the demo in the terminal
	@$(call say-how-long,five)
	cargo build
	@$(TARGET)/debug/pilotlight
else
run: headless-needs
	@echo "There is no display here: this builds the program without its desktop app."
	@$(call say-how-long,three)
	cargo build $(HEADLESS) --bin pilotlight
	@echo "This is the demo in the terminal. Ctrl+C ends it."
	@$(TARGET)/debug/pilotlight demo --headless
endif

headless: headless-needs ## The program for servers and containers, without the desktop app
	@scripts/headless

test: build-needs test-needs lint ui/dist/index.html ## Everything a change has to pass
	npm --prefix ui test
	cargo test --workspace

lint: build-needs ui/dist/index.html ## Formatting and lints, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package pilotlight --all-targets $(HEADLESS) -- -D warnings
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
		node scripts/screenshots.mjs $(abspath $(TARGET))/debug/pilotlight docs/screenshots

bench: headless-needs ## What it costs beside its peers (25 min), into docs/measured.md
	@scripts/install $(BENCH_PACKAGES)
	cargo build --release $(HEADLESS) --bin pilotlight
	cargo build --release -p bench
	$(TARGET)/release/bench --program $(BENCH_PROGRAM) $(BENCH_ARGUMENTS)

bench-history: headless-needs ## Speed and size of a year of history
	cargo bench -p history --bench year

package: build-needs ui/dist/index.html ## Installers for this system
	@scripts/install $(PACKAGE_PACKAGES)
	npx --yes @tauri-apps/cli@$(TAURI_CLI) build

clean: ## Everything that was built
	cargo clean
	rm -rf ui/dist ui/node_modules gen permissions

build-needs: toolchain
	@scripts/install $(BUILD_PACKAGES)

headless-needs:
	@scripts/toolchain
	@scripts/install $(HEADLESS_PACKAGES)

test-needs:
	@scripts/install $(TEST_PACKAGES) $(SERVER_PACKAGES)

toolchain:
	@scripts/toolchain node
