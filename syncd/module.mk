# Rows of Directus as records of the bus.
MAPPING_SRCS = syncd/mapping.c syncd/mapping_appeal.c syncd/mapping_pref.c syncd/mapping_table.c syncd/mapping_value.c syncd/mapping_write.c
# The parser of lists.
LIST_PARSE_SRCS = syncd/list_dnsmasq.c syncd/list_name.c syncd/list_parse.c syncd/list_zone.c

syncd_SRCS = $(LIST_PARSE_SRCS) syncd/bus.c syncd/conf.c syncd/json_file.c syncd/list_compile.c syncd/list_content.c syncd/list_decode.c syncd/list_file.c \
	syncd/list_consumers.c \
	syncd/list_past.c syncd/list_record.c syncd/list_source.c syncd/list_source_count.c syncd/list_source_pin.c syncd/list_source_watch.c syncd/list_staging.c syncd/list_store.c syncd/list_take.c syncd/list_url.c \
	syncd/list_timing.c \
	syncd/bus_appeals.c syncd/bus_directus.c syncd/bus_lists.c syncd/directus.c syncd/directus_answer.c syncd/directus_appeals.c syncd/directus_brake.c syncd/directus_hint.c syncd/directus_rows.c syncd/directus_client.c syncd/directus_publish.c \
	syncd/directus_decisions.c syncd/directus_env.c syncd/directus_group.c syncd/directus_message.c syncd/directus_setup.c syncd/directus_socket.c syncd/directus_read.c syncd/directus_unit.c syncd/directus_units.c $(MAPPING_SRCS) \
	syncd/list_url_parse.c syncd/lists.c syncd/lists_save.c syncd/lists_set.c syncd/main.c syncd/rival.c syncd/through.c syncd/through_adds.c syncd/through_follow.c syncd/through_item.c syncd/through_links.c syncd/through_name.c syncd/through_write.c syncd/website_compile.c syncd/websites.c syncd/websocket_client.c
syncd_LIBS = -lidn2 -lpsl -lwslay -lz

TOOLS += listcheck
listcheck_SRCS = syncd/listcheck.c $(LIST_PARSE_SRCS)
listcheck_LIBS = -lidn2 -lpsl

# Rows of a Directus as records, for deploy/import.
TOOLS += directus-records
directus-records_SRCS = syncd/directus_dump.c $(MAPPING_SRCS)
