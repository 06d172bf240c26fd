# A gateway on this machine (README). A second make builds, since what is installed decides what is
# built. HOST: the name at which devices reach this machine.
# HOST of the environment is some shells' own name of the machine.
LAUNCHER = B="$(B)" HOST="$(if $(filter command,$(origin HOST)),$(HOST))" /usr/bin/python3 deploy/launcher
need_root = $(if $(filter 0,$(shell id -u)),,$(error make $@ needs root))

up:
	@: $(need_root)
	@[ ! -x /usr/bin/python3 ] || $(LAUNCHER) check
	@deploy/deps build run
	@$(MAKE) -s --no-print-directory -j$$(nproc) B="$(B)" $(addprefix $(B)/bin/,$(DAEMONS)) $(B)/culvert.acl
	@$(LAUNCHER) up
down:
	@: $(need_root)
	@$(LAUNCHER) down

.PHONY: up down

# Manual pages whose tables are those of the programs.
MAN_MADE = $(B)/man/culvert.conf.5 $(B)/man/culvert-bus.7
$(B)/man/culvert-bus.7: deploy/man/culvert-bus.7.in $(B)/bin/bus-tables
	@mkdir -p $(@D)
	$(Q)$(B)/bin/bus-tables >$@.tables
	$(Q)sed -e '/^@TABLES@$$/{r $@.tables' -e 'd}' $< >$@
$(B)/man/culvert.conf.5: deploy/man/culvert.conf.5.in deploy/man/conf-tables $(addprefix $(B)/bin/,$(DAEMONS))
	@mkdir -p $(@D)/keys
	$(Q)for d in $(DAEMONS); do $(B)/bin/$$d --keys >$(@D)/keys/$$d || exit 1; done
	$(Q)$(B)/bin/proxyd --path --keys >$(@D)/keys/path
	$(Q)deploy/man/conf-tables $(addprefix $(@D)/keys/,$(DAEMONS) path) >$@.tables
	$(Q)sed -e '/^@TABLES@$$/{r $@.tables' -e 'd}' $< >$@
man: $(MAN_MADE)
.PHONY: man

# What backups are encrypted by: libsodium has Argon2id, sealed boxes and a stream whose end is authentic.
TOOLS += culvert-seal
SEAL_SRCS = deploy/backup/seal.c deploy/backup/seal_head.c deploy/backup/seal_key.c
culvert-seal_SRCS = deploy/backup/main.c $(SEAL_SRCS)
culvert-seal_LIBS := -lsodium

