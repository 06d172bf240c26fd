COMMON_SRCS += common/addr.c common/buf.c common/conf.c common/conf_help.c common/conf_reload.c common/conf_shared.c common/conf_value.c common/daemon.c common/file_map.c \
	common/hmap.c common/log.c common/privileges.c common/sd_notify.c common/siphash.c common/time_zone.c \
	common/time_zones.c common/timer.c

# TLS, streams, HTTP. The TLS backend is behind tls.h; authorities are always written with mbedtls.
TLS_SRCS_mbedtls := common/tls_mbedtls.c common/tls_mbedtls_cert.c common/tls_mbedtls_ctx.c common/tls_mbedtls_verify.c \
	common/cert_leaf_mbedtls.c common/crypto_mbedtls.c
TLS_SRCS_openssl := common/tls_openssl.c common/tls_openssl_cert.c common/tls_openssl_ctx.c common/tls_openssl_ticket.c \
	common/tls_openssl_verify.c common/cert_leaf_openssl.c common/crypto_openssl.c
COMMON_SRCS += $(TLS_SRCS_$(TLS)) common/lru.c common/name_constraints.c common/tls_hello.c common/tls_impl.c \
	common/tls_reason.c common/cert.c common/cert_build.c common/cert_der.c common/cert_minter.c common/cert_request.c \
	common/random.c common/stream.c common/stream_open.c common/stream_read.c common/stream_write.c \
	common/listener.c common/http_head.c common/http_llhttp.c common/http_parser.c common/http_scan.c common/http_write.c common/http_server.c \
	common/http_client.c common/http_exchange.c common/http_fetch.c common/http_request.c common/http_response.c \
	common/http2_client.c common/http2_head.c common/http2_link.c common/http2_server.c common/http2_session.c common/http2_stream.c
COMMON_LIBS += -lnghttp2
# Registrable domains (policy/watches.c).
COMMON_LIBS += -lpsl
# llhttp is a library on Debian 13 and C source on Debian 12.
LLHTTP_DIR := $(dir $(wildcard /usr/share/llhttp/llhttp.c))
ifneq ($(LLHTTP_DIR),)
LLHTTP_FLAGS := -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp
LLHTTP_SRCS := $(addprefix $(LLHTTP_DIR),api.c http.c llhttp.c)
CFLAGS_common_http_llhttp := $(LLHTTP_FLAGS)
CFLAGS_common_http_parser := $(LLHTTP_FLAGS)
EXTRA_COMMON_OBJS += $(patsubst $(LLHTTP_DIR)%.c,$(B)/obj/llhttp/%.o,$(LLHTTP_SRCS))
EXTRA_COMMON_SRCS_FUZZ += $(LLHTTP_FLAGS) $(LLHTTP_SRCS)
$(B)/obj/llhttp/%.o: $(LLHTTP_DIR)%.c
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC $<')
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(HARDEN) $(SAN) $(LLHTTP_FLAGS) -c -o $@ $<
else
COMMON_LIBS += -lllhttp
endif

# Netlink: wgd and fwd.
COMMON_SRCS += common/netlink.c
COMMON_LIBS += -lmnl

COMMON_SRCS += common/policy/canary.c common/policy/policy_names.c

# Records of the bus.
COMMON_SRCS += common/codec.c common/codec_decode.c common/codec_encode.c common/codec_table.c common/json.c

# Domain sets: the compiled lists.
COMMON_SRCS += common/domainset.c common/domainset_build.c common/domainset_names.c \
	common/domainset_cover.c common/domainset_write.c common/domainset_overlay.c
COMMON_SRCS += common/policy/decide.c common/policy/decide_lists.c common/policy/decide_sites.c common/policy/decide_text.c common/policy/directory.c common/policy/directory_feed.c common/policy/directory_index.c common/policy/directory_resolve.c common/policy/entitlement.c common/policy/explain.c \
	common/policy/pattern.c common/policy/url.c common/policy/policy.c common/policy/policy_categories.c common/policy/policy_image.c common/policy/policy_lists.c \
	common/policy/policy_webset.c \
	common/policy/policy_store.c common/policy/profile.c common/policy/rebind.c common/policy/rule_index.c common/policy/safe_search.c common/policy/schedule.c common/policy/settings.c common/policy/view.c \
	common/policy/watches.c common/policy/webset.c common/policy/webset_automaton.c common/policy/webset_build.c common/policy/webset_open.c common/policy/webset_starts.c common/policy/webset_write.c

# The bus.
COMMON_SRCS += common/list_hits.c
COMMON_SRCS += common/bus.c common/bus_blob.c common/bus_blob_get.c common/bus_check.c common/bus_conn.c common/bus_event.c common/bus_follow.c common/bus_lastgood.c \
	common/bus_mirror.c common/bus_publish.c common/bus_queue.c common/bus_queue_consume.c common/bus_queue_produce.c common/bus_read.c common/bus_request.c common/bus_schema.c \
	common/bus_sentinel.c common/bus_spool.c common/bus_state.c common/bus_status.c common/bus_sync.c common/bus_text.c
TOOLS += bus-acl
bus-acl_SRCS := common/bus_acl.c
# The tables of culvert-bus(7).
TOOLS += bus-tables
bus-tables_SRCS := common/bus_tables.c

# Names, asked of dnsd.
COMMON_SRCS += common/resolver.c
COMMON_LIBS += -lcares
