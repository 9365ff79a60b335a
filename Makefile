# make              the programs: ./ldirectord, and ./ldirectord-oracle, which checks Oracle for it
# make demo         see failover in a minute, in the foreground, nothing installed; KERNEL=1 uses the kernel's table
# make test         unit, scenario and kernel tests. As root on Debian without IPVS it installs the lab's packages (user-mode-linux …)
# make test-all     as root on Debian: also its real servers, cluster managers and systemd, which it installs
# make long         before a release: the same for longer, with more seeds and kills, and the gaps of docs/managers.md
# make conformance  every scenario with ours and, where installed, with the Perl ldirectord; RUN=REGEXP chooses
# make size         the Go tokens of each package of the program, wide lines, large types
# make fuzz bench   every fuzz target for FUZZTIME; the benchmarks
# make release      all that a release has, in build/release
# make install      as root: everything where systemd and the cluster managers look for it; install-sysv the rest
# make help-all     the other targets
## make long-chaos   of these, 1,000 seeds of random trouble for the core, with a clock of its own
## make long-walk    of these, what decides (judge) with every pair of its capabilities and many triples, to the last state: up to two hours
## make long-judgement  of these, three times the rows of docs/judgement.md
## make long-watch   of these, four times the rows of docs/measured/failures.md about watch
## make long-observe  of these, an hour of strange and honest traffic under observe, and eighteen faults that only clients meet
## make long-switch  of these, the switch of 10,000 watched servers reboots
## make long-idle    of these, an hour of idle connections that a thousand servers end
## make long-onfail  of these, 60 connections of clients in each cell of a table: what they see when their server fails, by onfail
## make long-checkvip  of these, 32 rows of checkvip with a hundred dead servers of 300: PORTS_FOR=10m each, RUN=REGEXP chooses rows
## make long-files   of these, 20,000 drawn configurations through check, plan and autoreload, as root; FILES=100 chooses
## make traffic      of these, real packets through every forwarding method, with the table of testdata/traffic.md
## make neighbours-test  as root on Debian: pairs of daemons with a virtual service in common, also beside the Perl ldirectord
## make shadow-test  as root on Debian: the shadow beside the Perl ldirectord in twenty scenarios; long-shadow in all
## make manager-test as root on Debian: heartbeat, pacemaker and keepalived; RUN=REGEXP chooses
## make directors-test  as root on Debian: several directors that announce addresses by BGP, with BIRD and FRR; long-directors plays it three times
## make page-test    as root on Debian: the page for browsers with Chromium, and with axe-core where npm is; page-pictures makes those of docs
## make systemd-test as root on Debian: the units with a real systemd
## make package-test as root on Debian: the packages, on a clean Debian
## make bare-test    as root on Debian: a first hour as an ordinary user of a bare one
## make mutate       how many changed conditions and sums the packages' own tests notice; MUTATE=./director chooses one
## make deletion-test  without one capability after the other: its file and the lines that name it; all else builds and does what it did
## make perl-cost    as root on Debian: what external-perl costs beside the Perl ldirectord, by fork=yes and no
## make peers        as root: what a check costs beside keepalived and a small C program, and what watch costs, in a quarter of an hour; PEERS="http 1000" chooses
## make bench-compare  what a change costs: the benchmarks of BASE=REVISION and of this tree
## make deb rpm      the packages, in build/; they need nfpm and its modules from the network
## make uninstall    takes away what make install and install-sysv put there

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
RUN      ?= .
MUTATE   ?= ./judge ./core ./director ./history ./through ./ipvsctl ./notify ./status ./parser ./instance ./checker/health ./checker/schedule
GOARCH  ?= $(shell $(GO) env GOARCH)
PROGRAM ?= ldirectord
# With the one that checks Oracle for it.
BINARIES = $(PROGRAM) $(PROGRAM)-oracle
LDIRECTORD ?= $(CURDIR)/ldirectord
REFERENCE  ?= $(wildcard /usr/sbin/ldirectord)
GOTESTSUM_VERSION = v1.13.0
GOTESTSUM   = $(GO) run gotest.tools/gotestsum@$(GOTESTSUM_VERSION) --format pkgname --format-hide-empty-pkg --hide-summary skipped
# With REPLAY, which .ci/run sets, a test that fails is played once more, alone (tools/replay).
EVENTS      = $(CURDIR)/build/$(1).json
replayed    = $(if $(REPLAY),$(CURDIR)/build/replay $(EVENTS) )
tests       = $(if $(REPLAY),$(call replayed,$(1))$(GOTESTSUM) --format $(2) --jsonfile $(EVENTS) --,$(GO) test)
script      = $(if $(REPLAY),$(CURDIR)/build/replay -script $(CURDIR)/build/$(1).log )
GREMLINS    = github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0
BENCHSTAT   = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
MISSPELL    = github.com/golangci/misspell/cmd/misspell@v0.8.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