# make install DESTDIR=… PREFIX=…: programs, units, what culvert-setup needs. Nothing is started and no user
# is made: that is culvert-setup's.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR = $(PREFIX)/sbin
SHAREDIR = $(PREFIX)/share/culvert
LIBEXECDIR = $(PREFIX)/libexec/culvert
UNITDIR ?= $(PREFIX)/lib/systemd/system
FILL = sed -e '/^@DAEMON@$$/{r deploy/systemd/daemon.inc' -e 'd}' -e '/^@PLAIN@$$/{r deploy/nginx/plain.inc' -e 'd}' -e '/^@TLS@$$/{r deploy/nginx/tls.inc' -e 'd}' -e '/^@HARDENING@$$/{r deploy/systemd/hardening.inc' -e 'd}'
PLACES = sed -e 's|@SBINDIR@|$(SBINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g; s|@SHAREDIR@|$(SHAREDIR)|g; s|@LIBEXECDIR@|$(LIBEXECDIR)|g; s|@PREFIX@|$(PREFIX)|g'
# fill FILE.in,TARGET,MODE
fill = $(FILL) $(1) | $(PLACES) >$(2) && chmod $(3) $(2)
PUT = install -p -m 644
D = $(DESTDIR)
ACLS = $(addprefix $(B)/,culvert.acl culvert-replicated.acl culvert-sentinel.acl)
install: $(addprefix $(B)/bin/,$(DAEMONS) culvert-seal directus-records listcheck bus-acl) $(ACLS) $(MAN_MADE)
	@install -d $(D)$(SBINDIR) $(D)$(LIBEXECDIR) $(D)$(UNITDIR) $(D)$(SHAREDIR)/texts $(D)$(SHAREDIR)/examples $(D)$(SHAREDIR)/nginx $(D)$(SHAREDIR)/coturn \
		$(D)$(PREFIX)/lib/sysusers.d $(D)$(PREFIX)/lib/tmpfiles.d $(D)$(PREFIX)/lib/sysctl.d \
		$(D)$(PREFIX)/share/man/man5 $(D)$(PREFIX)/share/man/man7 $(D)$(PREFIX)/share/man/man8 $(D)$(SYSCONFDIR)/logrotate.d
	@install -p $(addprefix $(B)/bin/,$(DAEMONS) culvert-seal) $(D)$(SBINDIR)
	@install -p $(addprefix $(B)/bin/,directus-records listcheck bus-acl) $(D)$(LIBEXECDIR)
	@install -d $(D)$(LIBEXECDIR)/import && $(PUT) deploy/import/*.py $(D)$(LIBEXECDIR)/import
	@$(call fill,deploy/import/culvert-import,$(D)$(SBINDIR)/culvert-import,755)
	@$(call fill,deploy/backup/culvert-backup.in,$(D)$(SBINDIR)/culvert-backup,755)
	@$(call fill,deploy/backup/culvert-restore.in,$(D)$(SBINDIR)/culvert-restore,755)
	@$(call fill,deploy/setup/culvert-setup.in,$(D)$(SBINDIR)/culvert-setup,755)
	@$(call fill,deploy/setup/culvert-selftest.in,$(D)$(SBINDIR)/culvert-selftest,755)
	@install -p deploy/setup/lacks-wireguard $(D)$(LIBEXECDIR)
	@install -p deploy/client/culvert-enrol $(D)$(SHAREDIR)/culvert-enrol
	@for u in deploy/systemd/culvert*.in; do t=$(D)$(UNITDIR)/$$(basename $$u .in); $(call fill,$$u,$$t,644) || exit 1; done
	@for u in deploy/nginx/*.in deploy/coturn/*.in; do t=$(D)$(SHAREDIR)/$${u#deploy/}; t=$${t%.in}; $(call fill,$$u,$$t,644) || exit 1; done
	@$(call fill,deploy/nginx/certbot-deploy,$(D)$(SHAREDIR)/nginx/certbot-deploy,755)
	@$(PUT) deploy/systemd/sysusers.conf $(D)$(PREFIX)/lib/sysusers.d/culvert.conf
	@$(call fill,deploy/systemd/tmpfiles.conf.in,$(D)$(PREFIX)/lib/tmpfiles.d/culvert.conf,644)
	@$(PUT) deploy/systemd/sysctl.conf $(D)$(PREFIX)/lib/sysctl.d/60-culvert.conf
	@$(PUT) deploy/systemd/logrotate.conf $(D)$(SYSCONFDIR)/logrotate.d/culvert
	@$(call fill,deploy/systemd/redis.conf.in,$(D)$(SHAREDIR)/redis.conf,644)
	@$(PUT) deploy/culvert.conf.example $(ACLS) $(addprefix deploy/systemd/,mariadb.cnf galera.cnf redis-shared.conf redis-replicated.conf sentinel.conf) $(D)$(SHAREDIR)
	@$(PUT) deploy/texts/*.json $(D)$(SHAREDIR)/texts
	@install -d $(D)$(SHAREDIR)/oci && install -p deploy/oci/start $(D)$(SHAREDIR)/oci && $(PUT) deploy/oci/Containerfile deploy/oci/compose.yaml $(D)$(SHAREDIR)/oci
	@$(PUT) deploy/setup/seed.json deploy/examples/policy/lists/sample.txt $(D)$(SHAREDIR)/examples
	@$(PUT) deploy/man/*.8 $(D)$(PREFIX)/share/man/man8
	@for p in culvert-restore culvert-seal; do echo '.so man8/culvert-backup.8' >$(D)$(PREFIX)/share/man/man8/$$p.8; done
	@$(PUT) $(B)/man/culvert.conf.5 $(D)$(PREFIX)/share/man/man5
	@$(PUT) $(B)/man/culvert-bus.7 $(D)$(PREFIX)/share/man/man7
.PHONY: install

# Debian packages, from a copy of the sources whose ./debian is deploy/debian: $(B)/culvert_VERSION_ARCH.deb,
# culvert-openssl and those with debugging symbols.
DEB = $(B)/deb
SOURCES = Makefile LICENSE README.md SECURITY.md CONTRIBUTING.md CHANGELOG.md common $(DAEMONS) deploy tests
deb:
	@deploy/deps build package
	@rm -rf $(DEB) && mkdir -p $(DEB)/culvert-$(VERSION)
	@tar -c $(wildcard $(SOURCES)) | tar -x -C $(DEB)/culvert-$(VERSION)
	@cp -a deploy/debian $(DEB)/culvert-$(VERSION)/debian
	@sed -i '1s/(.*)/($(VERSION))/' $(DEB)/culvert-$(VERSION)/debian/changelog
	@cd $(DEB)/culvert-$(VERSION) && env -u B -u TLS CC="$(CC)" MAKEFLAGS= MAKELEVEL= DEB_BUILD_OPTIONS="parallel=$$(nproc) nocheck" \
		dpkg-buildpackage -b -us -uc >../build.log 2>&1 || { tail -30 ../build.log >&2; exit 1; }
	@mv -f $(DEB)/*.deb $(B)/ && rm -rf $(DEB)/culvert-$(VERSION)
	@ls $(B)/culvert*_$(VERSION)_*.deb
.PHONY: deb
