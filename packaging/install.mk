# What is installed, and where. `make install`, the packages and the archives use the same lines.

PREFIX  ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/ldirectord
TERMSDIR ?= $(PREFIX)/share/licenses/ldirectord
UNITDIR ?= /usr/lib/systemd/system
LIBDIR  ?= /usr/lib/ldirectord
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
# The link to pacemaker's agent. The scripts of the packages make their own.
AGENT   ?= /usr/lib/ocf/resource.d/heartbeat/ldirectord
# The folder of the files that belong to the operator after the installation.
ETC     ?= /etc

# Installs with this mode, whatever the umask.
INSTALL  = install -D -m 0644
# A file of the operator stays as it is.
KEEP     = sh -c 'test -e "$$3" || install -D -m "$$1" "$$2" "$$3"' keep
# The agent of the package resource-agents stays.
LINK     = sh -c 'test -e "$$2" || test -L "$$2" || { mkdir -p "$${2%/*}" && ln -s "$$1" "$$2"; }' link
PACKAGER ?= ldirectord <ldirectord@localhost>
NFPM      = github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0
# The programs that the build itself runs are built for this machine, whatever the target is.
HERE      = env -u GOOS -u GOARCH $(GO) run
LICENCES  = $(HERE) -C tools ./licences -C .. -arch $(GOARCH)
# The only part of tools that is for operators.
BRIDGE    = tools/alertmanager/README.md tools/alertmanager/main.go
UNITS     = ldirectord.service ldirectord@.service

.PHONY: install install-files install-terms install-copyright install-sysv uninstall deb rpm archive release

install: install-files install-terms

