# Tests: the runner is tests/check.
PARTS = unit fuzz policy lint bus lab wgd fwd dnsd proxyd path filters syncd apid ui walk trust ops

# For the runner: make print-UNITS.
print-%:
	@echo $($*)

JOBS = -s --no-print-directory -j$$(nproc)

deps:
	@deploy/deps build run test

# A second make, since what is installed decides what is built (llhttp).
check: deps
	$(Q)$(MAKE) $(JOBS) B=$(B) all units replays
	$(Q)$(MAKE) $(JOBS) asan openssl
	$(Q)B=$(B) tests/check
check-asan: deps
	$(Q)$(MAKE) $(JOBS) asan
	$(Q)B=build-asan tests/check asan
# With undecrypted HTTPS judged in the path, too.
check-trust: export LAB_PATH = yes
$(addprefix check-,$(PARTS)): check-%: deps
	$(Q)$(MAKE) $(JOBS) B=$(B) all units replays
	$(Q)$(if $(filter proxyd,$*),$(MAKE) $(JOBS) openssl)
	$(Q)$(if $(filter trust,$*),rm -f $(B)/evidence/trust-*.txt $(B)/evidence/netfuzz.log)
	$(Q)B=$(B) tests/check $*$(if $(filter trust,$*),; s=$$?; \
		$(MAKE) -s --no-print-directory netfuzz || s=1; B=$(B) tests/trust-tables; exit $$s)

# On a kernel with WireGuard, a guest's if need be (tests/kernel/guest): 1 to 5 minutes. Not part of check.
check-kernel: deps
	$(Q)deploy/deps kernel
	$(Q)$(MAKE) $(JOBS) B=$(B) $(B)/bin/wgd $(B)/culvert.acl
	$(Q)B=$(B) tests/check kernel
# In-path judging on a kernel with nft's own queue: 8 minutes in an emulated guest. Not part of check.
check-guestpath: deps
	$(Q)deploy/deps kernel
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)B=$(B) tests/check guestpath
.PHONY: check-guestpath
# Beside a real Directus from npm, which is kept in ~/.cache/culvert: 5 minutes. Not part of check.
check-directus: deps
	$(Q)deploy/deps peer
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)B=$(B) tests/check directus
# The chaos of appeals for 200 rounds: 3 minutes. Not part of check, which has 30.
check-long: deps
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)CULVERT_CHAOS_ROUNDS=200 B=$(B) /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/suite/syncd/test_appeals_chaos.py
.PHONY: check-long
# The API's document held against OpenAPI, and every answer of apid's suite against the document: redocly and
# prism from npm, 250 MB below $(B). Not part of check.
check-document: deps
	$(Q)deploy/deps peer
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)B=$(B) tests/check document
.PHONY: check-document
# Two gateways, three Redis with Sentinels, three Galera nodes, each part killed under traffic: 5 minutes, HA_SEED=N
# for another order, HA_ROUNDS=N for more. The log is $(B)/evidence/ha.log. Not part of check.
check-ha: deps
	$(Q)deploy/deps ha
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)B=$(B) tests/check ha
.PHONY: check-ha
# The guest's kernel, once: it makes check-kernel several times as fast.
guest-kernel:
	$(Q)deploy/deps kernel
	$(Q)tests/kernel/build-uml
.PHONY: check-directus check-kernel guest-kernel

# The Debian packages on a system that boots (systemd-nspawn): installed, used, upgraded from the version
# before, removed, purged; and what goes wrong meanwhile. 25 minutes, and those that building the packages takes.
# Not part of check. The version before is what lies in $(B)/previous, else that of the commit PREVIOUS, else this
# one under a lower number.
check-systemd: deps
	$(Q)deploy/deps boot
	$(Q)rm -f $(B)/culvert*.deb && $(MAKE) -s --no-print-directory deb
	$(Q)ls $(B)/previous/culvert_*.deb >/dev/null 2>&1 || \
		if [ -z "$(PREVIOUS)" ]; then $(MAKE) -s --no-print-directory deb B=$(B)/previous VERSION=0.0.9; \
		else rm -rf $(B)/before && mkdir -p $(B)/before $(B)/previous && git archive $(PREVIOUS) | tar -x -C $(B)/before && \
			env -u B -u VERSION MAKEFLAGS= MAKELEVEL= CC="$(CC)" $(MAKE) -s -C $(B)/before deb VERSION=0.0.9 && \
			mv $(B)/before/build/culvert*_0.0.9_*.deb $(B)/previous/; fi
	$(Q)B=$(B) tests/check systemd
