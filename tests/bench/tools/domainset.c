/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * domainset-bench names COUNT              a block list as text, the same every time
 * domainset-bench compile LIST IMAGE       text to image, as syncd does it
 * domainset-bench map IMAGE NAME           an image mapped, checked and answering
 * domainset-bench lookup COUNT ROUNDS      lookups of listed and other names, in random order, in
 * the domain set and in the usual structures
 *
 * Each prints JSON (but `names`).
 */
#include "common/domainset.h"
#include "syncd/list_parse.h"
#include "tests/bench/tools/naive.h"
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUERIES = 400000, ROUNDS_MAX = 31 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static size_t make_label(char *out, uint64_t x, unsigned syllables)
{
	static const char first[] = "bcdfghjklmnprstvwxyz", second[] = "aeiou0y-";
	size_t n = 0;

	for (unsigned i = 0; i < syllables; i++, x /= 20 * 7) {
		out[n++] = first[x % 20];
		out[n++] = second[x / 20 % 7];
	}
	return n;
}

/* Name i of a list like those in use: 2 to 4 labels, 24 bytes on average; no two are equal. */
static size_t make_name(char out[static 128], uint64_t i)
{
	static const char *const tops[] = { "com", "com", "com", "com", "net", "org", "info", "xyz",
		"top", "ru", "de", "io" };
	static const char *const hosts[] = { "www", "ads", "track", "cdn", "pixel", "stats" };
	uint64_t x = mix(i);
	size_t n = 0;

	if (x % 10 < 6)
		n += (size_t)sprintf(out, "%s.", hosts[x / 10 % 6]);
	if (x % 10 < 2) {
		n += make_label(out + n, x >> 20, 3);
		out[n++] = '.';
	}
	n += make_label(out + n, x >> 8, 4 + (unsigned)(x >> 40) % 3);
	return n + (size_t)sprintf(out + n, "%llx.%s", (unsigned long long)i, tops[(x >> 56) % 12]);
}

static int print_names(size_t count)
{
	char name[128];

	for (size_t i = 0; i < count; i++) {
		make_name(name, i);
		puts(name);
	}
	return fflush(stdout) ? 1 : 0;
}

static int on_entry(void *arg, const struct list_entry *e)
{
	return e->name ? domainset_builder_add(arg, e->name, e->name_len, 0, e->kind, e->exception)
		       : 0;
}

static int compile(const char *list, const char *path)
{
	struct domainset_builder *b = domainset_builder_new();
	struct list_options options = { 0 };
	struct list_report report;
	struct buf text, image;
	double t[4];
	int error;

	buf_init(&text, 1u << 30);
	buf_init(&image, 1u << 30);
	t[0] = now_ms();
	error = buf_read_file(&text, list);
	if (!error)
		error = list_parse((char *)text.data, text.len, &options, on_entry, b, &report);
	buf_fini(&text);
	t[1] = now_ms();
	if (!error)
		error = domainset_builder_finish(b, &image);
	t[2] = now_ms();
	if (!error)
		error = file_write_atomic(path, image.data, image.len, 0600);
	t[3] = now_ms();
	if (error)
		errx(1, "%s: %s", list, strerror(-error));
	printf("{\"names\": %llu, \"skipped\": %llu, \"bytes\": %zu, \"parse_ms\": %.2f, "
	       "\"finish_ms\": %.2f, \"write_ms\": %.2f}\n",
		(unsigned long long)report.names, (unsigned long long)report.skipped, image.len,
		t[1] - t[0], t[2] - t[1], t[3] - t[2]);
	domainset_builder_free(b);
	buf_fini(&image);
	return 0;
}

static int map(const char *path, const char *name)
{
	struct domainset_hit hit;
	struct domainset s;
	double start = now_ms();
	int error = domainset_open_file(path, &s);

	if (error)
		errx(1, "%s: %s", path, strerror(-error));
	domainset_find(&s, name, strlen(name), ~0ULL, &hit);
	printf("{\"ms\": %.2f, \"names\": %llu, \"blocked\": %d}\n", now_ms() - start,
		(unsigned long long)s.count, hit.blocked != 0);
	domainset_close(&s);
	return 0;
}

/* ---- lookups ---- */

/* The domain set behind the same four functions. */
struct ours {
	struct buf image;
	struct domainset set;
};

static void *ours_build(const struct text *names, size_t n)
{
	struct domainset_builder *b = domainset_builder_new();
	struct ours *o = calloc(1, sizeof(*o));
	int error = b && o ? 0 : -ENOMEM;

	if (!error)
		buf_init(&o->image, 1u << 30);
	for (size_t i = 0; i < n && !error; i++)
		error = domainset_builder_add(
			b, names[i].p, names[i].len, i % 64, DOMAINSET_SUBTREE, false);
	if (!error)
		error = domainset_builder_finish(b, &o->image);
	if (!error)
		error = domainset_open(o->image.data, o->image.len, &o->set);
	if (error)
		errx(1, "domain set: %s", strerror(-error));
	domainset_builder_free(b);
	return o;
}

