# SPDX-License-Identifier: GPL-3.0-or-later
# One non-recursive build. Every directory has a module.mk that adds to the lists below; objects go
# to $(B)/obj, programs to $(B)/bin. `make asan` is this Makefile with another B and SAN.
B ?= build
TLS ?= mbedtls
CC = gcc
SAN ?=
# V=1 shows the whole commands.
Q = $(if $(V),,@)
VERSION := 0.1.0

# Tables leave trailing fields zero on purpose.
WARN = -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
ifeq ($(SAN),)
HARDEN += -D_FORTIFY_SOURCE=2
endif
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) $(SAN) -D_GNU_SOURCE -DCULVERT_VERSION='"$(VERSION)"' -I. -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)

# The TLS backend of common/tls.h; its objects are in a build directory of their own.
TLS_LIBS_mbedtls := -lmbedtls
TLS_LIBS_openssl := -lssl -lcrypto
ifeq ($(TLS_LIBS_$(TLS)),)
$(error TLS=$(TLS): there are mbedtls and openssl)
endif
ifeq ($(filter $(or $(file <$(B)/tls),$(TLS)),$(TLS)),)
$(error $(B) was built with TLS=$(file <$(B)/tls): give B=build-$(TLS) too)
endif

DAEMONS = wgd fwd dnsd proxyd apid syncd

# Lists that module.mk files add to. Paths are relative to this directory.
COMMON_SRCS :=
COMMON_LIBS := -luv -lhiredis -lcjson -linih $(TLS_LIBS_$(TLS)) -lmbedx509 -lmbedcrypto
# <daemon>_SRCS, <daemon>_LIBS; UNITS (names), UNIT_OBJS_<unit>, UNIT_LIBS_<unit>; FUZZERS, FUZZ_OBJS_<name>
UNITS :=
FUZZERS :=
TOOLS :=
BENCH_TOOLS :=

all: programs

include common/module.mk
include $(addsuffix /module.mk,$(DAEMONS))
include tests/unit/module.mk
include tests/fuzz/module.mk
include tests/module.mk
include deploy/module.mk

objs = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB = $(B)/libculvert.a

programs: $(addprefix $(B)/bin/,$(DAEMONS)) $(addprefix $(B)/bin/,$(TOOLS)) $(B)/culvert.acl

$(LIB): $(call objs,$(COMMON_SRCS)) $(EXTRA_COMMON_OBJS)
	@rm -f $@
	$(if $(V),,@echo '  AR $@')
	$(Q)$(AR) rcs $@ $^

# What is not there is named in one line, before the compiler stumbles over the first of many.
NEEDED = uv.h hiredis/hiredis.h libmnl/libmnl.h libnftnl/rule.h cjson/cJSON.h mbedtls/ssl.h \
	ares.h ini.h libpsl.h idn2.h zlib.h mariadb/mysql.h llhttp.h brotli/decode.h zstd.h unicase.h crypt.h qrencode.h nghttp2/nghttp2.h wslay/wslay.h sodium.h \
	$(if $(filter openssl,$(TLS)),openssl/ssl.h)
HINT = `deploy/deps build`, as root, installs what the build needs
$(B)/can-build:
	@mkdir -p $(@D)
	@command -v $(firstword $(CC)) >/dev/null || { echo 'no $(CC); $(HINT)' >&2; exit 1; }
	@missing=; for h in $(NEEDED); do \
		echo "#include <$$h>" | $(CC) $(LLHTTP_FLAGS) -E -x c - >/dev/null 2>&1 || missing="$$missing $$h"; done; \
	[ -z "$$missing" ] || { echo "not found:$$missing;" '$(HINT)' >&2; exit 1; }
	@touch $@
$(B)/tls:
	@mkdir -p $(@D)
	@echo $(TLS) >$@

$(B)/obj/%.o: %.c | $(B)/can-build $(B)/tls
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC $<')
	$(Q)$(CC) $(ALL_CFLAGS) $(CFLAGS_$(subst /,_,$(basename $<))) -c -o $@ $<

define program
$(B)/bin/$(1): $$(call objs,$$($(1)_SRCS)) $$(LIB)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LD $$@')
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$(call objs,$$($(1)_SRCS)) $$(LIB) $$($(1)_LIBS) $$(COMMON_LIBS)
endef
$(foreach d,$(DAEMONS) $(TOOLS) $(BENCH_TOOLS),$(eval $(call program,$(d))))

# The Redis ACL is printed by a small program that reads the bus schema; the others are for several servers.
$(B)/culvert.acl: $(B)/bin/bus-acl
	$< > $@.tmp && mv $@.tmp $@
$(B)/culvert-replicated.acl $(B)/culvert-sentinel.acl: $(B)/culvert-%.acl: $(B)/bin/bus-acl
	$< $* > $@.tmp && mv $@.tmp $@

define unit
$(B)/tests/unit/$(1): $$(B)/obj/tests/unit/test_$(1).o $$(call objs,$$(UNIT_SRCS_$(1))) $$(LIB)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LD $$@')
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(UNIT_LIBS_$(1)) $$(COMMON_LIBS)
endef
$(foreach u,$(UNITS),$(eval $(call unit,$(u))))
units: $(addprefix $(B)/tests/unit/,$(UNITS))
tls-units: $(addprefix $(B)/tests/unit/,$(TLS_UNITS))

# Fuzz targets: libFuzzer with clang (make fuzz), or a plain program that replays files (make check).
FUZZ_CFLAGS = -std=gnu11 -g -O1 -D_GNU_SOURCE -I. -DCULVERT_VERSION='"$(VERSION)"' -fsanitize=address,undefined,fuzzer-no-link
define fuzzer
$(B)/tests/fuzz/$(1): tests/fuzz/fuzz_$(1).c $$(FUZZ_SRCS_$(1)) $$(COMMON_SRCS)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  FUZZ $$@')
	$$(Q)clang $$(FUZZ_CFLAGS) -fsanitize=fuzzer -o $$@ $$(filter %.c,$$^) $$(EXTRA_COMMON_SRCS_FUZZ) $$(FUZZ_LIBS_$(1)) $$(COMMON_LIBS)
$(B)/tests/replay/$(1): $$(B)/obj/tests/fuzz/fuzz_$(1).o $$(B)/obj/tests/fuzz/replay.o $$(call objs,$$(FUZZ_SRCS_$(1))) $$(LIB)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LD $$@')
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(FUZZ_LIBS_$(1)) $$(COMMON_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))
fuzzers: $(addprefix $(B)/tests/fuzz/,$(FUZZERS))
replays: $(addprefix $(B)/tests/replay/,$(FUZZERS))

ASAN = -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
asan:
	$(MAKE) B=build-asan SAN="$(ASAN)" CFLAGS="-O1 -g" all units replays

# What `make check` needs over OpenSSL: proxyd, and the units that know a TLS library; without and with
# the sanitizers.
OPENSSL = $(MAKE) TLS=openssl B=build-openssl
openssl:
	$(OPENSSL) build-openssl/bin/proxyd tls-units
	$(OPENSSL)-asan SAN="$(ASAN)" CFLAGS="-O1 -g" tls-units

clean:
	rm -rf $(B) build-asan build-openssl build-openssl-asan

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: all programs units tls-units fuzzers replays asan openssl clean
.DELETE_ON_ERROR:
