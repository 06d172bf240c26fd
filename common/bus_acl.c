/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus-acl: prints the Redis ACL file of the bus, made from the schema. One user per daemon; its
 * first part reads and subscribes, each selector in parentheses allows one kind of writing with its
 * own keys and channels: Redis tells reading from writing for keys but not for channels, so that
 * who may listen to a topic must not hold PUBLISH on it. Passwords are written as
 * >@PASSWORD_<daemon>@.
 *
 * bus-acl [replicated|sentinel] [GATEWAY...]: with names of gateways, the daemons of each are users
 * of their own (wgd@north, whose password is written as @PASSWORD_wgd.north@), who reach what is of
 * their gateway and of everybody; "-" is the gateway without a name, which is also there when none
 * is named. replicated: for servers of which one is the master and Sentinels watch over it: daemons
 * may ask what a server is, and there are the users `replica` (masteruser) and `sentinel` (sentinel
 * auth-user). sentinel: the file of the Sentinels themselves; the user `sentinel` is each Sentinel
 * at the others.
 */
#include "common/bus_impl.h"
#include <stdio.h>
#include <string.h>

#define BIT(d) (1u << (d))

enum { NAME_LEN = 64 };

/* The user that is printed, as seen from one gateway. */
struct user {
	unsigned d;
	const char *gateway; /* "" = the one without a name */
	const char *role;    /* of d, whose user it is; NULL = the daemon itself */
};

/* What the file is for. */
struct plan {
	bool replicated;
	char *const *gateways;
	int n;
};

static const char *name_of(const struct user *u, unsigned d, char out[static NAME_LEN])
{
	bool has_gateway = *u->gateway && bus_daemon_is_of_gateway((enum bus_daemon)d);

	snprintf(out, NAME_LEN, "%s%s%s", bus_daemon_name((enum bus_daemon)d),
		has_gateway ? "@" : "", has_gateway ? u->gateway : "");
	return out;
}

static bool owns(int topic, unsigned d)
{
	return bus_topics[topic].owners & BIT(d);
}

/* Does d read state of owner? */
static bool reads_from(unsigned d, unsigned owner)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		if ((bus_topics[t].readers & BIT(d)) && owns(t, owner))
			return true;
	}
	return false;
}

static bool calls(unsigned caller, unsigned d)
{
	for (int op = 0; op < BUS_OPS; op++) {
		if (bus_ops[op].daemon == d && (bus_ops[op].callers & BIT(caller)))
			return true;
	}
	return false;
}

static bool calls_any(unsigned caller)
{
	bool any = false;

	for (unsigned d = 0; d < BUS_DAEMONS; d++)
		any |= calls(caller, d);
	return any;
}

static void print_read_state(const struct user *u, unsigned owner)
{
	char name[NAME_LEN];

	name_of(u, owner, name);
	if (reads_from(u->d, owner))
		printf(" %%R~culvert:epoch:%s %%R~culvert:gens:%s", name, name);
	for (int t = 0; t < BUS_TOPICS; t++) {
		if ((bus_topics[t].readers & BIT(u->d)) && owns(t, owner))
			printf(" %%R~culvert:state:%s:%s &culvert:state:%s:%s", bus_topics[t].name,
				name, bus_topics[t].name, name);
	}
}

/* What d publishes and u listens to: events, and requests to u. */
static void print_hear(const struct user *u, unsigned d)
{
	char name[NAME_LEN], self[NAME_LEN];

	name_of(u, d, name);
	for (int e = 0; e < BUS_EVENTS; e++) {
		if (bus_events[e].daemon == d && (bus_events[e].readers & BIT(u->d)))
			printf(" &culvert:event:%s:%s", name, bus_events[e].kind);
	}
	if (calls(d, u->d))
		printf(" &culvert:req:%s:%s", name_of(u, u->d, self), name);
}

