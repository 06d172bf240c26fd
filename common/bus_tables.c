/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus-tables: prints, in mdoc, every topic, event, request, queue and record of the bus, made from
 * the schema: the part of culvert-bus(7) that stands at @TABLES@ in deploy/man/culvert-bus.7.in.
 */
#include "common/bus_impl.h"
#include "common/codec_table.h"
#include <stdio.h>

static void print_daemons(const char *label, unsigned set)
{
	printf("%s ", label);
	if (set == D_ALL) {
		printf("all");
		return;
	}
	const char *between = "";
	for (unsigned d = 0; d < BUS_DAEMONS; d++) {
		if (set & (1u << d)) {
			printf("%s%s", between, bus_daemon_name((enum bus_daemon)d));
			between = ", ";
		}
	}
}

static const char *record_name(enum rec_type type)
{
	return codec_record(type)->name;
}

static void open_list(const char *title)
{
	printf(".Ss %s\n.Bl -tag -width Ds -compact\n", title);
}

static void close_list(void)
{
	printf(".El\n");
}

static void print_topics(void)
{
	open_list("Topics");
	for (int t = 0; t < BUS_TOPICS; t++) {
		const struct topic_info *i = &bus_topics[t];

		printf(".It Ic %s\nrecord\n.Em %s ;\n", i->name, record_name(i->record));
		print_daemons("owned by", i->owners);
		print_daemons("; read by", i->readers);
		printf("%s.\n", i->flags & T_SECRET ? "; announced without values" : "");
	}
	close_list();
}

static void print_events(void)
{
	open_list("Events");
	for (int e = 0; e < BUS_EVENTS; e++) {
		const struct event_info *i = &bus_events[e];

		printf(".It Ic %s:%s\nrecord\n.Em %s ;\n", bus_daemon_name(i->daemon), i->kind,
			record_name(i->record));
		print_daemons("read by", i->readers);
		printf(".\n");
	}
	close_list();
}

static void print_requests(void)
{
	open_list("Requests");
	for (int o = 0; o < BUS_OPS; o++) {
		const struct op_info *i = &bus_ops[o];

		printf(".It Ic %s : %s\narguments\n.Em %s ;\n", bus_daemon_name(i->daemon), i->name,
			record_name(i->record));
		print_daemons("asked by", i->callers);
		printf(".\n");
	}
	close_list();
}

static void print_queues(void)
{
	open_list("Queues");
	for (int q = 0; q < BUS_QUEUES; q++) {
		printf(".It Ic %s\n", bus_queues[q].name);
		print_daemons("from", bus_queues[q].producers);
		print_daemons("; to", bus_queues[q].consumers);
		printf(".\n");
	}
	close_list();
}

static void print_values(enum enum_id id)
{
	const char *text;

	printf("one of");
	for (int v = 0; (text = enum_text(id, v)); v++)
		printf("%s %s", v ? "," : "", text);
}

static void print_type(const struct codec_field *f)
{
	switch (f->type) {
	case CODEC_TYPE_STR:
		printf("text of at most %zu bytes", f->max);
		break;
	case CODEC_TYPE_BOOL:
		printf("true or false");
		break;
	case CODEC_TYPE_INT:
		printf("whole number");
		break;
	case CODEC_TYPE_ENUM:
		print_values((enum enum_id)f->sub);
		break;
	case CODEC_TYPE_STRS:
		printf("at most %zu texts", f->max);
		break;
	case CODEC_TYPE_OBJ:
		printf("a %s", record_name((enum rec_type)f->sub));
		break;
	case CODEC_TYPE_OBJS:
		printf("at most %zu of %s", f->max, record_name((enum rec_type)f->sub));
		break;
	case CODEC_TYPE_INLINE:
		printf("the fields of %s", record_name((enum rec_type)f->sub));
		break;
	case CODEC_TYPE_JSON:
		printf("any JSON");
		break;
	}
}

static void print_record(const struct codec_record *record)
{
	printf(".It Em %s\n", record->name);
	if (!record->fields->name) {
		printf("no fields.\n");
		return;
	}
	printf(".Bl -tag -width Ds -compact\n");
	for (const struct codec_field *f = record->fields; f->name; f++) {
		printf(".It Va %s\n", f->name);
		print_type(f);
		printf("%s%s%s.\n", f->flags & F_REQUIRED ? "; required" : "",
			f->flags & F_RESTRICT ? "; restricts" : "",
			f->flags & F_SECRET ? "; secret" : "");
	}
	printf(".El\n");
}

int main(void)
{
	print_topics();
	print_events();
	print_requests();
	print_queues();
	open_list("Records");
	for (int r = 0; r < REC_TYPES; r++)
		print_record(codec_record((enum rec_type)r));
	close_list();
	return ferror(stdout) ? 1 : 0;
}
