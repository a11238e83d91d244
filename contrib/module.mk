# Packages, installation, a Debian package.
BINDIR := $(PREFIX)/bin
SBINDIR := $(PREFIX)/sbin
LIBEXECDIR := $(PREFIX)/libexec/zoned
MANDIR := $(PREFIX)/share/man
UNITDIR := $(PREFIX)/lib/systemd/system
helpers := $(filter-out $(BUILD)/zone,$(programs))
pages := $(wildcard man/*.1 man/*.5 man/*.8)
units := $(notdir $(basename $(wildcard contrib/systemd/*.in)))

deps:
	@contrib/deps.sh build test

# The daemon's helpers live beside it: it finds them by its own place.
install: $(programs)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(UNITDIR)
	install -m 0755 $(helpers) $(DESTDIR)$(LIBEXECDIR)
	ln -sfn ../libexec/zoned/zoned $(DESTDIR)$(SBINDIR)/zoned
	install -m 0755 $(BUILD)/zone $(DESTDIR)$(BINDIR)
	for link in zonecfg zoneadm zlogin zonestat; do ln -sfn zone $(DESTDIR)$(BINDIR)/$$link; done
	for page in $(pages); do \
	  install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man$${page##*.} $$page || exit 1; done
	for unit in $(units); do \
	  sed 's|@SBINDIR@|$(SBINDIR)|g' contrib/systemd/$$unit.in > $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	  chmod 0644 $(DESTDIR)$(UNITDIR)/$$unit; done

deb: $(programs)
	@rm -rf $(BUILD)/deb
	@$(MAKE) --no-print-directory -s install DESTDIR=$(BUILD)/deb PREFIX=/usr
	@contrib/deb.sh $(BUILD)/deb $(VERSION) $(BUILD)/zoned_$(VERSION).deb

.PHONY: deps install deb
