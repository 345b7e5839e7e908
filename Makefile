# alikafka-exporter. `make test` is the whole test suite; `make help` lists the rest.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO      ?= go
BIN     := $(CURDIR)/.cache/bin
PKG     := ./...
# Modules of their own under test/: whole-program tests with tools of their own.
TESTMODULES := $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))

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
# Tests that play hours of simulated time.
SIMULATED := Hour|Limit|ThePlanIs|Truth|Matrix|Histories|Killed
FUZZTIME  ?= 30s
SEED      ?= 1
HISTORIES ?= 20000
COUNT     ?= 6
BASE      ?= HEAD~1
SERIES    ?= 10000,100000,1000000
PARTS     ?= reply,scrape,memory,readers,footprint
IMAGE     ?= alikafka-exporter:$(VERSION)

.PHONY: help build test setup vet race unit simulated sim-freshness chaos e2e dashboards pages screenshots alerts conformance lint fmt fuzz bench bench-packages bench-exporter bench-diff golden demo tools dist image image-test clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

build: ## bin/alikafka-exporter, static
	@mkdir -p bin
	$(GOBUILD) -o bin/alikafka-exporter ./cmd/alikafka-exporter

test: setup ## everything: vet, unit tests with the race detector, end to end with a real Prometheus
	@test/run

setup: ## what the tests need and the machine lacks (a C compiler for the race detector)
	@test/setup

vet:
	$(GO) vet $(PKG)
	@for m in $(TESTMODULES); do (cd $$m && $(GO) vet ./...); done

unit race: setup ## unit tests with the race detector
	$(GO) test -race -shuffle=on -count=1 -timeout=25m $(PKG)

simulated: ## long stretches of simulated time, too slow for the race detector
	$(GO) test -count=1 -timeout=25m -run '$(SIMULATED)' ./internal/admin/engine ./internal/collector ./internal/api

chaos: ## changes under crashes and faults: 20,000 random histories, killed processes for every action; its seed is printed
	$(GO) test -count=1 -timeout=3h -v -run 'Matrix|Histories' ./internal/admin/engine -histories $(HISTORIES) -seed 0 | grep -v '^ *\(=== \|--- PASS\)'
	$(GO) test -count=1 -timeout=1h -parallel 32 -run Killed ./internal/admin/engine -killed all

sim-freshness: ## a simulated day of 1,000 groups: how soon incidents show, against round robin; SEED=1
	$(GO) test -v -count=1 -timeout=60m -run 'TestFreshnessDay$$' ./internal/collector -freshness.day -freshness.seed=$(SEED)

e2e: build ## the built binary, scraped by a real Prometheus
	@tools/build.sh prometheus alertmanager
	@for m in $(filter-out test/conformance test/alerts test/browser,$(TESTMODULES)); do echo "cd $$m && go test ./..."; \
		(cd $$m && EXPORTER=$(CURDIR)/bin/alikafka-exporter PATH=$(BIN):$$PATH $(GO) test -count=1 -parallel=6 -timeout=10m ./...); done

dashboards: build ## every query of the Grafana dashboards on the demo, in a real Prometheus: what each returns
	@tools/build.sh prometheus
	cd test/e2e && EXPORTER=$(CURDIR)/bin/alikafka-exporter PATH=$(BIN):$$PATH $(GO) test -count=1 -timeout=10m -v -run '^TestDashboardsShowTheDemo$$' .

pages: build ## the pages in a headless Chromium, with mouse and keyboard, judged by axe-core
	@test/browser/setup
	cd test/browser && EXPORTER=$(CURDIR)/bin/alikafka-exporter $(GO) test -count=1 -timeout=10m ./...

screenshots: build ## docs/images, taken of the demo
	@test/browser/setup
	cd test/browser && EXPORTER=$(CURDIR)/bin/alikafka-exporter $(GO) run ./screenshots -out $(CURDIR)/docs/images

alerts: ## alert rules: promtool, unit tests, a mutant of every rule, runbook pages
	@tools/build.sh prometheus
	cd test/alerts && PATH=$(BIN):$$PATH $(GO) test -count=1 -timeout=20m ./...

conformance: ## official SDKs, Go and Node, drive the simulated cloud
	@test/conformance/setup
	cd test/conformance && $(GO) test -count=1 -timeout=25m -v ./...

lint: ## golangci-lint, formatting included
	@tools/build.sh golangci
	$(BIN)/golangci-lint run $(PKG)
	@for m in $(TESTMODULES); do (cd $$m && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...); done

fmt: ## formats the code
	@tools/build.sh golangci
	$(BIN)/golangci-lint fmt

fuzz: ## every fuzz target for FUZZTIME (30s)
	@GO=$(GO) FUZZTIME=$(FUZZTIME) test/fuzz

bench: bench-packages bench-exporter ## both of the following

bench-packages: ## benchmarks of packages, COUNT (6) times, on one core; BENCH=regexp
	$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -cpu 1 -count $(COUNT) $(PKG)
	cd test/conformance && $(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -cpu 1 -count $(COUNT) ./...

bench-exporter: build ## the program against its references at SERIES (10000,100000,1000000); what docs/performance.md shows; fails when a bar is missed
	@tools/build.sh prometheus
	cd test/bench && $(GO) run . -series $(SERIES) -parts $(PARTS)

bench-diff: ## compares the benchmarks with those of BASE (HEAD~1)
	@tools/build.sh benchstat
	@GO=$(GO) BENCH='$(or $(BENCH),.)' COUNT=$(COUNT) BASE=$(BASE) test/bench-diff

golden: ## rewrites the golden files: look at `git diff` afterwards
	@pkgs=$$(grep -rl --include='*_test.go' '/internal/golden"' cmd internal | xargs -r -n1 dirname | sort -u | sed 's|^|./|'); \
	if [[ -n $$pkgs ]]; then $(GO) test -count=1 -skip '$(SIMULATED)' $$pkgs -update; else echo "no golden files"; fi

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
