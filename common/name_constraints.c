/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/name_constraints.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define TAG_BOOLEAN  0x01
#define TAG_OCTETS   0x04
#define TAG_OID	     0x06
#define TAG_SEQUENCE 0x30
/* GeneralName, and the parts of NameConstraints. */
#define TAG_DNS	      0x82
#define TAG_DIRECTORY 0xa4
#define TAG_IP	      0x87
#define TAG_PERMITTED 0xa0
#define TAG_EXCLUDED  0xa1

static const uint8_t oid_constraints[] = { 0x55, 0x1d, 0x1e };
static const uint8_t oid_alt_name[] = { 0x55, 0x1d, 0x11 };

/* Takes one element off the front; false at the end and when it is malformed (then d->p is NULL).
 */
static bool der_next(struct der *d, uint8_t *tag, struct der *value)
{
	const uint8_t *p = d->p;
	size_t head = 2, len;

	if (!p || !d->len)
		return false;
	d->p = NULL;
	if (d->len < 2 || (p[0] & 0x1f) == 0x1f)
		return false;
	*tag = p[0];
	len = p[1];
	if (len & 0x80) {
		size_t n = len & 0x7f;

		head += n;
		if (!n || n > 4 || d->len < head)
			return false;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | p[2 + i];
	}
	if (len > d->len - head)
		return false;
	*value = (struct der){ p + head, len };
	*d = (struct der){ p + head + len, d->len - head - len };
	return true;
}

/* The content of the one element of that tag that stands first. */
static bool der_enter(struct der d, uint8_t tag, struct der *value)
{
	uint8_t got;

	return der_next(&d, &got, value) && got == tag;
}

int x509_extension_find(struct der extensions, const void *oid, size_t oid_len, struct der *value)
{
	struct der list, extension, id, rest;
	uint8_t tag;

	if (!extensions.len)
		return -ENOENT;
	if (!der_enter(extensions, TAG_SEQUENCE, &list))
		return -EBADMSG;
	while (der_next(&list, &tag, &extension)) {
		if (tag != TAG_SEQUENCE || !der_next(&extension, &tag, &id) || tag != TAG_OID)
			return -EBADMSG;
		if (id.len != oid_len || memcmp(id.p, oid, oid_len) != 0)
			continue;
		if (!der_next(&extension, &tag, &rest))
			return -EBADMSG;
		if (tag == TAG_BOOLEAN && !der_next(&extension, &tag, &rest))
			return -EBADMSG;
		*value = rest;
		return tag == TAG_OCTETS ? 0 : -EBADMSG;
	}
	return list.p ? -ENOENT : -EBADMSG;
}

static bool ends_with(struct der name, struct der end)
{
	return name.len >= end.len && !strncasecmp((const char *)name.p + name.len - end.len,
					      (const char *)end.p, end.len);
}

/* Is the name in the domain, or could a wildcard name of it be? */
static bool is_dns_within(struct der name, struct der domain, bool is_excluded)
{
	if (!domain.len)
		return true;
	if (is_excluded && name.len > 2 && name.p[0] == '*' &&
		ends_with(domain, (struct der){ name.p + 1, name.len - 1 }))
		return true;
	if (!ends_with(name, domain))
		return false;
	return name.len == domain.len || domain.p[0] == '.' ||
	       name.p[name.len - domain.len - 1] == '.';
}

/* `range`: an address and a mask of the same length. */
static bool is_ip_within(struct der ip, struct der range)
{
	if ((ip.len != 4 && ip.len != 16) || range.len != 2 * ip.len)
		return false;
	for (size_t i = 0; i < ip.len; i++)
		if ((ip.p[i] ^ range.p[i]) & range.p[ip.len + i])
			return false;
	return true;
}

/* Both are the element Name: the relative names of `base` begin `name`. */
static bool is_directory_within(struct der name, struct der base)
{
	struct der n, b;

	return der_enter(name, TAG_SEQUENCE, &n) && der_enter(base, TAG_SEQUENCE, &b) &&
	       n.len >= b.len && !memcmp(n.p, b.p, b.len);
}

/* Of names of a kind that is not known, one is like the other: excluded, and never permitted. */
static bool is_within(uint8_t tag, struct der name, struct der base, bool is_excluded)
{
	switch (tag) {
	case TAG_DNS:
		return is_dns_within(name, base, is_excluded);
	case TAG_IP:
		return is_ip_within(name, base);
	case TAG_DIRECTORY:
		return is_directory_within(name, base);
	default:
		return is_excluded;
	}
}

/* Looks for subtrees around a name. False: malformed, or of a form that must not be (a minimum or a
 * maximum). */
static bool find_subtree(struct der subtrees, uint8_t tag, struct der name, bool is_excluded,
	bool *has_kind, bool *hit)
{
	struct der subtree, base;
	uint8_t got;

	*has_kind = *hit = false;
	while (der_next(&subtrees, &got, &subtree)) {
		if (got != TAG_SEQUENCE || !der_next(&subtree, &got, &base) || subtree.len)
			return false;
		if (got != tag)
			continue;
		*has_kind = true;
		*hit |= is_within(tag, name, base, is_excluded);
	}
	return subtrees.p != NULL;
}

static bool is_name_allowed(struct der constraints, uint8_t tag, struct der name)
{
	struct der part;
	uint8_t got;
	bool has_kind, hit;

	while (der_next(&constraints, &got, &part)) {
		bool is_excluded = got == TAG_EXCLUDED;

		if ((got != TAG_PERMITTED && !is_excluded) ||
			!find_subtree(part, tag, name, is_excluded, &has_kind, &hit))
			return false;
		if (has_kind && hit == is_excluded)
			return false;
	}
	return constraints.p != NULL;
}

bool name_constraints_allow(struct der above, struct der below, struct der subject)
{
	struct der value, constraints, names, name;
	uint8_t tag;
	int err = x509_extension_find(above, oid_constraints, sizeof(oid_constraints), &value);

	if (err)
		return err == -ENOENT;
	if (!der_enter(value, TAG_SEQUENCE, &constraints))
		return false;
	if (!der_enter(subject, TAG_SEQUENCE, &name) ||
		(name.len && !is_name_allowed(constraints, TAG_DIRECTORY, subject)))
		return false;
	err = x509_extension_find(below, oid_alt_name, sizeof(oid_alt_name), &value);
	if (err)
		return err == -ENOENT;
	if (!der_enter(value, TAG_SEQUENCE, &names))
		return false;
	while (der_next(&names, &tag, &name))
		if (!is_name_allowed(constraints, tag, name))
			return false;
	return names.p != NULL;
}
