/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/domainset.h"
#include "common/domainset_image.h"
#include "common/siphash.h"
#include "common/siphash_round.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The high bit of every byte of x that is a dot; exact, also beside other bytes. */
static inline uint64_t dots(uint64_t x)
{
	const uint64_t low7 = 0x7f7f7f7f7f7f7f7fULL;

	x ^= 0x2e2e2e2e2e2e2e2eULL;
	return ~(((x & low7) + low7) | x | low7);
}

/* The n ≤ 8 bytes before end, last one lowest. */
static inline uint64_t load_backwards(const char *end, size_t n)
{
	uint64_t x = 0;

	if (n == 8) {
		memcpy(&x, end - 8, 8);
		return be64toh(x);
	}
	for (size_t i = 1; i <= n; i++)
		x |= (uint64_t)(uint8_t)end[-(ptrdiff_t)i] << (8 * (i - 1));
	return x;
}

size_t domainset_hash(const uint8_t key[static 16], const char *name, size_t len, size_t max,
	struct domainset_suffix *out)
{
	struct sip s = sip_start(key);
	size_t n = 0, done = 0;

	while (n < max) {
		size_t part = len - done < 8 ? len - done : 8;
		uint64_t word = load_backwards(name + len - done, part), ends = dots(word);

		for (; ends && n < max; ends &= ends - 1, n++) {
			unsigned bit = (unsigned)__builtin_ctzll(ends) & ~7u;
			size_t at = done + bit / 8;
			uint64_t rest = word & ((1ULL << bit) - 1);

			out[n] = (struct domainset_suffix){ sip_end(s, rest, at),
				(uint32_t)(len - at), (uint32_t)n + 1 };
		}
		if (part < 8) {
			if (n < max) {
				out[n] = (struct domainset_suffix){ sip_end(s, word, len), 0,
					(uint32_t)n + 1 };
				n++;
			}
			break;
		}
		sip_absorb(&s, word);
		done += 8;
	}
	return n;
}

static bool is_header_sane(const struct domainset_header *h, size_t len)
{
	uint64_t need;

	if (h->magic != DOMAINSET_MAGIC || h->version != DOMAINSET_VERSION || h->len != len ||
		h->max_labels > DOMAINSET_MAX_LABELS || h->reserved[0] || h->reserved[1] ||
		h->reserved[2] || h->reserved[3])
		return false;
	/* Each count is below 2^40, so that no sum can overflow. */
	if (h->buckets >> 40 || h->class_count >> 32 || h->overflow_count >> 40)
		return false;
	if (!h->home_buckets || h->home_buckets > h->buckets || !h->class_count)
		return false;
	need = sizeof(*h) + h->class_count * sizeof(struct domainset_class) +
	       h->buckets * DOMAINSET_BUCKET * 8 + h->overflow_count * 12;
	return len - need < 8 && need <= len;
}

/* Everything a lookup relies on. */
static bool is_body_sane(const struct domainset *s, const struct domainset_header *h)
{
	uint64_t slots = h->buckets * DOMAINSET_BUCKET, count = 0;

	for (uint64_t i = 0; i < slots; i++) {
		uint64_t class = s->slots[i] & DOMAINSET_OVERFLOW;

		if (!class && s->slots[i])
			return false;
		if (class >= h->class_count && class != DOMAINSET_OVERFLOW)
			return false;
		count += class != 0;
	}
	/* An open bucket at the end stops every lookup. */
	if (count != h->count || s->slots[slots - 1])
		return false;
	for (size_t i = 0; i < s->overflow_count; i++) {
		if (s->overflow_class[i] >= h->class_count || !s->overflow_class[i])
			return false;
		if (i && s->overflow[i] <= s->overflow[i - 1])
			return false;
	}
	return true;
}