static void print_listen(const struct user *u)
{
	char self[NAME_LEN];

	printf(" &culvert:status:*");
	if (calls_any(u->d))
		printf(" &culvert:reply:%s:*", name_of(u, u->d, self));
	for (int q = 0; q < BUS_QUEUES; q++) {
		if ((bus_queues[q].producers | bus_queues[q].consumers) & BIT(u->d))
			printf(" &culvert:queue:%s &culvert:confirm:%s", bus_queues[q].name,
				bus_queues[q].name);
		if (bus_queues[q].producers & BIT(u->d))
			printf(" %%R~culvert:confirm:%s", bus_queues[q].name);
	}
}

/* The keys the state script writes and the channel it announces on. */
static void print_own_state(const struct user *u)
{
	char self[NAME_LEN];
	bool any = false;

	name_of(u, u->d, self);
	for (int t = 0; t < BUS_TOPICS; t++)
		any |= owns(t, u->d);
	if (!any)
		return;
	printf(" (+evalsha +eval +get +set +hget +hgetall +hset +hdel +hlen +unlink +rename "
	       "+persist"
	       " +expire +publish ~culvert:epoch:%s ~culvert:gen:%s ~culvert:gens:%s"
	       " ~culvert:fence:%s",
		self, self, self, self);
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (owns(t, u->d))
			printf(" ~culvert:state:%s:%s ~culvert:stage:%s:%s:* &culvert:state:%s:%s",
				bus_topics[t].name, self, bus_topics[t].name, self,
				bus_topics[t].name, self);
	}
	printf(")");
}

static void print_publish(const struct user *u)
{
	char self[NAME_LEN];

	name_of(u, u->d, self);
	printf(" (+publish +set %%W~culvert:status:%s:* &culvert:status:%s:*", self, self);
	for (int e = 0; e < BUS_EVENTS; e++) {
		if (bus_events[e].daemon == u->d)
			printf(" &culvert:event:%s:%s", self, bus_events[e].kind);
	}
}

/* Requests to d, and answers to d's. */
static void print_ask(const struct user *u, unsigned d)
{
	char name[NAME_LEN], self[NAME_LEN];

	name_of(u, d, name);
	if (calls(u->d, d))
		printf(" &culvert:req:%s:%s", name, name_of(u, u->d, self));
	if (calls(d, u->d))
		printf(" &culvert:reply:%s:*", name);
}

static void print_queues(unsigned d)
{
	for (int q = 0; q < BUS_QUEUES; q++) {
		const char *name = bus_queues[q].name;

		if (bus_queues[q].producers & BIT(d))
			printf(" (+xadd +xrange +publish ~culvert:queue:%s &culvert:queue:%s)",
				name, name);
		if (bus_queues[q].consumers & BIT(d))
			printf(" (+xgroup|create +xreadgroup +xack +xadd +publish ~culvert:queue:%s"
			       " ~culvert:confirm:%s &culvert:confirm:%s)",
				name, name, name);
	}
}

static void print_blobs(unsigned d)
{
	if (bus_blob_writers & BIT(d))
		printf(" (+setrange +getrange +expire ~culvert:blob:*)");
	else if (bus_blob_readers & BIT(d))
		printf(" (+getrange %%R~culvert:blob:*)");
}

/* For each daemon that the user has to do with: once, or of each gateway where the user is
 * everybody's and the daemon is not. */
static void for_each(const struct user *u, const struct plan *plan,
	void (*print)(const struct user *u, unsigned d))
{
	bool is_everybodys = !bus_daemon_is_of_gateway((enum bus_daemon)u->d);

	for (unsigned d = 0; d < BUS_DAEMONS; d++) {
		if (!is_everybodys || !bus_daemon_is_of_gateway((enum bus_daemon)d)) {
			print(u, d);
			continue;
		}
		for (int g = 0; g < plan->n; g++) {
			struct user seen = { u->d, plan->gateways[g], NULL };

			print(&seen, d);
		}
	}
}

