# make demo    the main job in the foreground, nothing installed; KERNEL=1 make demo uses the kernel's table
# make test    unit, scenario and kernel tests
# make traffic   of these, real packets through every forwarding method, with the table of docs/traffic.md
# make test-all  as root on Debian: also Debian's real servers, every scenario of the reference, long runs
# make conformance   every scenario with ours and, where installed, with the Perl ldirectord; RUN=REGEXP chooses
# make manager-test   as root on Debian: heartbeat, pacemaker and keepalived; RUN=REGEXP chooses
# make systemd-test   as root on Debian: the units with a real systemd
# make package-test   as root on Debian: the packages, on a clean Debian
# make install (as root) puts everything where systemd and the cluster managers look for it; install-sysv the rest
# make deb rpm   the packages, in build/

# sudo drops Go's usual place from the search path.
GO      ?= $(shell command -v go || echo /usr/local/go/bin/go)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# Of the commit, so that whoever builds it gets the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
DATE    = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%d)
DESTDIR ?=
FUZZTIME ?= 30s
BENCH    ?= .
RUN      ?= .
LDIRECTORD ?= $(CURDIR)/ldirectord
REFERENCE  ?= $(wildcard /usr/sbin/ldirectord)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

SOURCES := $(shell find . -name '*.go' -not -name '*_test.go') go.mod $(wildcard go.sum)
KERNEL_TESTS = $(sort $(dir $(shell find . -name '*_kernel_test.go')))
# The race detector needs a C compiler; everything else is built without.
RACE = $(shell command -v gcc >/dev/null && $(GO) env GOOS GOARCH | paste -sd/ | grep -qxE 'linux/(amd64|arm64|ppc64le|s390x)' && echo -race)

include packaging/install.mk

export GO
export CGO_ENABLED = 0

.DELETE_ON_ERROR:
.PHONY: build test test-all unit-test kernel-test long-faults long-chaos traffic conformance manager-test systemd-test package-test vet staticcheck bench fuzz demo clean always

build: ldirectord

ldirectord: $(SOURCES) build/version
	$(GO) build -trimpath -buildvcs=false -o $@ \
		-ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)' ./cmd/ldirectord

# Changes when the version does, and only then.
build/version: always
	@mkdir -p build; echo '$(VERSION) $(COMMIT) $(DATE)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT) $(DATE)' >$@

test: vet unit-test kernel-test

# The Perl program is left out of the scenarios here: what it did is recorded.
test-all: ldirectord
	@testdata/servers/install
	REAL_TESTS=required $(GO) test -count=1 -run '^TestReal' ./checker ./notify ./status
	LONG_TESTS=2m $(GO) test -count=1 -timeout 20m -run '^TestLong|^TestChaos' ./checker ./director
	LONG_TESTS=1 $(GO) test -count=1 -v -run '^TestRulesOnThisKernel' ./fwmark
	@$(MAKE) -j2 long-faults long-chaos
	@$(MAKE) conformance REFERENCE=
	@$(MAKE) manager-test REFERENCE=
	@$(MAKE) systemd-test package-test

unit-test:
	@$(if $(RACE),,echo 'skipped: race detector: it needs gcc')
	$(if $(RACE),CGO_ENABLED=1 )$(GO) test $(RACE) -skip '^TestKernel' ./...

kernel-test: ldirectord
	@LDIRECTORD=$(CURDIR)/ldirectord testdata/lab/kernel-test $(KERNEL_TESTS)

# Two guests, a processor each.
long-faults long-chaos: ldirectord
	LDIRECTORD=$(CURDIR)/ldirectord LONG_TESTS=1 UML_SECONDS=1800 GOFLAGS=-v testdata/lab/kernel-test \
		-run '^TestKernelLong$(if $(filter long-chaos,$@),Chaos,(Failures|Detection|MarksOverKills))$$' ./cmd/ldirectord

# Real packets through every forwarding method; prints the table of docs/traffic.md.
traffic: ldirectord
	@suite=$$(mktemp -d) && trap "rm -r $$suite" EXIT && $(GO) test -c -o $$suite/traffic ./cmd/ldirectord && \
		testdata/lab/kernel-test -c env -C cmd/ldirectord $$suite/traffic -test.run '^TestKernelTraffic'

# The first binary decides: LDIRECTORD=/usr/sbin/ldirectord tries the Perl program alone.
conformance: ldirectord
	@suite=$$(mktemp -d) && trap "rm -r $$suite" EXIT && $(GO) build -o $$suite ./conformance && \
		testdata/lab/kernel-test -c $$suite/conformance -run '$(RUN)' $(LDIRECTORD) $(filter-out $(LDIRECTORD),$(REFERENCE))

# Heartbeat, pacemaker and keepalived on two machines of the lab: about ten minutes. Where REFERENCE names the
# Perl program, its gaps are measured as well.
manager-test: ldirectord
	@testdata/servers/install
	LDIRECTORD=$(CURDIR)/ldirectord REFERENCE=$(REFERENCE) MANAGER_TESTS=required UML_MEMORY=1500M UML_SECONDS=2400 \
		$(GO) test -count=1 -timeout 40m -v -exec $(CURDIR)/testdata/lab/uml-run -run '$(RUN)' ./managers

# The units with a real systemd.
systemd-test: ldirectord
	@LDIRECTORD=$(CURDIR)/ldirectord testdata/lab/systemd-test

package-test:
	@testdata/lab/package-test

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# Each fuzz target for FUZZTIME: go test takes one at a time.
fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

demo: ldirectord
	$(GO) run ./examples/demo -daemon ./ldirectord -ipvs $(if $(KERNEL),kernel,memory)

clean:
	rm -rf ldirectord build