.PHONY: check-systemd

# How long changes take to act, faults, load for long: tests/suite/trust has them short. What they print is kept.
latency chaos soak netfuzz coverage analyze check-valgrind mutants: SHELL = /bin/bash # for pipefail
latency chaos soak: deps
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)mkdir -p $(B)/evidence && set -o pipefail && B=$(B) tests/$@ | tee $(B)/evidence/$@.log
.PHONY: latency chaos soak

# Wrong input for all daemons, which run with the sanitizers: make netfuzz NETFUZZ="SECONDS SEED".
netfuzz: deps
	$(Q)$(MAKE) $(JOBS) asan
	$(Q)mkdir -p $(B)/evidence && set -o pipefail && B=build-asan tests/netfuzz $(NETFUZZ) | tee $(B)/evidence/netfuzz.log

# Which lines the tests run, of each daemon: half an hour.
coverage: deps
	$(Q)$(MAKE) $(JOBS) B=build-cov SAN="--coverage -fprofile-update=atomic" CFLAGS="-O1 -g" all units
	$(Q)mkdir -p $(B)/evidence && set -o pipefail && B=build-cov tests/coverage | tee $(B)/evidence/coverage.log

# Three analyzers over the programs: minutes the first time.
analyze: deps
	$(Q)deploy/deps analyze
	$(Q)mkdir -p $(B)/evidence && set -o pipefail && B=$(B) tests/lint/analyze | tee $(B)/evidence/analyze.log

# The unit tests and the core of each daemon's suite, under valgrind: minutes.
check-valgrind: deps
	$(Q)deploy/deps analyze
	$(Q)$(MAKE) $(JOBS) B=$(B) all units
	$(Q)mkdir -p $(B)/evidence && set -o pipefail && B=$(B) tests/valgrind | tee $(B)/evidence/valgrind.log
.PHONY: netfuzz coverage analyze check-valgrind

# In a Debian 13 made for it. Minutes.
check-trixie:
	$(Q)tests/trixie
# Image and containers, with podman. Minutes.
check-oci:
	$(Q)B=$(B) tests/oci
# Whether the tests of the decision notice slips in it: make mutants MUTANTS="--seed 2". Ten minutes, and the first time those of a build.
mutants: deps
	$(Q)mkdir -p $(B)/evidence && set -o pipefail && tests/mutants $(MUTANTS) | tee $(B)/evidence/mutants.log
.PHONY: check-trixie check-oci mutants

# 60 s a target; make fuzz SECONDS=5 for a quick look.
SECONDS ?= 60
fuzz: deps
	$(Q)$(MAKE) -s B=$(B) fuzzers
	$(Q)for f in $(FUZZERS); do mkdir -p $(B)/fuzz-corpus/$$f && \
		$(B)/tests/fuzz/$$f -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 \
		$(B)/fuzz-corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

.PHONY: deps check check-asan fuzz $(addprefix check-,$(PARTS))

# A daemon that is nothing but its bus, for tests/suite/bus.
TOOLS += bus-probe
bus-probe_SRCS := tests/suite/bus/probe.c
# What proxyd reads in hellos, for tests/suite/proxyd.
TOOLS += hello-probe
hello-probe_SRCS := tests/suite/proxyd/hello_probe.c proxyd/client_hello.c proxyd/target.c proxyd/tls_message.c
# Small packets at a steady rate, for tests/suite/fwd.
TOOLS += packet-flood
packet-flood_SRCS := tests/suite/fwd/flood.c

