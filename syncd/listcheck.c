/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * listcheck [--subtree] FILE…: what each list would become, as JSON on stdout; then, for each name
 * on stdin, a line `NAME BLOCKED EXCEPTED PATHS` (masks in hex; bit n = n-th file). listcheck
 * --image FILE: the same look-ups in a compiled domain set. "repeated": names that the file or one
 * before it had named; "digest": of the image under a key of zeros, so that lists can be held
 * against each other. For admins who write lists, and for
 * tests.
 */
#include "common/domainset.h"
#include "syncd/list_parse.h"
#include <errno.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct target {
	struct domainset_builder *builder;
	unsigned list;
};

static int on_entry(void *arg, const struct list_entry *e)
{
	struct target *t = arg;

	return e->name ? domainset_builder_add(
				 t->builder, e->name, e->name_len, t->list, e->kind, e->exception)
		       : 0;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void print_skipped(const struct list_report *r)
{
	const char *comma = "";

	printf(",\"skipped_by\":{");
	for (int i = 0; i < LIST_SKIPS; i++) {
		if (!r->skipped_by[i])
			continue;
		printf("%s\"%s\":{\"count\":%lu,\"first_line\":%lu}", comma,
			list_skip_text((enum list_skip)i), r->skipped_by[i], r->first_line[i]);
		comma = ",";
	}
	printf("}");
}

static int check_file(const char *path, const struct list_options *options, struct target *t)
{
	struct list_report r;
	struct buf text;
	double start, parse_ms;
	size_t before;
	int err;

	buf_init(&text, 256u << 20);
	err = buf_read_file(&text, path);
	if (err) {
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
		buf_fini(&text);
		return err;
	}
	before = domainset_builder_count(t->builder);
	start = now_ms();
	err = list_parse((const char *)text.data, text.len, options, on_entry, t, &r);
	parse_ms = now_ms() - start;
	printf("{\"file\":%u,\"error\":%d,\"lines\":%lu,\"names\":%lu,\"exceptions\":%lu,\"urls\":%"
	       "lu,"
	       "\"repeated\":%lu,\"skipped\":%lu,\"parse_ms\":%.1f",
		t->list, err, r.lines, r.names, r.exceptions, r.urls,
		r.names - (domainset_builder_count(t->builder) - before), r.skipped, parse_ms);
	print_skipped(&r);
	printf("}\n");
	buf_fini(&text);
	return err;
}

static void look_up(const struct domainset *s)
{
	struct domainset_hit hit;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = 0;
		domainset_find(s, line, (size_t)n, ~0ULL, &hit);
		printf("%s %lx %lx %lx\n", line, hit.blocked, hit.excepted, hit.paths);
	}
	free(line);
}

static int check_image(const char *path)
{
	struct domainset s;
	int err = domainset_open_file(path, &s);

	if (err) {
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
		return err;
	}
	printf("{\"count\":%lu,\"bytes\":%zu}\n", s.count, s.len);
	look_up(&s);
	domainset_close(&s);
	return 0;
}

static void print_summary(const struct domainset *s, const struct buf *image, double finish_ms)
{
	uint8_t sum[32] = { 0 };

	mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), image->data, image->len, sum);
	printf("{\"count\":%lu,\"bytes\":%zu,\"finish_ms\":%.1f,\"digest\":\"", s->count,
		image->len, finish_ms);
	for (size_t i = 0; i < sizeof(sum); i++)
		printf("%02x", sum[i]);
	printf("\"}\n");
}

static int check_files(char **files, int n, const struct list_options *options)
{
	/* The same rules make the same digest, here and elsewhere. */
	static const uint8_t key[16];
	struct target t = { domainset_builder_new(), 0 };
	struct domainset s;
	struct buf image;
	double start;
	int err = t.builder ? domainset_builder_set_key(t.builder, key) : -ENOMEM;

	for (int i = 0; i < n && !err; i++, t.list++)
		err = check_file(files[i], options, &t);
	buf_init(&image, 1u << 30);
	start = now_ms();
	if (!err)
		err = domainset_builder_finish(t.builder, &image);
	if (!err)
		err = domainset_open(image.data, image.len, &s);
	if (!err) {
		print_summary(&s, &image, now_ms() - start);
		look_up(&s);
		domainset_close(&s);
	}
	domainset_builder_free(t.builder);
	buf_fini(&image);
	return err;
}

int main(int argc, char **argv)
{
	struct list_options options = { 0 };
	int i = 1;

	if (argc == 3 && !strcmp(argv[1], "--image"))
		return check_image(argv[2]) ? 1 : 0;
	if (argc > 1 && !strcmp(argv[1], "--subtree")) {
		options.subtree = true;
		i++;
	}
	if (i >= argc || argc - i > 64) {
		fprintf(stderr, "usage: listcheck [--subtree] FILE… (at most 64)\n"
				"       listcheck --image FILE\n");
		return 2;
	}
	return check_files(argv + i, argc - i, &options) ? 1 : 0;
}