install-files: $(BINARIES)
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(SBINDIR)/ldirectord
	install -D -m 0755 $(PROGRAM)-oracle $(DESTDIR)$(SBINDIR)/ldirectord-oracle
	install -D -m 0755 $(PROGRAM)-import $(DESTDIR)$(SBINDIR)/ldirectord-import
	install -D -m 0755 packaging/ocf/ldirectord $(DESTDIR)$(LIBDIR)/ocf-agent
	$(if $(AGENT),$(LINK) $(LIBDIR)/ocf-agent $(DESTDIR)$(AGENT))
	install -D -m 0755 packaging/systemd/restartable $(DESTDIR)$(LIBDIR)/restartable
	install -d -m 0755 $(DESTDIR)/etc/ha.d/resource.d && ln -sf $(SBINDIR)/ldirectord $(DESTDIR)/etc/ha.d/resource.d/ldirectord
	for unit in $(UNITS); do \
		sed 's|/usr/sbin/|$(SBINDIR)/|g' packaging/systemd/$$unit | $(INSTALL) /dev/stdin $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	for page in docs/man/*; do \
		sed 's/^\.Os ldirectord$$/& $(VERSION)/' $$page | gzip -9nc | \
			$(INSTALL) /dev/stdin $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}.gz || exit 1; done
	$(INSTALL) packaging/completion/ldirectord.bash $(DESTDIR)$(BASHDIR)/ldirectord
	$(INSTALL) -t $(DESTDIR)$(DOCDIR) README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE NOTICE
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/docs docs/*.md docs/*.png
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/docs/measured docs/measured/*
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/packaging/systemd packaging/systemd/*.conf
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/packaging/container packaging/container/*
	cd examples && find . -type f -exec $(INSTALL) '{}' '$(abspath $(DESTDIR)/)$(DOCDIR)/examples/{}' ';'
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/tools/alertmanager $(BRIDGE)
	$(KEEP) 0644 packaging/logrotate $(DESTDIR)$(ETC)/logrotate.d/ldirectord

# The licences: ours, and those of the modules in the binaries.
install-terms:
	$(INSTALL) -t $(DESTDIR)$(TERMSDIR) LICENSE NOTICE
	$(LICENCES) ./cmd/ldirectord ./cmd/ldirectord-oracle ./cmd/ldirectord-import >build/LICENSES && $(INSTALL) -t $(DESTDIR)$(TERMSDIR) build/LICENSES

# Further files that Debian requires: its form of the licence, and a changelog. Also the sums of all files in /etc
# that some version of the package wrote.
install-copyright:
	$(INSTALL) -t $(DESTDIR)$(DOCDIR) packaging/deb/copyright
	$(INSTALL) -t $(DESTDIR)/usr/share/ldirectord packaging/deb/written
	printf 'ldirectord (2:%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' '$(VERSION)' '$(PACKAGER)' \
		"$$(LC_ALL=C date -u -R -d @$(SOURCE_DATE_EPOCH))" | gzip -9nc | $(INSTALL) /dev/stdin $(DESTDIR)$(DOCDIR)/changelog.Debian.gz
	$(INSTALL) packaging/deb/lintian-overrides $(DESTDIR)/usr/share/lintian/overrides/ldirectord

# For machines without systemd.
install-sysv:
	install -D -m 0755 packaging/init/ldirectord $(DESTDIR)$(ETC)/init.d/ldirectord
	$(KEEP) 0644 packaging/init/default $(DESTDIR)$(ETC)/default/ldirectord

# Files of /etc that an operator changed stay, and so do ldirectord.cf and what is in /run, /var/log and /var/lib.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/ldirectord $(DESTDIR)$(SBINDIR)/ldirectord-oracle $(DESTDIR)$(SBINDIR)/ldirectord-import \
		$(DESTDIR)/etc/ha.d/resource.d/ldirectord \
		$(UNITS:%=$(DESTDIR)$(UNITDIR)/%) $(foreach page,$(wildcard docs/man/*),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)).gz) \
		$(DESTDIR)$(BASHDIR)/ldirectord
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(TERMSDIR) $(DESTDIR)$(LIBDIR)
	test "$$(readlink $(DESTDIR)$(AGENT))" != $(LIBDIR)/ocf-agent || rm -f $(DESTDIR)$(AGENT)
	for file in logrotate:logrotate.d init/default:default init/ldirectord:init.d; do \
		there=$(DESTDIR)/etc/$${file#*:}/ldirectord; \
		! cmp -s packaging/$${file%:*} $$there || rm -f $$there; done

# A package: the same commit gives the same bytes, whenever and wherever it is built.
deb rpm: $(BINARIES)
	rm -rf build/$@
	$(MAKE) -s $(PARTS) DESTDIR=build/$@ $(LAYOUT)
	find build/$@ -exec touch -h -d @$(SOURCE_DATE_EPOCH) '{}' +
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) PACKAGE_VERSION='$(VERSION)' PACKAGER='$(PACKAGER)' \
		PACKAGE_ARCH=$(GOARCH) $(HERE) $(NFPM) package -f packaging/nfpm.yaml -p $@ -t $(PACKAGES)

PACKAGES ?= build
deb: PARTS  = install install-sysv install-copyright
deb: LAYOUT = TERMSDIR=/usr/share/doc/ldirectord UNITDIR=/lib/systemd/system AGENT= ETC=/usr/share/ldirectord/etc
rpm: PARTS  = install
rpm: LAYOUT = TERMSDIR=/terms AGENT=

# The programs and all that belongs to them, to be unpacked anywhere.
ARCHIVE = ldirectord-$(VERSION)-linux-$(GOARCH)
archive: $(BINARIES)
	rm -rf build/archive
	install -D -m 0755 $(PROGRAM) build/archive/$(ARCHIVE)/ldirectord
	install -D -m 0755 $(PROGRAM)-oracle build/archive/$(ARCHIVE)/ldirectord-oracle
	install -D -m 0755 $(PROGRAM)-import build/archive/$(ARCHIVE)/ldirectord-import
	$(MAKE) -s install-terms TERMSDIR=build/archive/$(ARCHIVE)
	for file in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs/*.md docs/measured/* docs/man/* packaging/*/* packaging/logrotate $$(find examples -type f) $(BRIDGE); do \
		case $$file in packaging/deb/* | packaging/rpm/*) continue ;; esac; \
		$(INSTALL) $$file build/archive/$(ARCHIVE)/$$file || exit 1; done
	chmod 0755 build/archive/$(ARCHIVE)/packaging/ocf/ldirectord build/archive/$(ARCHIVE)/packaging/init/ldirectord \
		build/archive/$(ARCHIVE)/packaging/systemd/restartable
	tar -C build/archive --sort=name --format=gnu --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner \
		-c $(ARCHIVE) | gzip -9nc >$(PACKAGES)/$(ARCHIVE).tar.gz

# A release is built with the Go that go.mod names, so that everybody gets the same bytes. It has archives, packages, the
# modules of each program (SBOM, CycloneDX), and where all files come from (provenance, in-toto). If SIGN_KEY names the file
# of an SSH key, the sums and the provenance are signed.
CYCLONEDX = $(HERE) github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
release: export GOTOOLCHAIN = $(shell sed -n 's/^toolchain //p' go.mod)
release: export GOFLAGS = -trimpath
release: export GOAMD64 = v1
release: export GOARM64 = v8.0
release:
	rm -rf build/release && mkdir -p build/release
	for arch in amd64 arm64; do \
		rm -f build/$$arch/ldirectord build/$$arch/ldirectord-* && \
		$(MAKE) -s archive deb rpm GOARCH=$$arch PROGRAM=build/$$arch/ldirectord PACKAGES=build/release \
			VERSION='$(VERSION)' COMMIT='$(COMMIT)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' || exit 1; \
		for program in ldirectord ldirectord-oracle ldirectord-import; do \
			$(CYCLONEDX) bin -json -std -noserial -notimestamp -version '$(VERSION)' \
				-output build/release/$$program-$(VERSION)-linux-$$arch.cdx.json build/$$arch/$$program || exit 1; done; done
	cd build/release && sha256sum ldirectord* >SHA256SUMS && cat SHA256SUMS
	packaging/provenance '$(VERSION)' '$(COMMIT)' "$$($(GO) env GOVERSION)" <build/release/SHA256SUMS >build/release/provenance.json
	$(if $(SIGN_KEY),cd build/release && for file in SHA256SUMS provenance.json; do ssh-keygen -Y sign -n ldirectord -f '$(SIGN_KEY)' $$file || exit 1; done)
