/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/ignored.h"
#include "common/timer.h"
#include "proxyd/judge.h"
#include "proxyd/pins_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS	   1000
#define AGAIN_MS   5000 /* at least, however short an answer holds */
#define RETRY_MS   10000
#define HOLD_MS	   3600000 /* while dnsd does not answer */
#define ASKING_MAX 16

struct ignored_name {
	struct ignored *ig;
	struct names_query *query; /* while it is asked */
	uint64_t ask_at, until;	   /* monotonic ms; until: the addresses hold */
	bool is_wanted;		   /* by the present policy */
	size_t count;
	struct addr addrs[RESOLVER_MAX_ADDRS];
	char text[];
};

struct ignored {
	struct proxy *p;
	struct hmap names; /* text → struct ignored_name */
	unsigned asking;
	bool is_short; /* there was no memory for a name */
	struct timer timer;
};

static void free_name(void *value)
{
	struct ignored_name *n = value;

	if (n->query) {
		names_cancel(n->query);
		n->ig->asking--;
	}
	free(n);
}

/* ---- asking ---- */

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t count)
{
	struct ignored_name *n = arg;
	uint64_t now = clock_mono_ms();

	n->query = NULL;
	n->ig->asking--;
	n->ask_at = now + (status ? RETRY_MS : AGAIN_MS);
	/* That there is no such name is an answer, too. */
	if (status && status != -ENOENT)
		return;
	n->count = status ? 0 : count;
	memcpy(n->addrs, addrs, n->count * sizeof(*addrs));
	n->until = now + HOLD_MS;
}

/* Not while the last answer holds: it is the names' cache that knows. */
static bool is_due(const struct ignored_name *n, uint64_t now)
{
	const struct addr *addrs;
	size_t count;
	int status;

	return !n->query && now >= n->ask_at &&
	       !(n->count && names_get(n->ig->p->names, n->text, &status, &addrs, &count));
}

static void ask(struct ignored *ig)
{
	uint64_t now = clock_mono_ms();

	hmap_foreach (&ig->names, it) {
		struct ignored_name *n = it.value;

		if (now >= n->until)
			n->count = 0;
		if (ig->asking >= ASKING_MAX || !is_due(n, now))
			continue;
		n->query = names_start(ig->p->names, n->text, on_resolved, n);
		if (!n->query)
			return;
		ig->asking++;
	}
}

static void on_look(struct timer *t)
{
	struct ignored *ig = t->data;

	if (ig->is_short)
		ignored_renew(ig);
	ask(ig);
}

/* ---- the names ---- */

static void want(void *arg, const char *domain)
{
	struct ignored *ig = arg;
	struct ignored_name *n;
	size_t len;

	/* As patterns may begin. */
	domain += !strncmp(domain, "*.", 2) ? 2 : *domain == '.';
	len = strlen(domain) + 1;
	n = hmap_find_str(&ig->names, domain);
	if (!n && ig->names.count < IGNORED_MAX && len <= TARGET_HOST_LEN) {
		n = calloc(1, sizeof(*n) + len);
		if (n) {
			n->ig = ig;
			memcpy(n->text, domain, len);
		}
		if (n && hmap_set_str(&ig->names, domain, n)) {
			free(n);
			n = NULL;
		}
		ig->is_short |= !n;
	}
	if (n)
		n->is_wanted = true;
}

/* One that is not wanted any more; NULL = none. */
static struct ignored_name *find_unwanted(const struct ignored *ig)
{
	hmap_foreach (&ig->names, it) {
		struct ignored_name *n = it.value;

		if (!n->is_wanted)
			return n;
	}
	return NULL;
}

void ignored_renew(struct ignored *ig)
{
	struct ignored_name *n;

	ig->is_short = false;
	hmap_foreach (&ig->names, it)
		((struct ignored_name *)it.value)->is_wanted = false;
	policy_ignored_each(ig->p->policy, want, ig);
	while ((n = find_unwanted(ig)))
		free_name(hmap_take_str(&ig->names, n->text));
	if (!ig->names.count && !ig->is_short)
		timer_stop(&ig->timer);
	else if (!timer_is_active(&ig->timer))
		timer_start(&ig->timer, 0, LOOK_MS);
}

/* ---- for connections ---- */

static bool has_address(const struct ignored_name *n, const struct addr *a, uint64_t now)
{
	for (size_t i = 0; now < n->until && i < n->count; i++) {
		if (addr_equal(&n->addrs[i], a))
			return true;
	}
	return false;
}

/* Would the device get the name itself undecrypted? */
static bool may_have(struct proxy *p, struct device_view *v, const struct ignored_name *n)
{
	struct decision d;

	pins_decide(p, v, n->text, &d);
	return judge_is_allowed(&d) && d.no_decrypt && !pins_hides_names(p, n->text, &d);
}

bool ignored_has(struct proxy *p, struct device_view *v, const char *host)
{
	const struct ignored *ig = p->ignored;
	uint64_t now = clock_mono_ms();
	bool found = false;
	struct addr a;

	if (!ig || !v || !ig->names.count || addr_parse(host, &a))
		return false;
	hmap_foreach (&ig->names, it) {
		const struct ignored_name *n = it.value;

		/* Where several names have it, each must be free. */
		if (!has_address(n, &a, now))
			continue;
		if (!may_have(p, v, n))
			return false;
		found = true;
	}
	return found && !policy_has_list_paths(p->policy, v, host, strlen(host)) &&
	       !policy_has_path_rules(p->policy, host, strlen(host));
}

/* ---- life ---- */

size_t ignored_count(const struct ignored *ig)
{
	size_t count = 0;

	hmap_foreach (&ig->names, it)
		count += ((const struct ignored_name *)it.value)->count;
	return count;
}

struct ignored *ignored_open(struct proxy *p)
{
	struct ignored *ig = calloc(1, sizeof(*ig));

	if (!ig)
		return NULL;
	ig->p = p;
	hmap_init(&ig->names, free_name);
	timer_init(&p->d->loop, &ig->timer, on_look, ig);
	return ig;
}

static void on_closed(struct timer *t)
{
	free(t->data);
}

void ignored_close(struct ignored *ig)
{
	hmap_fini(&ig->names);
	timer_close(&ig->timer, on_closed);
}