# The decision alone, fed by hand and with a clock that stands, for tests/suite/policy.
TOOLS += policy-probe
policy-probe_SRCS = tests/suite/policy/probe.c tests/unit/fake_bus.c syncd/list_content.c \
	$(LIST_PARSE_SRCS)
policy-probe_LIBS := -lidn2 -lpsl -Wl,--wrap=clock_wall_ms

# Benchmarks against peers: tests/bench/PART writes build/bench/PART.json. They come with the parts that
# they measure.
TOOLS += packet-rates
packet-rates_SRCS := tests/bench/tools/rates.c
TOOLS += firewall-cost
firewall-cost_SRCS = tests/bench/tools/firewall.c $(FWD_SRCS)
firewall-cost_LIBS = $(fwd_LIBS)
TOOLS += domainset-bench
domainset-bench_SRCS = tests/bench/tools/domainset.c tests/bench/tools/naive.c $(LIST_PARSE_SRCS)
domainset-bench_LIBS := -lidn2 -lpsl
TOOLS += dns-steady
dns-steady_SRCS := tests/bench/tools/dns-steady.c
TOOLS += decision-bench
decision-bench_SRCS := tests/bench/tools/decision.c tests/unit/fake_bus.c
# Those that need what the build itself does not; built by their benchmark.
BENCH_TOOLS := web-load web-origin
web-load_SRCS := tests/bench/tools/web-load.c
web-load_LIBS := -lssl -lcrypto
web-origin_SRCS := tests/bench/tools/web-origin.c
web-origin_LIBS := -lssl -lcrypto
BENCHES = $(filter-out support tools,$(notdir $(wildcard tests/bench/*)))
# All of them, whatever one misses, and the table.
bench:
	$(Q)missed=; for part in $(BENCHES); do \
		$(MAKE) $(JOBS) B=$(B) bench-$$part || missed="$$missed $$part"; done; \
	$(MAKE) $(JOBS) B=$(B) bench-table && if [ -n "$$missed" ]; then echo "missed:$$missed"; exit 1; fi
# What was measured last, of all of them.
bench-table:
	$(Q)/usr/bin/python3 tests/bench/support/everything.py $(B)/bench
bench-syncd: bench-node
bench-node:
	@deploy/deps peer
bench-deps:
	@deploy/deps build run test bench
$(addprefix bench-,$(BENCHES)): bench-%: bench-deps
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)mkdir -p $(B)/bench && B=$(B) tests/bench/$*
# proxyd with both TLS libraries beside the peers; one that does not build is told of by the benchmark.
bench-proxyd bench-filters bench-path: bench-proxyd-programs
bench-proxyd-programs: bench-deps
	$(Q)$(MAKE) $(JOBS) B=$(B) $(addprefix $(B)/bin/,$(BENCH_TOOLS))
	-$(Q)$(MAKE) $(JOBS) B=$(B)-openssl TLS=openssl $(B)-openssl/bin/proxyd
.PHONY: bench-node bench-proxyd-programs bench bench-table bench-deps $(addprefix bench-,$(BENCHES))
# The same over the kernel's WireGuard, in a guest: 5 minutes.
bench-path: bench-path-wireguard
bench-path-wireguard: bench-proxyd-programs
	$(Q)deploy/deps kernel
	$(Q)$(MAKE) $(JOBS) B=$(B) all
	$(Q)mkdir -p $(B)/bench
	$(Q)B=$(B) BENCH_WIREGUARD=1 tests/kernel/guest -m 3G -T 1200 -w $(B)/bench tests/bench/path
.PHONY: bench-path-wireguard
# The word filter alone, for tests/suite/filters.
TOOLS += words-probe
words-probe_SRCS = tests/suite/filters/probe.c $(WORDS_SRCS) proxyd/body.c
words-probe_LIBS = $(WORDS_LIBS)