EMBEDDED = $(wildcard parser/*.txt checker/*.pl page/page.* cmd/ldirectord/*.sh cmd/ldirectord/*.txt cmd/ldirectord/help/*.txt)
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
ifneq ($(filter-out help help-all clean uninstall,$(or $(MAKECMDGOALS),build)),)
ifneq ($(shell $(GO) version 2>/dev/null | sed -nE 's/.* go1\.(2[1-9]|[3-9][0-9]).*/enough/p'),enough)
$(error Go 1.26 or later is needed: https://go.dev/dl/ has it, and GO=/usr/local/go/bin/go names it. Found: $(or $(shell $(GO) version 2>/dev/null),none at $(GO)))
endif
endif

.DEFAULT_GOAL = build
.DELETE_ON_ERROR:
.PHONY: help help-all build test expected test-all long unit-test tools-test kernel-test kernel-test-1 kernel-test-2 all-faults all-faults-1 all-faults-2 all-chaos long-checkvip long-files long-runs long-chaos long-walk long-kernel long-judgement long-watch long-observe long-switch long-idle long-onfail \
	long-gaps long-shadow long-directors long-neighbours neighbours-test directors-test traffic conformance shadow-test manager-test manager-test-1 manager-test-2 systemd-test package-test bare-test page-test page-pictures deletion-test modules vet staticcheck misspell bench bench-compare \
	peers perl-cost size mutate fuzz demo clean always

build: ldirectord ldirectord-oracle

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

help-all:
	@sed -n 's/^##* \(make .*\)/\1/p' Makefile

BUILD = GOARCH=$(GOARCH) $(GO) build -trimpath -buildvcs=false -o $@ \
	-ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)'
$(sort ldirectord $(PROGRAM)): $(SOURCES) build/version
	@[ -e $@ ] || echo 'The first build takes half a minute, and longer on a slow network.'
	$(BUILD) ./cmd/ldirectord

$(sort ldirectord-oracle $(PROGRAM)-oracle): $(SOURCES) build/version
	$(BUILD) ./cmd/ldirectord-oracle

# Changes when the version does, and only then.
build/version: always
	@mkdir -p build; echo '$(VERSION) $(COMMIT) $(DATE)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT) $(DATE)' >$@

# Unit tests leave the processors to the guests, whose tests measure times. What fails in one part hides nothing of the
# others.
test: expected vet ldirectord
	@$(MAKE) -j4 -k --no-print-directory $(TESTED); ended=$$?; testdata/skipped build/unit-test.json build/tools-test.json; \
		testdata/sum $(TESTED:%=build/%) build/kernel-test-tools $(if $(RACE),build/unit-test-alone); exit $$ended

TESTED = unit-test tools-test kernel-test-1 kernel-test-2
expected:
	@echo 'make test takes ten to twenty minutes on two processors. The first lines come after the build.'
	@rm -f build/unit-test*.json build/tools-test*.json build/kernel-test*.json

# The Perl program is left out of the scenarios here: what it did is recorded. The faults come alone, since their clients must
# not wait for a processor; then three parts at a time, which wait for their guests most of the time.
test-all: ldirectord
	@testdata/servers/install
	@$(MAKE) staticcheck misspell deletion-test
	LDIRECTORD=$(CURDIR)/ldirectord REAL_TESTS=required $(call tests,real-tests,standard-quiet) -count=1 -run '^TestReal' $(call packages_with,TestReal)
	cd tools && REAL_TESTS=required $(call tests,real-tools,standard-quiet) -count=1 -run '^TestReal' ./...
	LONG_TESTS=20s $(call tests,long-tests,standard-quiet) -count=1 -run '^TestLong' ./checker
	@PEERS='http 10' REPEATS=1 WINDOW=2s $(MAKE) --no-print-directory peers
	@$(MAKE) --no-print-directory page-test
	@ended=0; $(MAKE) -k REFERENCE= all-faults || ended=$$?; \
		$(MAKE) -j3 -k -O REFERENCE= all-chaos conformance shadow-test neighbours-test manager-test-1 bare-test package-test manager-test-2 systemd-test \
		directors-test || ended=$$?; exit $$ended
	@$(MAKE) fuzz FUZZTIME=20000x

long: long-checkvip long-files long-runs long-chaos long-walk long-kernel long-judgement long-watch long-observe long-switch long-idle long-onfail long-gaps long-shadow long-directors long-neighbours mutate

# Tests of one goroutine: the race detector finds nothing there, and took a third of its time for them. They run without it.
ALONE = Walk|Chaos|StoriesStay|GuardInEveryOrder|PlainWords|LinksLeadSomewhere|PatternsMeanWhatTheyMeanToPerl|EnginesAgree|ReceiveDecidesAsPerlOnRandomPatterns|$\
	HostilePatternsAreCompiledOrRefusedInTime|TheMemoryOfTenThousandServers|AHistoryIsBounded|Size|Views|BoundsAreThoseOfOneConfiguration|$\
	LayoutDoesNotChangeTheMeaning|FindingsAlikeAreCounted|Corpus|StrictCorpus|RangesOfAFileAreBounded|OverlapsAreThoseOfEachPairOfLines|$\
	NoFileGivesMoreDiagnosticsThanAnyoneReads|ACutTranscriptLeavesNoPartOfASecret
unit-test:
	@$(if $(RACE),,echo 'skipped: the race detector: it needs gcc')
	@mkdir -p build
	@ended=0; $(if $(RACE),nice -n 19 $(call replayed,$@-alone)$(GOTESTSUM) --jsonfile $(call EVENTS,$@-alone) -- -count=1 -run '^Test($(ALONE))$$' \
			$(call packages_with,Test($(ALONE))\b) || ended=$$?;) \
		$(RACED) $(call replayed,$@)$(GOTESTSUM) --jsonfile $(call EVENTS,$@) -- $(RACE) -skip '^Test(Kernel$(if $(RACE),|($(ALONE))$$))' ./... || ended=$$?; \
		[ "$(MAKELEVEL)" != 0 ] || testdata/skipped build/unit-test.json; exit $$ended

deletion-test:
	@testdata/deletion

# The programs that are not in the binary are a module of their own.
tools-test:
	@mkdir -p build
	@cd tools && $(RACED) $(call replayed,$@)$(GOTESTSUM) --jsonfile $(call EVENTS,$@) -- $(RACE) -skip '^TestKernel' ./...

RACED = $(if $(RACE),CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 )nice -n 19

# Two guests, a processor each. The second has the demo as well, which is in the module tools.
KERNEL_TEST_1 = ^TestKernel(Failures|Chaos|Doctor|Tutorial|CheckVIP(Changed|Elsewhere|Finds|Promoted|Thousand))
KERNEL_TEST = LDIRECTORD=$(CURDIR)/ldirectord GOTEST='$(call replayed,$(1))$(GOTESTSUM) --format testname --jsonfile $(call EVENTS,$(1)) --' \
	testdata/lab/kernel-test
kernel-test: kernel-test-1 kernel-test-2
kernel-test-1: ldirectord
	@mkdir -p build; $(call KERNEL_TEST,$@) -run '$(KERNEL_TEST_1)' ./lab
kernel-test-2: ldirectord
	@mkdir -p build; ended=0; $(call KERNEL_TEST,$@) -skip '$(KERNEL_TEST_1)' $(call packages_with,TestKernel) || ended=$$?; \
		$(call KERNEL_TEST,kernel-test-tools) -C tools ./demo || ended=$$?; exit $$ended

# Every row of docs/measured/failures.md and docs/night.md, and the time until a failure is seen. Two guests, a processor each.
JUDGEMENT = LongGuard|LongWeights|LongReturns|LongSharedDatabase|LongBackup|LongGroup|LongRemovals|LongFastDetection|LongWatch|OrdersEnd
FAULTS_1 = ^TestKernel(LongFailures|LongDetection|LongFastDetection|LongNight|LongGuard|OrdersEnd)$$
FAULTS = GOTEST='$(call tests,$@,standard-verbose)' LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 UML_SECONDS=1500 GOFLAGS=-v testdata/lab/kernel-test
all-faults:
	@$(MAKE) -j2 -k -O --no-print-directory all-faults-1 all-faults-2
all-faults-1: ldirectord
	$(FAULTS) -run '$(FAULTS_1)' ./lab
all-faults-2: ldirectord
	$(FAULTS) -run '^TestKernel(CheckVIPMarksChanged|LongCheckVIPPorts|$(JUDGEMENT))$$' -skip '$(FAULTS_1)' ./lab

# Three times the rows of what docs/judgement.md describes.
long-judgement: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 UML_SECONDS=3600 GOFLAGS=-v testdata/lab/kernel-test \
		-run '^TestKernel($(JUDGEMENT))$$' -count=3 ./lab

# Each fault twenty times, in eight minutes.
long-watch: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 WATCH_ROUNDS=4 GOFLAGS=-v testdata/lab/kernel-test -run '^TestKernelLongWatch(Traffic|Idle)?$$' ./lab

# An hour of strange and honest traffic, and faults that only clients meet, in seven minutes.
long-observe: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 HONEST_TRAFFIC=1h UML_SECONDS=5000 GOFLAGS=-v testdata/lab/kernel-test -run '^TestKernelLong(Observe(Out)?|Honest)$$' ./lab

# In five minutes.
long-switch: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 UML_MEMORY=1500M GOFLAGS=-v testdata/lab/kernel-test -run '^TestKernelLongWatchSwitch$$' ./lab

# An hour of idle connections that servers end.
long-idle: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 IDLE_CLOSES=1h UML_SECONDS=4000 GOFLAGS=-v testdata/lab/kernel-test -run '^TestKernelLongWatchIdle$$' ./lab

# A hundred of 300 servers are dead; RUN='gate IPv4' chooses rows. All of them need six hours.
PORTS_FOR ?= 10m
long-checkvip: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 PORTS_FOR=$(PORTS_FOR) UML_SECONDS=40000 GOFLAGS=-v testdata/lab/kernel-test \
		-run '^TestKernelLongCheckVIPPorts$$/$(RUN)' ./lab

# What clients with connections see when their server fails, by onfail, in two minutes: rows of docs/measured/failures.md.
long-onfail: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 GOFLAGS=-v testdata/lab/kernel-test -run '^TestKernelLongOnFail$$' ./lab

# Random trouble for the core, from many seeds, with a clock of its own. One processor; long-chaos takes all.
all-chaos:
	CHAOS_SEEDS=300 GOMAXPROCS=1 nice -n 19 $(GO) test -count=1 -timeout 30m -run '^TestChaos$$' ./core

long-chaos:
	CHAOS_SEEDS=1000 $(GO) test -count=1 -timeout 30m -run '^TestChaos$$' ./core

# Every state that judge can come to, with its capabilities alone, in pairs and in triples. WALK=NAME chooses a slice.
WALK ?= long
long-walk:
	WALK='$(WALK)' GOMEMLIMIT=3500MiB $(GO) test -count=1 -parallel 2 -timeout 2h -run '^TestWalk$$' ./judge

FILES ?= 20000
long-files:
	FILES=$(FILES) $(GO) test -count=1 -timeout 2h -run '^TestLongFiles$$' ./cmd/ldirectord

long-kernel: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 UML_SECONDS=1800 GOFLAGS=-v testdata/lab/kernel-test \
		-run '^TestKernelLong(Chaos|MarksOverKills)$$' ./lab

long-runs:
	LONG_TESTS=2m $(GO) test -count=1 -timeout 20m -run '^TestLong' ./checker
	LONG_TESTS=1 $(GO) test -count=1 -v -run '^TestRulesOnThisKernel' ./fwmark

# The table of docs/managers.md.
long-gaps:
	@LONG_TESTS=1 $(MAKE) manager-test

# Real packets through every forwarding method; prints the table of testdata/traffic.md.
traffic: ldirectord
	@suite=$$(mktemp -d) && trap "rm -r $$suite" EXIT && $(GO) test -c -o $$suite/traffic ./lab && \
		LDIRECTORD=$(CURDIR)/ldirectord testdata/lab/kernel-test -c env -C lab $$suite/traffic -test.run '^TestKernelTraffic'

# The first binary decides: LDIRECTORD=/usr/sbin/ldirectord tries the Perl program alone.
conformance: ldirectord
	@suite=$$(mktemp -d) && trap "rm -r $$suite" EXIT && $(GO) build -C tools -o $$suite ./conformance && \
		$(call script,$@)testdata/lab/kernel-test -c $$suite/conformance -run '$(RUN)' $(LDIRECTORD) $(filter-out $(LDIRECTORD),$(REFERENCE))

# The shadow beside the Perl ldirectord of Debian's package: no difference in a table at rest.
SHADOWED = connect default-quiescent external-exit-codes failurecount fallback-global http-quiescent-no \
	http-virtualhost maintenance-by-check-type on-and-off ports-by-name ranges-with-a-name-and-a-weight \
	reload-fallback-method same-server-in-mark-and-tcp server-written-twice service-none \
	simpletcp-needs-end-of-request start-finds-old-fallback udp-and-ops weight-zero-is-up weights-and-zero
shadow-test long-shadow: ldirectord
	@testdata/servers/install
	@suite=$$(mktemp -d) && trap "rm -r $$suite" EXIT && testdata/servers/perl $$suite && $(GO) build -C tools -o $$suite ./conformance && \
		$(call script,$@)testdata/lab/kernel-test -c $$suite/conformance -p 6 -shadow $(LDIRECTORD) \
		-run '$(if $(filter long-%,$@),$(RUN),^($(shell echo $(SHADOWED) | tr ' ' '|'))$$)' $$suite/usr/sbin/ldirectord

# Pairs of daemons on one table, some beside the Perl ldirectord of Debian's package. The long ones wait for times to pass.
neighbours-test long-neighbours: ldirectord
	@testdata/servers/install
	@suite=$$(mktemp -d) && trap "rm -r $$suite" EXIT && testdata/servers/perl $$suite && \
		PERL_LDIRECTORD=$$suite/usr/sbin/ldirectord LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 GOFLAGS=-v \
		testdata/lab/kernel-test -run '^TestKernelLongNeighbours$(if $(filter long-%,$@),Wait,(Perl)?)$$' ./lab

# Heartbeat, pacemaker and keepalived on two machines of the lab: six minutes for each half. With LONG_TESTS=1 also the
# gaps of a table that is always in place and, where REFERENCE names the Perl program, of that.
manager-test: manager-test-1 manager-test-2
manager-test-1 manager-test-2: ldirectord
	@testdata/servers/install
	LDIRECTORD=$(CURDIR)/ldirectord REFERENCE=$(REFERENCE) MANAGER_TESTS=required UML_MEMORY=1500M UML_SECONDS=2400 \
		$(call tests,$@,standard-verbose) -count=1 -timeout 40m -v -exec $(CURDIR)/testdata/lab/uml-run -run '$(RUN)' \
		-skip '^TestManager($(if $(filter %-1,$@),Pacemaker|Keepalived,Heartbeat|Agents))' ./lab/managers

# Several directors, a router and real servers with BIRD, and with FRR; the table of docs/directors.md.
directors-test long-directors: ldirectord
	@testdata/servers/install
	LDIRECTORD=$(CURDIR)/ldirectord DIRECTORS_TESTS=required UML_MEMORY=1200M UML_SECONDS=$(if $(filter long-%,$@),2400,900) GOFLAGS=-v \
		GOTEST='$(call tests,$@,standard-verbose)' testdata/lab/kernel-test -run '^TestDirectors' $(if $(filter long-%,$@),-count=3) ./lab

# The units with a real systemd.
systemd-test: ldirectord
	@LDIRECTORD=$(CURDIR)/ldirectord $(call script,$@)testdata/lab/systemd-test

# The page with a real browser, which needs a minute.
AXE = build/axe/node_modules/axe-core/axe.min.js
BROWSER_TEST = cd page/browser && LDIRECTORD=$(CURDIR)/ldirectord $(if $(shell command -v npm),AXE=$(CURDIR)/$(AXE)) $(GO) test -count=1 -timeout 5m
page-test page-pictures: ldirectord $(if $(shell command -v npm),$(AXE))
	@testdata/servers/install
	@$(if $(shell command -v npm),,echo 'skipped: accessibility: axe-core needs npm')
	$(if $(filter %-pictures,$@),export PICTURES=$(CURDIR)/docs; )$(call script,$@)sh -c '$(BROWSER_TEST) $(if $(filter %-pictures,$@),-run Pictures )./...'

$(AXE): page/browser/package.json page/browser/package-lock.json
	@mkdir -p build/axe && cp $^ build/axe && cd build/axe && npm ci --ignore-scripts --no-audit --no-fund --silent

package-test:
	@MAKEFLAGS= $(call script,$@)testdata/lab/package-test

# A first hour as an ordinary user of a bare Debian.
bare-test:
	@MAKEFLAGS= $(call script,$@)testdata/lab/bare-test

# What the tests use of Go's modules besides the program's own.
modules:
	@$(GO) mod download && $(GO) mod download -C tools && $(GO) run gotest.tools/gotestsum@$(GOTESTSUM_VERSION) --version >/dev/null

vet:
	$(GO) vet ./...
	$(GO) vet -C tools ./...

# Two mistakes are what tests are about.
misspell:
	@git ls-files | grep -v '^testdata/.*/' | xargs $(GO) run $(MISSPELL) -error -i strat,recieve

staticcheck:
	@$(GO) run $(STATICCHECK) ./...
	@cd tools && $(GO) run $(STATICCHECK) ./...

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# docs/measured/performance.md says how to read these.
perl-cost: ldirectord
	@LDIRECTORD=$(LDIRECTORD) testdata/perl-cost

peers: ldirectord
	@LDIRECTORD=$(LDIRECTORD) $(call script,$@)testdata/peers/peers

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

mutate:
	@GREMLINS=$(GREMLINS) tools/mutate/mutate $(MUTATE)

demo: ldirectord
	@$(GO) build -C tools -trimpath -o ../build/demo ./demo
	@exec build/demo -daemon ./ldirectord -ipvs $(if $(KERNEL),kernel,memory)

# What .ci/run plays tests by.
build/replay: always
	@$(GO) build -C tools -o ../$@ ./replay

clean:
	rm -rf ldirectord ldirectord-oracle build