static bool ours_find(const void *set, const char *name, size_t len)
{
	struct domainset_hit hit;

	domainset_find(&((const struct ours *)set)->set, name, len, ~0ULL, &hit);
	return hit.blocked;
}

static double ours_bytes(const void *set)
{
	return (double)((const struct ours *)set)->image.len;
}

static void ours_release(void *set)
{
	struct ours *o = set;

	domainset_close(&o->set);
	buf_fini(&o->image);
	free(o);
}

static const struct naive ours = { "culvert", ours_build, ours_find, ours_bytes, ours_release };

/* Names [from, from + n) as text, whose memory the first points to. */
static struct text *make_names(uint64_t from, size_t n)
{
	struct text *names = calloc(n, sizeof(*names));
	char *text = malloc(n * 64), *at = text;

	if (!names || !text)
		err(1, "memory");
	for (size_t i = 0; i < n; i++) {
		char name[128];
		size_t len = make_name(name, from + i);

		memcpy(at, name, len);
		names[i] = (struct text){ at, (uint32_t)len };
		at += len;
	}
	return names;
}

static void free_names(struct text *names)
{
	free((char *)(uintptr_t)names[0].p);
	free(names);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_doubles);
	return v[n / 2];
}

/* ns per lookup of the names; all of them must be found, or none. */
static double measure(const struct naive *s, const void *set, const struct text *q, bool listed)
{
	double start = now_ms();
	size_t found = 0;

	for (size_t i = 0; i < QUERIES; i++)
		found += s->find(set, q[i].p, q[i].len);
	if (found != (listed ? QUERIES : 0))
		errx(1, "%s: %zu of %d found", s->name, found, listed ? QUERIES : 0);
	return (now_ms() - start) * 1e6 / QUERIES;
}

/* Listed names in random order, copied so that reading them costs each structure the same. */
static struct text *choose(uint64_t count)
{
	struct text *q = calloc(QUERIES, sizeof(*q));
	char *at = malloc(QUERIES * 64);

	if (!q || !at)
		err(1, "memory");
	for (size_t i = 0; i < QUERIES; i++) {
		char name[128];
		size_t len = make_name(name, mix(~(uint64_t)i) % count);

		memcpy(at, name, len);
		q[i] = (struct text){ at, (uint32_t)len };
		at += len;
	}
	return q;
}

static int look_up(size_t count, unsigned rounds)
{
	const struct naive *all[] = { &ours, &naive_sorted, &naive_hash, &naive_trie };
	enum { STRUCTURES = sizeof(all) / sizeof(*all) };
	struct text *names = make_names(0, count), *listed = choose(count),
		    *others = make_names(1ULL << 40, QUERIES);
	double build[STRUCTURES], ns[STRUCTURES][2][ROUNDS_MAX];
	void *set[STRUCTURES];

	for (int i = 0; i < STRUCTURES; i++) {
		build[i] = now_ms();
		set[i] = all[i]->build(names, count);
		build[i] = now_ms() - build[i];
	}
	for (unsigned r = 0; r < rounds; r++) {
		for (int i = 0; i < STRUCTURES; i++) {
			ns[i][0][r] = measure(all[i], set[i], listed, true);
			ns[i][1][r] = measure(all[i], set[i], others, false);
		}
	}
	printf("{");
	for (int i = 0; i < STRUCTURES; i++) {
		printf("%s\"%s\": {\"blocked_ns\": %.1f, \"allowed_ns\": %.1f, \"bytes\": %.2f, "
		       "\"build_ms\": %.0f}",
			i ? ",\n" : "", all[i]->name, median(ns[i][0], rounds),
			median(ns[i][1], rounds), all[i]->bytes(set[i]) / (double)count, build[i]);
		all[i]->release(set[i]);
	}
	printf("}\n");
	free_names(names);
	free_names(listed);
	free_names(others);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "names") && argc == 3)
		return print_names(strtoul(argv[2], NULL, 10));
	if (!strcmp(what, "compile") && argc == 4)
		return compile(argv[2], argv[3]);
	if (!strcmp(what, "map") && argc == 4)
		return map(argv[2], argv[3]);
	if (!strcmp(what, "lookup") && argc == 4) {
		unsigned long rounds = strtoul(argv[3], NULL, 10);

		return look_up(strtoul(argv[2], NULL, 10), rounds < 1 ? 1
							   : rounds > ROUNDS_MAX
								   ? ROUNDS_MAX
								   : (unsigned)rounds);
	}
	fprintf(stderr,
		"usage: domainset-bench names COUNT | compile LIST IMAGE | map IMAGE NAME | "
		"lookup COUNT ROUNDS\n");
	return 2;
}
