# make              the programs: ./ldirectord; ./ldirectord-oracle, which checks Oracle for it; ./ldirectord-import
# make demo         see failover in a minute, in the foreground, nothing installed; KERNEL=1 uses the kernel's table
# make test         before each commit: unit tests, scenarios, scripts, the conformance corpus; no root, two minutes
# make test-kernel  what needs a kernel with IPVS; as root on Debian without IPVS it installs the lab (user-mode-linux …)
# make test-all     as root on Debian: also the race detector, real servers, cluster managers, systemd; an hour
# make suites       each of these parts by its name, and what takes longer; make NAME plays one
# make race         the unit tests with the race detector; PKG=./internal/core chooses packages
# make generate     all texts that code or tests write: lists of the documents, help, golden files
# make bench fuzz   the benchmarks, every fuzz target for FUZZTIME; bench-compare BASE=REVISION: what a change costs
# make install      as root: everything where systemd and the cluster managers look for it; deb, rpm, release: packages

# sudo drops Go's usual place from the search path.
GO      ?= $(shell command -v go || echo /usr/local/go/bin/go)
VERSION ?= $(shell packaging/version)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# Of the commit, so that every build has the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
DATE    = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%d)
DESTDIR ?=
FUZZTIME ?= 100000x
BENCH    ?= .
PKG      ?= ./...
MUTATE   ?= ./internal/judge ./internal/core ./internal/director ./internal/history ./internal/viavip ./ipvsctl ./internal/notify ./internal/status ./parser ./internal/instance ./internal/health ./internal/schedule
GOARCH  ?= $(shell $(GO) env GOARCH)
PROGRAM ?= ldirectord
# With the one that checks Oracle for it, and the one that reads files of keepalived.
BINARIES = $(PROGRAM) $(PROGRAM)-oracle $(PROGRAM)-import
GOTESTSUM_VERSION = v1.13.0
export GOTESTSUM = $(GO) run gotest.tools/gotestsum@v1.13.0 --format-hide-empty-pkg --hide-summary skipped
# With REPLAY, which .ci/run sets, a test that fails is played once more, alone (tools/replay).
# events NAME: the program that runs go test for a report build/NAME.json.
events      = $(if $(REPLAY),$(CURDIR)/build/replay $(CURDIR)/build/$(1).json )$(GOTESTSUM) --format pkgname --jsonfile $(CURDIR)/build/$(1).json --
export GREMLINS = github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0
export GO MUTATE
BENCHSTAT   = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
MISSPELL    = github.com/golangci/misspell/cmd/misspell@v0.8.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