int domainset_open(const void *image, size_t len, struct domainset *out)
{
	const struct domainset_header *h = image;
	const uint8_t *base = image;
	struct domainset s = { .image = image, .len = len };

	if ((uintptr_t)image % 8)
		return -EINVAL;
	if (len < sizeof(*h) || !is_header_sane(h, len))
		return -EBADMSG;
	if (siphash13(h->key, base + DOMAINSET_CHECKED_FROM, len - DOMAINSET_CHECKED_FROM) !=
		h->checksum)
		return -EBADMSG;
	s.slots = (const void *)(base + sizeof(*h));
	s.home_buckets = h->home_buckets;
	s.classes = (const void *)(s.slots + h->buckets * DOMAINSET_BUCKET);
	s.class_count = h->class_count;
	s.overflow = (const void *)(s.classes + h->class_count);
	s.overflow_count = h->overflow_count;
	s.overflow_class = (const void *)(s.overflow + h->overflow_count);
	s.depths = h->depths;
	s.max_labels = h->max_labels;
	s.count = h->count;
	memcpy(s.key, h->key, sizeof(s.key));
	if (!is_body_sane(&s, h))
		return -EBADMSG;
	*out = s;
	return 0;
}

int domainset_open_file(const char *path, struct domainset *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;
	void *image;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct domainset_header))
		err = -EBADMSG;
	image = err ? MAP_FAILED
		    : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (!err && image == MAP_FAILED)
		err = -errno;
	close(fd);
	if (err)
		return err;
	err = domainset_open(image, (size_t)st.st_size, out);
	if (err)
		munmap(image, (size_t)st.st_size);
	else
		out->mapped = true;
	return err;
}

void domainset_close(struct domainset *s)
{
	if (s->mapped)
		munmap((void *)(uintptr_t)s->image, s->len);
	*s = (struct domainset){ 0 };
}

static const struct domainset_class *find_overflow(const struct domainset *s, uint64_t hash)
{
	size_t low = 0, high = s->overflow_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->overflow[mid] == hash)
			return &s->classes[s->overflow_class[mid]];
		if (s->overflow[mid] < hash)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static const struct domainset_class *find_class(const struct domainset *s, uint64_t hash)
{
	const uint64_t want = hash << DOMAINSET_CLASS_BITS;
	const uint64_t *b = s->slots + domainset_home(hash, s->home_buckets) * DOMAINSET_BUCKET;

	for (;; b += DOMAINSET_BUCKET) {
		uint64_t class = 0;

		/* Without branches: a slot of the name differs from want in its class alone. */
		for (unsigned i = 0; i < DOMAINSET_BUCKET; i++) {
			uint64_t diff = b[i] ^ want;
			class = diff - 1 < DOMAINSET_OVERFLOW ? diff : class;
		}
		if (class)
			return class == DOMAINSET_OVERFLOW ? find_overflow(s, hash)
							   : &s->classes[class];
		if (!b[DOMAINSET_BUCKET - 1])
			return NULL;
	}
}

void domainset_find(const struct domainset *s, const char *name, size_t len, uint64_t lists,
	struct domainset_hit *out)
{
	struct domainset_suffix suffix[DOMAINSET_MAX_LABELS];
	struct {
		uint64_t block, except;
		size_t offset;
	} hit[DOMAINSET_MAX_LABELS];
	size_t n = domainset_hash(s->key, name, len, s->max_labels, suffix), used = 0, hits = 0;
	uint64_t whole = 0;

	*out = (struct domainset_hit){ 0 };
	for (size_t i = 0; i < n; i++) {
		if (!(s->depths >> (suffix[i].labels < 63 ? suffix[i].labels : 63) & 1))
			continue;
		__builtin_prefetch(s->slots + domainset_home(suffix[i].hash, s->home_buckets) *
						      DOMAINSET_BUCKET);
		suffix[used++] = suffix[i];
	}
	for (size_t i = 0; i < used; i++) {
		const struct domainset_class *c = find_class(s, suffix[i].hash);
		bool self = !suffix[i].offset;

		if (!c)
			continue;
		out->paths |= (self ? c->paths_self : c->paths_below) & lists;
		whole |= (self ? c->block_self : c->block_below) & lists;
		hit[hits].block =
			(self ? c->block_self | c->paths_self : c->block_below | c->paths_below) &
			lists;
		hit[hits].except = (self ? c->except_self : c->except_below) & lists;
		hit[hits].offset = suffix[i].offset;
		out->blocked |= hit[hits].block;
		out->excepted |= hit[hits].except;
		hits++;
	}
	out->blocked &= ~out->excepted;
	out->paths &= out->blocked & ~whole;
	/* Longest last: what still blocks names the rule, else what excepts. */
	for (size_t i = hits; i-- > 0;) {
		if (out->blocked ? hit[i].block & out->blocked : hit[i].except) {
			out->offset = hit[i].offset;
			return;
		}
	}
}
