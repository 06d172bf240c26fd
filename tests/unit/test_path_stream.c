/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SPEC P20. A hostile client's packets from a generator, and beside the reader a server's TCP that
 * takes what passes: some of it gets lost behind us, and of bytes that come twice it keeps the
 * first or the last. Whatever it puts together, no connection may pass on whose hello has another
 * name than the one that was read; and an honest client's always does. PATH_PACKETS: how many.
 */
#include "proxyd/path_stream.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

#define PACKETS	   300000
#define STREAM_MAX 8192
#define PART_MAX   600
#define RETRY_AT   11

/* xorshift64*: the same packets each time. */
static uint64_t seed = 88172645463325252ULL;

static uint32_t chance(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

static size_t put16(uint8_t *out, size_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return 2;
}

/* A hello in records of at most `cut` bytes. */
static size_t make_hello(const char *name, size_t padding, size_t cut, uint8_t *out)
{
	uint8_t m[2048] = { 1, 0, 0, 0, 3, 3 };
	size_t len = strlen(name), n = 6 + 32, at = 0;

	n += 1; /* no session id */
	n += put16(m + n, 2) + 2;
	m[n++] = 1; /* no compression */
	n += 1;
	n += put16(m + n, 9 + len + 4 + padding);
	n += put16(m + n, 0);
	n += put16(m + n, len + 5);
	n += put16(m + n, len + 3);
	m[n++] = 0;
	n += put16(m + n, len);
	memcpy(m + n, name, len);
	n += len;
	n += put16(m + n, 21);
	n += put16(m + n, padding) + padding;
	put16(m + 2, n - 4);
	for (size_t from = 0; from < n; from += cut) {
		size_t part = n - from < cut ? n - from : cut;
		memcpy(out + at, "\x16\x03\x01", 3);
		put16(out + at + 3, part);
		memcpy(out + at + 5, m + from, part);
		at += 5 + part;
	}
	return at;
}

static size_t make_answer(bool is_retry, uint8_t *out)
{
	static const uint8_t retry[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe,
		0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c,
		0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };
	size_t len = 5 + 4 + 2 + 32 + 6;

	memset(out, 7, len);
	memcpy(out, "\x16\x03\x03", 3);
	put16(out + 3, len - 5);
	memcpy(out + 5, "\2\0\0", 3);
	out[8] = (uint8_t)(len - 9);
	if (is_retry)
		memcpy(out + RETRY_AT, retry, sizeof(retry));
	return len;
}

/* ---- the server ---- */

struct server {
	uint8_t data[STREAM_MAX];
	uint8_t have[STREAM_MAX];
	uint32_t base;
	bool keeps_last;
};

static void deliver(struct server *v, const struct path_packet *k)
{
	int32_t offset = (int32_t)(k->seq - v->base);

	for (size_t i = 0; i < k->len; i++) {
		size_t at = (size_t)((int64_t)offset + (int64_t)i);
		if (at >= STREAM_MAX || (v->have[at] && !v->keeps_last))
			continue;
		v->data[at] = k->payload[i];
		v->have[at] = 1;
	}
}

static size_t prefix_of(const struct server *v)
{
	size_t n = 0;

	while (n < STREAM_MAX && v->have[n])
		n++;
	return n;
}

/* ---- one connection ---- */

struct connection {
	struct path_stream s;
	struct server v;
	uint8_t good[STREAM_MAX], evil[STREAM_MAX]; /* what may stand in its packets */
	size_t len;
	uint32_t server_base;
	bool is_denied, has_passed, is_read; /* read: the server has a hello */
	bool has_retried;
	char name[CLIENT_HELLO_HOST_LEN]; /* that the server has */
};

#define GOOD "good.example"

static void begin(struct connection *c, const char *other, bool is_honest)
{
	size_t padding = chance(400), cut = chance(3) ? 16384 : 1 + chance(200);
	uint8_t second[STREAM_MAX];

	memset(c, 0, sizeof(*c));
	c->v.base = c->server_base = 0xfffffff0u - chance(2000) + chance(4000);
	c->v.keeps_last = chance(2);
	c->len = make_hello(GOOD, padding, cut, c->good);
	size_t evil_len = make_hello(other, padding + strlen(GOOD) - strlen(other), cut, c->evil);
	/* A second hello behind the first, for those who are asked for one. */
	size_t more = make_hello(chance(2) || is_honest ? GOOD : other, padding, cut, second);
	memcpy(c->good + c->len, second, more);
	memcpy(c->evil + evil_len, second, more);
	c->len += more;
	if (is_honest)
		memcpy(c->evil, c->good, c->len);
	path_stream_begin(&c->s, &(struct path_packet){ .seq = c->v.base - 1 });
}

/* What passes reaches the server, most of it. */
static void pass(struct connection *c, const struct path_packet *k, bool is_lost)
{
	struct client_hello hello;

	if (!is_lost)
		deliver(&c->v, k);
	if (!c->is_read && !client_hello_parse(c->v.data, prefix_of(&c->v), &hello)) {
		c->is_read = true;
		strcpy(c->name, hello.sni);
	}
}

/* early: so many bytes before the place where they belong. */
static void send_up(
	struct connection *c, size_t from, size_t len, uint32_t early, bool is_evil, bool is_lost)
{
	struct client_hello hello;
	const struct path_packet k = { .seq = c->v.base + (uint32_t)from - early,
		.ack = c->server_base,
		.payload = (is_evil ? c->evil : c->good) + from,
		.len = len };

	switch (path_stream_up(&c->s, &k, &hello)) {
	case PATH_STREAM_HAS_NAME:
		if (strcmp(hello.sni, GOOD) != 0) {
			c->is_denied = true;
			return;
		}
		pass(c, &k, is_lost);
		return;
	case PATH_STREAM_MORE:
	case PATH_STREAM_GOOD:
		pass(c, &k, is_lost);
		return;
	case PATH_STREAM_LATER:
		return;
	case PATH_STREAM_BAD:
		c->is_denied = true;
		return;
	}
}

/* The server answers once it has a hello; its segments come in order or not. */
static void answer(struct connection *c, bool is_retry)
{
	uint8_t data[256];
	size_t len = make_answer(is_retry, data), cut = 1 + chance((uint32_t)len);
	bool swapped = chance(2);

	for (int i = 0; i < 2 && !c->is_denied; i++) {
		bool first = (i == 0) != swapped;
		const struct path_packet k = { .seq = c->server_base + (first ? 0 : (uint32_t)cut),
			.payload = first ? data : data + cut,
			.len = first ? cut : len - cut };
		if (!k.len)
			continue;
		enum path_stream_result r = path_stream_down(&c->s, &k);
		c->is_denied |= r == PATH_STREAM_BAD;
		c->has_passed |= r == PATH_STREAM_GOOD;
		if (c->has_passed)
			return;
	}
}

static uint64_t attack(uint64_t *passed)
{
	static struct connection c;
	uint64_t sent = 0;

	begin(&c, "evil.example", false);
	while (!c.is_denied && !c.has_passed && sent < 60) {
		size_t from = chance(3) ? chance((uint32_t)c.len) : prefix_of(&c.v) % c.len;
		size_t len = 1 + chance(PART_MAX);
		if (len > c.len - from)
			len = c.len - from;
		send_up(&c, from, len,
			chance(6)   ? 0
			: chance(2) ? (uint32_t)len
				    : chance(2000),
			chance(4) == 0, chance(5) == 0);
		sent++;
		if (!c.is_read || c.is_denied)
			continue;
		if (chance(4) == 0 && !c.has_retried) {
			c.has_retried = true;
			answer(&c, true);
		} else if (!c.has_retried) {
			answer(&c, false);
		}
	}
	if (c.has_passed) {
		++*passed;
		STR_IS(c.name, GOOD);
	}
	path_stream_fini(&c.s);
	return sent;
}

static void test_no_other_name_than_the_one_read_ever_passes(void)
{
	const char *text = getenv("PATH_PACKETS");
	uint64_t want = text ? strtoull(text, NULL, 10) : PACKETS, sent = 0, passed = 0;

	while (sent < want && tap_ok)
		sent += attack(&passed);
	printf("# %llu packets, %llu connections passed\n", (unsigned long long)sent,
		(unsigned long long)passed);
	OK(passed > want / 10000);
}

/* Ends of the segments that a hello comes in. */
static size_t cut_up(size_t len, size_t cuts[static 16])
{
	size_t count = 0;

	cuts[count++] = 0;
	while (cuts[count - 1] < len) {
		size_t at = count < 12 ? cuts[count - 1] + 1 + chance(300) : len;
		if (at > len)
			at = len;
		cuts[count++] = at;
	}
	return count - 1;
}

/* In any segments, in any order. */
static void honest(void)
{
	static struct connection c;
	struct client_hello whole;
	size_t cuts[16], order[16] = { 0 };

	begin(&c, "evil.example", true);
	INT_IS(client_hello_parse(c.good, c.len, &whole), 0);
	size_t count = cut_up(whole.len, cuts);
	for (size_t i = 0; i < count; i++) {
		size_t k = chance((uint32_t)i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	for (size_t n = 0; n < 3 * count && !c.is_read && !c.is_denied; n++) {
		size_t i = n < count ? order[n] : n % count;
		if (!c.v.have[cuts[i]])
			send_up(&c, cuts[i], cuts[i + 1] - cuts[i], 0, false, false);
	}
	OK(!c.is_denied);
	OK(c.is_read);
	answer(&c, false);
	OK(c.has_passed);
	path_stream_fini(&c.s);
}

static void test_an_honest_hello_passes_in_whatever_order(void)
{
	for (int i = 0; i < 3000 && tap_ok; i++)
		honest();
}

static void test_a_server_that_speaks_first_is_refused(void)
{
	struct path_stream s = { 0 };
	const struct path_packet k = { .payload = (const uint8_t *)"220 hello", .len = 9 };

	INT_IS(path_stream_down(&s, &k), PATH_STREAM_BAD);
	path_stream_fini(&s);
}

static void test_a_store_keeps_what_an_array_would(void)
{
	for (int round = 0; round < 2000 && tap_ok; round++) {
		struct path_store s = { 0 };
		uint8_t model[512] = { 0 }, have[512] = { 0 };
		for (int i = 0; i < 40; i++) {
			uint8_t part[64];
			uint32_t at = chance(400), len = 1 + chance(60);
			bool agrees = true;
			for (uint32_t k = 0; k < len; k++) {
				part[k] = chance(50) ? (uint8_t)((at + k) * 7) : 1;
				agrees = agrees && (!have[at + k] || model[at + k] == part[k]);
			}
			int err = path_store_put(&s, at, part, len);
			OK((err == -17) == !agrees);
			for (uint32_t k = 0; !err && k < len; k++) {
				have[at + k] = 1;
				model[at + k] = part[k];
			}
		}
		size_t prefix = 0;
		while (have[prefix])
			prefix++;
		INT_IS(path_store_prefix(&s), prefix);
		OK(!prefix || !memcmp(s.data, model, prefix));
		path_store_fini(&s);
	}
}

int main(void)
{
	TAP_RUN(test_a_store_keeps_what_an_array_would);
	TAP_RUN(test_a_server_that_speaks_first_is_refused);
	TAP_RUN(test_an_honest_hello_passes_in_whatever_order);
	TAP_RUN(test_no_other_name_than_the_one_read_ever_passes);
	return tap_done();
}
