# What is installed, and where. `make install` and the packages use the same lines.

PREFIX  ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/ldirectord
UNITDIR ?= /usr/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
AGENT   ?= /usr/lib/ocf/resource.d/heartbeat/ldirectord

INSTALL  = install -D -m 0644
# The files of an operator stay as they are.
KEEP     = sh -c 'test -e "$$3" || install -D -m "$$1" "$$2" "$$3"' keep
# A tag without its v; without a tag, the time of the commit, so that a later one is newer.
PACKAGE_VERSION ?= $(if $(findstring .,$(VERSION)),$(subst -,+,$(patsubst v%,%,$(VERSION))),$(shell date -u -d @$(SOURCE_DATE_EPOCH) +0.0.0+git%Y%m%d.%H%M).$(COMMIT))
PACKAGER ?= ldirectord <root@localhost>
NFPM      = github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0

.PHONY: install install-sysv deb rpm

install: ldirectord
	install -D -m 0755 ldirectord $(DESTDIR)$(SBINDIR)/ldirectord
	install -D -m 0755 packaging/ocf/ldirectord $(DESTDIR)$(AGENT)
	mkdir -p $(DESTDIR)/etc/ha.d/resource.d && ln -sf $(SBINDIR)/ldirectord $(DESTDIR)/etc/ha.d/resource.d/ldirectord
	for unit in ldirectord.service ldirectord@.service; do \
		mkdir -p $(DESTDIR)$(UNITDIR) && sed 's|/usr/sbin/|$(SBINDIR)/|g' packaging/systemd/$$unit >$(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	for page in man/*; do \
		dir=$(DESTDIR)$(MANDIR)/man$${page##*.} && mkdir -p $$dir && gzip -9nc $$page >$$dir/$${page##*/}.gz || exit 1; done
	$(INSTALL) packaging/completion/ldirectord.bash $(DESTDIR)$(BASHDIR)/ldirectord
	$(INSTALL) packaging/completion/ldirectord.zsh $(DESTDIR)$(ZSHDIR)/_ldirectord
	$(INSTALL) -t $(DESTDIR)$(DOCDIR) README.md docs/*.md
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/systemd packaging/systemd/ldirectord-forking.service packaging/systemd/*.conf
	$(INSTALL) -t $(DESTDIR)$(DOCDIR)/container packaging/container/*
	cd examples && find . -type f -not -path './demo/*' -exec $(INSTALL) '{}' '$(abspath $(DESTDIR)/)$(DOCDIR)/examples/{}' ';'
	$(KEEP) 0644 packaging/logrotate $(DESTDIR)/etc/logrotate.d/ldirectord

# For machines without systemd.
install-sysv:
	install -D -m 0755 packaging/init/ldirectord $(DESTDIR)/etc/init.d/ldirectord
	$(KEEP) 0644 packaging/init/default $(DESTDIR)/etc/default/ldirectord

# A package: the same commit gives the same bytes, whenever and wherever it is built.
deb rpm: ldirectord
	rm -rf build/$@
	$(MAKE) -s install DESTDIR=build/$@ $(LAYOUT)
	$(if $(filter deb,$@),$(MAKE) -s install-sysv DESTDIR=build/$@)
	find build/$@ -exec touch -h -d @$(SOURCE_DATE_EPOCH) '{}' +
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) PACKAGE_VERSION='$(PACKAGE_VERSION)' PACKAGER='$(PACKAGER)' \
		GOARCH=$$($(GO) env GOARCH) $(GO) run $(NFPM) package -f packaging/nfpm.yaml -p $@ -t build

deb: LAYOUT = UNITDIR=/lib/systemd/system ZSHDIR=/usr/share/zsh/vendor-completions AGENT=/usr/lib/ldirectord/ocf-agent
