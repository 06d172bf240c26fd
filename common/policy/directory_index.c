/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "common/policy/directory_impl.h"
#include <string.h>

void directory_unindex(struct directory *d, struct directory_entry *e)
{
	for (size_t i = 0; i < e->view.address_count; i++) {
		const struct addr *a = &e->view.addresses[i];
		if (hmap_find(&d->by_addr, a, sizeof(*a)) == e)
			hmap_take(&d->by_addr, a, sizeof(*a));
	}
}

void directory_index(struct directory *d, struct directory_entry *e)
{
	for (size_t i = 0; i < e->view.address_count; i++) {
		const struct addr *a = &e->view.addresses[i];
		struct directory_entry *other = hmap_find(&d->by_addr, a, sizeof(*a));
		bool is_mine = !other || other == e || strcmp(e->rec.id, other->rec.id) < 0;
		char text[ADDR_STRLEN];

		if (is_mine && hmap_set(&d->by_addr, a, sizeof(*a), e)) {
			d->index_lost = true;
			bus_record_lost(d->bus);
		}
		if (!other || other == e)
			continue;
		d->has_conflicts = true;
		addr_format(a, text);
		log_warning("address refused, it belongs to another device device=%s address=%s "
			    "holder=%s",
			(is_mine ? other : e)->rec.id, text, (is_mine ? e : other)->rec.id);
		/* The other one loses what it had. */
		if (is_mine && other->announced && d->known && d->ops.on_device)
			d->ops.on_device(d->arg, &other->view);
	}
}

unsigned directory_owned(const struct directory *d, const struct directory_entry *e)
{
	unsigned bits = 0;

	for (size_t i = 0; i < e->view.address_count; i++) {
		const struct addr *a = &e->view.addresses[i];
		if (hmap_find(&d->by_addr, a, sizeof(*a)) == e)
			bits |= 1u << i;
	}
	return bits;
}
