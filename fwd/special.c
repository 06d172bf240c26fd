/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/special.h"

#include <string.h>

/* clang-format off */
static const char *const guarded[] = {
	"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/32", "2002::/16", "2001::/32",
	"fe80::/10", "ff00::/8",
};
static const char *const embedded[] = {
	"::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2002::/16", "2001::/32",
};
static const char *const local4[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
};
/* clang-format on */
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A mapped prefix has no form as struct prefix, which makes it IPv4. */
static int add_mapped(struct ranges *r)
{
	struct prefix p = { .addr = { .family = AF_INET6, .bytes = { [10] = 0xff, [11] = 0xff } },
		.len = 96 };
	return ranges_add(r, &p);
}

static int add_texts(struct ranges *r, const char *const *texts, size_t n)
{
	int err = 0;
	for (size_t i = 0; i < n && !err; i++) {
		struct prefix p;
		if (!prefix_parse(texts[i], &p))
			err = ranges_add(r, &p);
	}
	return err ? err : add_mapped(r);
}

int special_add_guarded(struct ranges *r)
{
	return add_texts(r, guarded, COUNT(guarded));
}

int special_add_embedded(struct ranges *r)
{
	int err = add_texts(r, embedded, COUNT(embedded));
	for (size_t i = 0; i < COUNT(local4) && !err; i++) {
		struct prefix p;
		err = prefix_parse(local4[i], &p);
		if (err)
			break;
		p = special_nat64(&p);
		err = ranges_add(r, &p);
	}
	return err;
}

struct prefix special_nat64(const struct prefix *p)
{
	struct prefix out = { .addr = { .family = AF_INET6, .bytes = { 0x00, 0x64, 0xff, 0x9b } },
		.len = (uint8_t)(96 + p->len) };
	memcpy(out.addr.bytes + 12, p->addr.bytes, 4);
	return out;
}