EMBEDDED = $(wildcard parser/*.txt checker/protocol/*.pl internal/page/page.* cmd/ldirectord/*.sh cmd/ldirectord/*.txt cmd/ldirectord/help/*.txt)
SOURCES := $(shell find . -path ./tools -prune -o -name '*.go' -not -name '*_test.go' -print) $(EMBEDDED) go.mod $(wildcard go.sum)
packages_with = $(sort $(dir $(shell grep -rlE --include='*_test.go' --exclude-dir=tools '^func $(1)' .)))
# The race detector needs a C compiler; everything else is built without.
RACE = $(shell command -v gcc >/dev/null && $(GO) env GOOS GOARCH | paste -sd/ | grep -qxE 'linux/(amd64|arm64|ppc64le|s390x)' && echo -race)

include packaging/install.mk

export GO
export CGO_ENABLED = 0
# Root in the clone of a user may not ask git.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

# An older Go than 1.21 can't even read go.mod; a newer one gets the right one by itself.
ifneq ($(filter-out help suites clean uninstall,$(or $(MAKECMDGOALS),build)),)
ifneq ($(shell $(GO) version 2>/dev/null | sed -nE 's/.* go1\.(2[1-9]|[3-9][0-9]).*/enough/p'),enough)
$(error Go 1.26 or later is needed: https://go.dev/dl/ has it, and GO=/usr/local/go/bin/go names it. Found: $(or $(shell $(GO) version 2>/dev/null),none at $(GO)))
endif
endif

.DEFAULT_GOAL = build
SUITES := $(shell cut -f1 testdata/suites | grep -v '^\#')

.DELETE_ON_ERROR:
.PHONY: build help test test-kernel test-all suites $(SUITES) race generate lint modules bench bench-compare fuzz size demo clean always

build: ldirectord ldirectord-oracle ldirectord-import

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

suites:
	@testdata/suite

$(SUITES): ldirectord
	@testdata/suite $@

BUILD = GOARCH=$(GOARCH) $(GO) build -trimpath -buildvcs=false -o $@ \
	-ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)'
$(sort ldirectord $(PROGRAM)): $(SOURCES) build/version
	@[ -e $@ ] || echo 'The first build takes half a minute, and longer on a slow network.'
	$(BUILD) ./cmd/ldirectord

$(sort ldirectord-oracle $(PROGRAM)-oracle): $(SOURCES) build/version
	$(BUILD) ./cmd/ldirectord-oracle

$(sort ldirectord-import $(PROGRAM)-import): $(SOURCES) build/version
	$(BUILD) ./cmd/ldirectord-import

# Changes when the version does, and only then.
build/version: always
	@mkdir -p build; echo '$(VERSION) $(COMMIT) $(DATE)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT) $(DATE)' >$@

# Neither root nor a kernel with IPVS is needed. -short leaves out what only takes longer: make race plays it. Most tests
# wait, so there are two packages for each processor.
test:
	@mkdir -p build && rm -f build/*.json; began=$$(date +%s); ended=0; \
		$(GO) vet ./... && $(GO) vet -C tools ./... || ended=$$?; \
		$(call events,test) -short -p $$((2 * $$(nproc))) -parallel 8 -skip '^TestKernel' ./... || ended=$$?; \
		cd tools && { $(call events,test-tools) -short -skip '^TestKernel' ./... || ended=$$?; }; cd ..; \
		testdata/skipped build/test.json build/test-tools.json; echo "$$(($$(date +%s) - began)) seconds"; \
		testdata/sum build/test build/test-tools; exit $$ended

# Two guests, a processor each.
test-kernel:
	@$(MAKE) -j2 -k --no-print-directory kernel-test-1 kernel-test-2; ended=$$?; \
		testdata/sum build/kernel-test-1 build/kernel-test-2 build/kernel-test-2-tools; exit $$ended

# The Perl program is left out of the scenarios here: what it did is recorded. The cluster managers come one
# after the other: keepalived kills a script a second after its own end, by when the program must have begun. Then two
# parts at a time, which wait for their guests most of the time.
test-all: export REFERENCE =
test-all: ldirectord
	@testdata/servers/install
	@$(MAKE) lint deletion-test
	@$(MAKE) -k --no-print-directory test-kernel race
	@$(MAKE) real-test
	LONG_TESTS=20s $(call events,long-tests) -count=1 -run '^TestLong' ./checker/protocol
	@PEERS='http 10' REPEATS=1 WINDOW=2s $(MAKE) --no-print-directory peers
	@$(MAKE) --no-print-directory page-test
	@ended=0; $(MAKE) -k manager-test-1 manager-test-2 || ended=$$?; \
		$(MAKE) -j2 -k -O all-chaos conformance bare-test package-test systemd-test || ended=$$?; \
		exit $$ended
	@$(MAKE) fuzz FUZZTIME=5000x

# Tests of one goroutine: the race detector finds nothing there, and took a third of its time for them. They run without it.
ALONE = Walk|StoriesStay|GuardInEveryOrder|PlainWords|LinksLeadSomewhere|PatternsMeanWhatTheyMeanToPerl|EnginesAgree|ReceiveDecidesAsPerlOnRandomPatterns|$\
	HostilePatternsAreCompiledOrRefusedInTime|TheMemoryOfTenThousandServers|AHistoryIsBounded|Size|Views|BoundsAreThoseOfOneConfiguration|$\
	LayoutDoesNotChangeTheMeaning|FindingsAlikeAreCounted|Corpus|StrictCorpus|RangesOfAFileAreBounded|OverlapsAreThoseOfEachPairOfLines|$\
	NoFileGivesMoreDiagnosticsThanAnyoneReads|ACutTranscriptLeavesNoPartOfASecret|MatchOfAPageOfOneMiB
# The scripts start a thousand programs, each of which takes a second to start with the race detector: make long-race.
race:
	@$(if $(RACE),,echo 'skipped: the race detector: it needs gcc')
	@mkdir -p build; ended=0; export GORACE=atexit_sleep_ms=0 $(if $(RACE),CGO_ENABLED=1); \
		nice -n 19 $(call events,alone) -count=1 -run '^Test($(ALONE))$$' \
			$(if $(filter ./...,$(PKG)),$(call packages_with,Test($(ALONE))\b),$(PKG)) || ended=$$?; \
		nice -n 19 $(call events,race) $(RACE) -timeout 30m -skip '^Test(Kernel|$(if $(filter ./...,$(PKG)),Scripts$$|)($(ALONE))$$)' $(PKG) || ended=$$?; \
		$(if $(filter ./...,$(PKG)),cd tools && { nice -n 19 $(call events,race-tools) $(RACE) -skip '^TestKernel' ./... || ended=$$?; }; cd ..;) \
		testdata/sum build/alone build/race $(if $(filter ./...,$(PKG)),build/race-tools); exit $$ended

# What tests hold is written anew. Read the difference before you commit it. What is to be written by hand fails: the
# rest is written all the same.
generate:
	@ended=0; $(GO) test -short ./internal/docs ./internal/doctor ./internal/status ./internal/director ./parser -update || ended=$$?; \
		$(GO) test ./cmd/ldirectord -run 'TestHelp|TestEachText' -update || ended=$$?; exit $$ended

# What the tests use of Go's modules besides the program's own.
modules:
	@$(GO) mod download && $(GO) mod download -C tools && $(GOTESTSUM) --version >/dev/null

# Two words are what tests are about.
lint:
	@$(GO) run $(STATICCHECK) ./...
	@cd tools && $(GO) run $(STATICCHECK) ./...
	@GOARCH=386 $(GO) vet ./... # also the tests compile on 32-bit machines
	@git ls-files | grep -v '^testdata/.*/' | xargs $(GO) run $(MISSPELL) -error -i strat,recieve,mosquitto

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

bench-compare:
	@BENCHSTAT=$(BENCHSTAT) testdata/bench-compare '$(BASE)'

# Each fuzz target for FUZZTIME: go test takes one at a time. Without a limit it spends its time making its finds smaller.
# FUZZTIME is a number of runs: at the end of a time go test may fail, with "context deadline exceeded".
fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$package || exit 1; \
		done; \
	done

size:
	@$(GO) run -C tools ./size ..

demo: ldirectord
	@$(GO) build -C tools -trimpath -o ../build/demo ./demo
	@exec build/demo -daemon ./ldirectord -ipvs $(if $(KERNEL),kernel,memory)

# What .ci/run plays tests by.
build/replay: always
	@$(GO) build -C tools -o ../$@ ./replay

clean:
	rm -rf ldirectord ldirectord-oracle ldirectord-import build
