/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/policy/profile.h"
#include "fwd/rule.h"
#include <stdbool.h>

/*
 * Profiles (F2): the four built-in ones and those an admin defined, by name and by the id that
 * stands in the mark. A name that nobody defined is walled.
 */
/* Its rules into a chain: accepted flows go to chain `approve`, denied ones to `refuse`. */
void profile_write(const struct profile *p, struct rule_writer *r, const char *chain);

struct profiles {
	struct hmap by_name; /* name → struct profile_entry */
	uint8_t used[256];   /* id → 1 */
	unsigned last;	     /* ids go round, as those of masks.h */
};

void profiles_init(struct profiles *p);
void profiles_fini(struct profiles *p);
/* Adds or replaces an admin's profile; takes over what def owns. A name of a built-in profile is
 * refused with -EEXIST, more than the ids last with -ENOSPC (def is freed then too). */
int profiles_set(struct profiles *p, const char *name, struct profile *def);
/* Name of an admin's profile; NULL: nobody has the id. */
const char *profiles_name(const struct profiles *p, unsigned id);
/* A former run has given this id. */
void profiles_adopt(struct profiles *p, unsigned id);
bool profiles_remove(struct profiles *p, const char *name);
/* Id of the profile; PROFILE_WALLED for an unknown name. */
unsigned profiles_find(const struct profiles *p, const char *name);
/* Each of the admin's profiles. */
void profiles_each(const struct profiles *p,
	void (*on_profile)(void *arg, unsigned id, const struct profile *def), void *arg);