static void print_head(const struct user *u)
{
	bool has_gateway = *u->gateway && bus_daemon_is_of_gateway((enum bus_daemon)u->d);
	const char *name = u->role ? u->role : bus_daemon_name((enum bus_daemon)u->d);
	const char *gateway = has_gateway ? u->gateway : "";

	printf("user %s%s%s on >@PASSWORD_%s%s%s@ resetkeys resetchannels -@all +ping", name,
		has_gateway ? "@" : "", gateway, name, has_gateway ? "." : "", gateway);
}

/* proxyd --path knows what proxyd knows, and says what it judged: no state, request or queue. */
static void print_role(const struct user *u)
{
	char self[NAME_LEN];

	name_of(u, u->d, self);
	printf(" &culvert:status:* (+publish +set %%W~culvert:status:%s:%s*"
	       " &culvert:status:%s:%s*",
		self, u->role, self, u->role);
	printf(" &culvert:event:%s:access &culvert:event:%s:count)", self, self);
	print_blobs(u->d);
	putchar('\n');
}

static void print_user(const struct user *u, const struct plan *plan)
{
	print_head(u);
	printf(" +get +hget +hmget +hgetall +hscan +subscribe +psubscribe +xread%s",
		plan->replicated ? " +role" : "");
	for_each(u, plan, print_read_state);
	if (u->role)
		return print_role(u);
	for_each(u, plan, print_hear);
	print_listen(u);
	print_own_state(u);
	print_publish(u);
	for_each(u, plan, print_ask);
	printf(")");
	print_queues(u->d);
	print_blobs(u->d);
	putchar('\n');
}

/* What the documentation of Redis gives them (management/sentinel, replication). */
static void print_servers(void)
{
	puts("user replica on >@PASSWORD_replica@ resetkeys resetchannels -@all +psync +replconf "
	     "+ping");
	puts("user sentinel on >@PASSWORD_sentinel@ resetkeys resetchannels &* -@all +multi "
	     "+slaveof +ping +exec +subscribe +config|rewrite +role +publish +info "
	     "+client|setname +client|kill +script|kill");
}

static void print_at_sentinel(const struct user *u, const struct plan *plan)
{
	(void)plan;
	print_head(u);
	puts(" +sentinel|get-master-addr-by-name +sentinel|master");
}

static void print_sentinel(void)
{
	puts("user sentinel on >@PASSWORD_sentinel@ resetkeys resetchannels &* -@all +ping "
	     "+publish +hello +client|setname +sentinel|is-master-down-by-addr");
}

static void print_users(
	const struct plan *plan, void (*print)(const struct user *u, const struct plan *plan))
{
	for (unsigned d = 0; d < BUS_DAEMONS; d++) {
		bool is_everybodys = !bus_daemon_is_of_gateway((enum bus_daemon)d);

		for (int g = 0; g < (is_everybodys ? 1 : plan->n); g++) {
			struct user u = { d, is_everybodys ? "" : plan->gateways[g], NULL };

			print(&u, plan);
			u.role = "path";
			if (d == BUS_PROXYD)
				print(&u, plan);
		}
	}
}

/* As culvert.gateway may be. */
static bool is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

	return n && n <= 16 && !text[n];
}

int main(int argc, char **argv)
{
	char none[] = "";
	char *const unnamed[] = { none };
	const char *kind = argc > 1 ? argv[1] : "";
	bool replicated = !strcmp(kind, "replicated"), sentinel = !strcmp(kind, "sentinel");
	int skip = 1 + (replicated || sentinel);
	struct plan plan = { .replicated = replicated, .gateways = unnamed, .n = 1 };

	for (int g = skip; g < argc; g++) {
		if (!is_name(argv[g])) {
			fputs("usage: bus-acl [replicated | sentinel] [GATEWAY...]\n", stderr);
			return 2;
		}
		if (!strcmp(argv[g], "-"))
			argv[g] = none;
	}
	if (argc > skip)
		plan = (struct plan){ replicated, argv + skip, argc - skip };
	puts("user default off resetpass resetkeys resetchannels -@all");
	print_users(&plan, sentinel ? print_at_sentinel : print_user);
	if (replicated)
		print_servers();
	if (sentinel)
		print_sentinel();
	return fflush(stdout) ? 1 : 0;
}
