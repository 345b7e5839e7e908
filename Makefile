# alikafka-exporter. `make test` tests in minutes with Go alone, `make check` tests
# everything; `make help` lists the rest.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO      ?= go
BIN     := $(CURDIR)/.cache/bin
PKG     := ./...
# Modules of their own: tests of the whole program, with what they need.
TESTMODULES := $(patsubst %/go.mod,%,$(wildcard test/go.mod test/*/go.mod))
# What make test, make check and make nightly run: targets of this file.
TEST    := vet unit
REST    := whole alerts e2e pages conformance lint fuzz dist image-test bare golden-check
NIGHTLY := $(TEST) $(filter-out whole,$(REST)) race chaos sim-freshness
# What make check needs besides Go.
BROWSER := 'chromium|google-chrome|chromium-browser' npm
NEEDS   := 'gcc|clang' curl $(BROWSER) node python3 buildah ip
# -race if there is a C compiler for it.
RACE     = $(shell $(GO) build -race runtime/cgo 2>/dev/null && echo -race)
# Tests of changes under crashes and faults.
CHAOS   := Matrix|Histories
export GO

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION ?= $(shell git rev-parse --quiet --verify HEAD || echo unknown)
BRANCH   ?= $(shell git symbolic-ref --quiet --short HEAD || echo unknown)
# The date of the commit, not of the build: the same commit gives the same bytes.
DATE     ?= $(shell git log -1 --format=%cI 2>/dev/null | grep . || echo unknown)
V        := github.com/prometheus/common/version
LDFLAGS  := -s -w -X $(V).Version=$(VERSION) -X $(V).Revision=$(REVISION) -X $(V).Branch=$(BRANCH) -X $(V).BuildDate=$(DATE)
# The linker flags say what the VCS stamp would say.
GOBUILD  := CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags '$(LDFLAGS)'

PLATFORMS ?= linux/amd64 linux/arm64
# For tests of the built program and of what the tools build.
INTEST    := EXPORTER=$(CURDIR)/bin/alikafka-exporter PATH=$(BIN):$$PATH
FUZZTIME  ?= 30s
SEED      ?= 1
HISTORIES ?= 20000
COUNT     ?= 6
SHAKES    ?= 10
BASE      ?= HEAD~1
SERIES    ?= 10000,100000,1000000
PARTS     ?= reply,scrape,memory,readers,footprint
IMAGE     ?= alikafka-exporter:$(VERSION)

# The programs under test are on loopback, and curl, Python and an official SDK
# would look for them behind the proxy of the machine.
export no_proxy := 127.0.0.1,localhost,$(or $(no_proxy),$(NO_PROXY))
export NO_PROXY := $(no_proxy)
# Caches that would be below HOME, which may be read-only.
export npm_config_cache    ?= $(CURDIR)/.cache/npm
export GOLANGCI_LINT_CACHE ?= $(CURDIR)/.cache/golangci-lint
export npm_config_fetch_retries ?= 5

.PHONY: help build test check check-rest nightly setup vet unit whole race times tests shake bare golden-check sim-freshness chaos e2e dashboards pages screenshots alerts conformance lint fmt fuzz bench bench-packages bench-exporter bench-diff golden demo tools dist image image-test clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

build: ## bin/alikafka-exporter, static
	@mkdir -p bin
	$(GOBUILD) -o bin/alikafka-exporter ./cmd/alikafka-exporter

test: ## the tests of every package, long ones at a tenth, with the race detector if there is a C compiler; needs Go alone
	@test/run "make test" $(TEST)

check: setup ## everything: make test, every test at its whole length, alerts, end to end, pages, conformance, lint, fuzz, image
	@test/run "make check" $(TEST) $(REST)

check-rest: setup
	@test/run "make check" $(REST)

nightly: setup ## what takes hours: make check, whole lengths with the race detector, 20,000 histories, a day of freshness, long fuzzing
	@FUZZTIME=5m test/run "make nightly" $(NIGHTLY)

setup: ## installs what make check needs besides Go, on Debian as root
	@test/setup $(NEEDS) || [[ $$? == 3 ]]

vet:
	$(GO) vet $(PKG)

unit: ## tests of PKG, long ones at a tenth, with the race detector if there is a C compiler
	@race="$(RACE)"; [[ -n $$race ]] || echo "LEFT OUT: the race detector, which needs a C compiler"; \
	test/gotest unit . $$race -short -shuffle=on $(PKG)

whole: ## tests of PKG at their whole length, without the race detector
	@test/gotest whole . -shuffle=on $(PKG)

race: ## tests of PKG at their whole length, with the race detector: an hour
	@if test/setup 'gcc|clang'; then test/gotest race . -race -shuffle=on -timeout=6h $(PKG); else [[ $$? == 3 ]]; fi

times: ## what the tests cost when they last ran: processor seconds by package, the dearest tests; STAGES="unit whole"
	@test/times $(or $(STAGES),unit)

tests: ## lists every test, its package, and the commands that run it
	@CHAOS='$(CHAOS)|Killed' test/tests

shake: ## tests of PKG, long ones at a tenth, SHAKES=10 times with the race detector, in random order, beside a busy loop for each core
	@test/shake $(SHAKES) $(PKG)

bare: ## make test as a user without rights, without network, C compiler and home, the module cache being warm (as root)
	@test/bare

chaos: ## changes under crashes and faults: 20,000 random histories, killed processes for every action; its seed is printed
	$(GO) test -count=1 -timeout=3h -v -run '$(CHAOS)' ./internal/admin/engine -histories $(HISTORIES) -seed 0 | grep -v '^ *\(=== \|--- PASS\)'
	$(GO) test -count=1 -timeout=1h -parallel 32 -run Killed ./internal/admin/engine -killed all

sim-freshness: ## a simulated day of 1,000 groups: how soon incidents show, against round robin; SEED=1
	$(GO) test -v -count=1 -timeout=60m -run 'TestFreshnessDay$$' ./internal/collector -freshness.day -freshness.seed=$(SEED)

e2e: build ## the built binary, scraped by a real Prometheus
	@test/setup curl $(BROWSER) node python3 || [[ $$? == 3 ]]
	@tools/build.sh prometheus alertmanager
	@$(INTEST) test/gotest e2e test -parallel=6 ./e2e ./bench ./program

dashboards: build ## every query of the Grafana dashboards on the demo, in a real Prometheus: what each returns
	@tools/build.sh prometheus
	cd test && $(INTEST) $(GO) test -count=1 -timeout=60m -v -run '^TestDashboardsShowTheDemo$$' ./e2e

pages: build ## the pages in a headless Chromium, with mouse and keyboard, judged by axe-core
	@test/setup $(BROWSER) || [[ $$? == 3 ]]
	@$(INTEST) test/gotest pages test ./browser/...

screenshots: build ## docs/images, taken of the demo
	@test/setup $(BROWSER) || [[ $$? == 3 ]]
	cd test/browser && $(INTEST) $(GO) run ./screenshots -out $(CURDIR)/docs/images

alerts: ## alert rules: promtool, unit tests, a mutant of every rule, runbook pages
	@tools/build.sh prometheus
	@$(INTEST) test/gotest alerts test/alerts ./...

conformance: ## official SDKs, Go and Node, drive the simulated cloud
	@test/setup node npm || [[ $$? == 3 ]]
	@$(INTEST) FORMAT=standard-verbose test/gotest conformance test/conformance ./...

lint: ## golangci-lint, formatting included
	@tools/build.sh golangci
	$(BIN)/golangci-lint run $(PKG)
	@for m in $(TESTMODULES); do (cd $$m && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...); done

fmt: ## formats the code
	@tools/build.sh golangci
	$(BIN)/golangci-lint fmt

fuzz: ## every fuzz target for FUZZTIME (30s)
	@FUZZTIME=$(FUZZTIME) test/fuzz

bench: bench-packages bench-exporter ## both of the following

bench-packages: ## benchmarks of packages, COUNT (6) times, on one core; BENCH=regexp
	$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -cpu 1 -count $(COUNT) $(PKG)
	cd test/conformance && $(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -cpu 1 -count $(COUNT) ./...

bench-exporter: build ## the program against its references at SERIES (10000,100000,1000000); what docs/performance.md shows; fails when a bar is missed
	@tools/build.sh prometheus
	cd test/bench && $(GO) run . -series $(SERIES) -parts $(PARTS)

bench-diff: ## compares the benchmarks with those of BASE (HEAD~1)
	@tools/build.sh benchstat
	@BENCH='$(or $(BENCH),.)' COUNT=$(COUNT) BASE=$(BASE) test/bench-diff

golden: ## rewrites the golden files: look at `git diff` afterwards
	@pkgs=$$(grep -rl --include='*_test.go' '/internal/golden"' cmd internal | xargs -r -n1 dirname | sort -u | sed 's|^|./|'); \
	$(GO) test -short -count=1 $$pkgs -update

golden-check: ## fails where `make golden` changes a file
	@state() { git diff; git ls-files --others --exclude-standard | xargs -r cat; }; \
	before=$$(state | cksum); $(MAKE) --no-print-directory golden; \
	[[ $$(state | cksum) == "$$before" ]] || { git status --short; exit 1; }

demo: ## the exporter on a simulated cloud
	$(GO) run ./cmd/alikafka-exporter demo

tools: ## builds every tool into .cache/bin
	@tools/build.sh $(patsubst tools/%/go.mod,%,$(wildcard tools/*/go.mod))

dist: ## dist/OS-ARCH/alikafka-exporter for PLATFORMS
	@for p in $(PLATFORMS); do \
		echo "dist/$${p/\//-}"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(GOBUILD) -o dist/$${p/\//-}/alikafka-exporter ./cmd/alikafka-exporter; done

image: ## container image with docker or buildah; PREBUILT=1 takes the binary from dist/
	@VERSION='$(VERSION)' REVISION='$(REVISION)' DATE='$(DATE)' IMAGE='$(IMAGE)' deploy/image

image-test: ## builds the image and runs it as its user on a read-only root (as root)
	@test/image

clean: ## removes what was built, the tools too
	rm -rf bin dist .cache
