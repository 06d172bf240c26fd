/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/domainset_build.h"
#include "common/siphash.h"
#include <errno.h>

/* Names per home bucket of 8: bytes per name against buckets that spill. */
#define LOAD 7u

/* Fills the buckets in the order of hashes; with slots NULL only counts. Returns buckets needed. */
static uint64_t fill_buckets(
	const struct plan *p, bool covered, uint64_t home_buckets, uint64_t *slots)
{
	const uint64_t overflow = domainset_overflow(p->class_bits);
	uint64_t bucket = 0, fill = 0;

	for (size_t i = 0; i < p->name_count; i++) {
		const struct name *n = &p->names[i];
		uint64_t home = domainset_home(n->hash, home_buckets);

		if (n->covered != covered)
			continue;
		if (home > bucket) {
			bucket = home;
			fill = 0;
		} else if (fill == DOMAINSET_BUCKET) {
			bucket++;
			fill = 0;
		}
		if (slots) {
			uint64_t number = p->number[n->class];

			slots[bucket * DOMAINSET_BUCKET + fill] =
				n->hash << p->class_bits | (number < overflow ? number : overflow);
		}
		fill++;
	}
	bucket += 1 + (fill == DOMAINSET_BUCKET);
	return bucket > home_buckets ? bucket : home_buckets + 1;
}

static void fill_filter(const struct plan *p, uint64_t words, uint64_t *filter)
{
	for (size_t i = 0; i < p->name_count; i++) {
		uint64_t hash = p->names[i].hash;

		if (!p->names[i].covered)
			filter[domainset_home(hash, words)] |= domainset_filter_bits(hash);
	}
}

static void write_overflow(const struct plan *p, uint64_t *hashes, uint32_t *classes)
{
	for (size_t i = 0; i < p->name_count; i++) {
		if (p->number[p->names[i].class] < domainset_overflow(p->class_bits))
			continue;
		/* There is a table as soon as one class has no number of its own.
		 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		*hashes++ = p->names[i].hash;
		*classes++ = p->number[p->names[i].class];
	}
}

unsigned domainset_class_bits(size_t classes, uint64_t home_buckets)
{
	unsigned bits = DOMAINSET_CLASS_BITS;

	/* More bits than the buckets stand for would lose some of the hash. */
	while (classes >= domainset_overflow(bits) && bits < DOMAINSET_CLASS_MAX &&
		home_buckets >> (bits + 1))
		bits++;
	return bits;
}

static struct domainset_header plan_header(struct plan *p, const struct domainset_builder *b)
{
	size_t searched = p->name_count - p->covered_count;
	struct domainset_header h = {
		.magic = DOMAINSET_MAGIC,
		.version = DOMAINSET_VERSION,
		.max_labels = (uint16_t)b->max_labels,
		.count = p->name_count,
		.depths = b->depths,
		/* Whole cache lines: the tables behind it stand in cache lines, too. */
		.filter_words = (searched * DOMAINSET_FILTER_BITS / 64 + 8) & ~7ULL,
		.home_buckets = searched / LOAD + 1,
		.covered_home_buckets = p->covered_count / LOAD + 1,
		.class_count = p->class_count + 1,
	};

	memcpy(h.key, b->key, sizeof(h.key));
	p->class_bits = domainset_class_bits(p->class_count, h.home_buckets);
	h.class_bits = (uint16_t)p->class_bits;
	h.buckets = fill_buckets(p, false, h.home_buckets, NULL);
	h.covered_buckets = fill_buckets(p, true, h.covered_home_buckets, NULL);
	for (size_t i = 0; i < p->class_count; i++)
		h.overflow_count +=
			p->number[i] >= domainset_overflow(p->class_bits) ? p->uses[i] : 0;
	h.len = sizeof(h) + h.filter_words * 8 + h.class_count * sizeof(struct domainset_class) +
		(h.buckets + h.covered_buckets) * DOMAINSET_BUCKET * 8 + h.overflow_count * 12;
	h.len = (h.len + 7) & ~7ULL;
	return h;
}

int domainset_write(struct plan *p, const struct domainset_builder *b, struct buf *out)
{
	struct domainset_header h = plan_header(p, b);
	struct domainset_class *classes;
	uint64_t *filter, *slots, *covered, *overflow;
	size_t from = out->len;
	int err = from % 8 ? -EINVAL : buf_reserve(out, h.len);

	if (err)
		return err;
	memset(out->data + from, 0, h.len + 1);
	filter = (void *)(out->data + from + sizeof(h));
	fill_filter(p, h.filter_words, filter);
	slots = filter + h.filter_words;
	fill_buckets(p, false, h.home_buckets, slots);
	covered = slots + h.buckets * DOMAINSET_BUCKET;
	fill_buckets(p, true, h.covered_home_buckets, covered);
	classes = (void *)(covered + h.covered_buckets * DOMAINSET_BUCKET);
	for (size_t i = 0; i < p->class_count; i++)
		classes[p->number[i]] = p->classes[i];
	overflow = (void *)(classes + h.class_count);
	write_overflow(p, overflow, (void *)(overflow + h.overflow_count));
	memcpy(out->data + from, &h, sizeof(h));
	h.checksum = siphash13(
		h.key, out->data + from + DOMAINSET_CHECKED_FROM, h.len - DOMAINSET_CHECKED_FROM);
	memcpy(out->data + from, &h, sizeof(h));
	out->len += h.len;
	return 0;
}
