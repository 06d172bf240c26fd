/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus-acl: prints the Redis ACL file of the bus, made from the schema. One user per daemon; its
 * first part reads and subscribes, each selector in parentheses allows one kind of writing with its
 * own keys and channels: Redis tells reading from writing for keys but not for channels, so that
 * who may listen to a topic must not hold PUBLISH on it. Passwords are written as
 * >@PASSWORD_<daemon>@.
 *
 * bus-acl replicated: the same for servers of which one is the master and Sentinels watch over it:
 * daemons may ask what a server is, and there are the users `replica` (masteruser) and `sentinel`
 * (sentinel auth-user). bus-acl sentinel: the file of the Sentinels themselves; the user `sentinel`
 * is each Sentinel at the others.
 */
#include "common/bus_impl.h"
#include <stdio.h>
#include <string.h>

#define BIT(d) (1u << (d))

/* Does d read state of owner? */
static bool reads_from(unsigned d, unsigned owner)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		if ((bus_topics[t].readers & BIT(d)) && (bus_topics[t].owners & BIT(owner)))
			return true;
	}
	return false;
}

static void print_read_state(unsigned d)
{
	for (unsigned o = 0; o < BUS_DAEMONS; o++) {
		const char *owner = bus_daemon_name((enum bus_daemon)o);

		if (reads_from(d, o))
			printf(" %%R~culvert:epoch:%s %%R~culvert:gens:%s", owner, owner);
		for (int t = 0; t < BUS_TOPICS; t++) {
			if ((bus_topics[t].readers & BIT(d)) && (bus_topics[t].owners & BIT(o)))
				printf(" %%R~culvert:state:%s:%s &culvert:state:%s:%s",
					bus_topics[t].name, owner, bus_topics[t].name, owner);
		}
	}
}

static void print_listen(unsigned d, const char *self)
{
	printf(" &culvert:status:*");
	for (int e = 0; e < BUS_EVENTS; e++) {
		if (bus_events[e].readers & BIT(d))
			printf(" &culvert:event:%s:%s", bus_daemon_name(bus_events[e].daemon),
				bus_events[e].kind);
	}
	for (unsigned c = 0; c < BUS_DAEMONS; c++) {
		bool calls = false;

		for (int op = 0; op < BUS_OPS; op++)
			calls |= bus_ops[op].daemon == d && (bus_ops[op].callers & BIT(c));
		if (calls)
			printf(" &culvert:req:%s:%s", self, bus_daemon_name((enum bus_daemon)c));
	}
	for (int op = 0; op < BUS_OPS; op++) {
		if (bus_ops[op].callers & BIT(d)) {
			printf(" &culvert:reply:%s:*", self);
			break;
		}
	}
	for (int q = 0; q < BUS_QUEUES; q++) {
		if ((bus_queues[q].producers | bus_queues[q].consumers) & BIT(d))
			printf(" &culvert:queue:%s &culvert:confirm:%s", bus_queues[q].name,
				bus_queues[q].name);
		if (bus_queues[q].producers & BIT(d))
			printf(" %%R~culvert:confirm:%s", bus_queues[q].name);
	}
}

/* The keys the state script writes and the channel it announces on. */
static void print_own_state(unsigned d, const char *self)
{
	bool any = false;

	for (int t = 0; t < BUS_TOPICS; t++)
		any |= (bus_topics[t].owners & BIT(d)) != 0;
	if (!any)
		return;
	printf(" (+evalsha +eval +get +set +hget +hgetall +hset +hdel +hlen +unlink +rename "
	       "+persist"
	       " +expire +publish ~culvert:epoch:%s ~culvert:gen:%s ~culvert:gens:%s"
	       " ~culvert:fence:%s",
		self, self, self, self);
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (bus_topics[t].owners & BIT(d))
			printf(" ~culvert:state:%s:%s ~culvert:stage:%s:%s:* &culvert:state:%s:%s",
				bus_topics[t].name, self, bus_topics[t].name, self,
				bus_topics[t].name, self);
	}
	printf(")");
}

static void print_publish(unsigned d, const char *self)
{
	printf(" (+publish +set %%W~culvert:status:%s:* &culvert:status:%s:*", self, self);
	for (int e = 0; e < BUS_EVENTS; e++) {
		if (bus_events[e].daemon == d)
			printf(" &culvert:event:%s:%s", self, bus_events[e].kind);
	}
	for (unsigned o = 0; o < BUS_DAEMONS; o++) {
		const char *other = bus_daemon_name((enum bus_daemon)o);
		bool calls = false, serves = false;

		for (int op = 0; op < BUS_OPS; op++) {
			calls |= bus_ops[op].daemon == o && (bus_ops[op].callers & BIT(d));
			serves |= bus_ops[op].daemon == d && (bus_ops[op].callers & BIT(o));
		}
		if (calls)
			printf(" &culvert:req:%s:%s", other, self);
		if (serves)
			printf(" &culvert:reply:%s:*", other);
	}
	printf(")");
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

/* What the documentation of Redis gives them (management/sentinel, replication). */
static void print_servers(void)
{
	puts("user replica on >@PASSWORD_replica@ resetkeys resetchannels -@all +psync +replconf "
	     "+ping");
	puts("user sentinel on >@PASSWORD_sentinel@ resetkeys resetchannels &* -@all +multi "
	     "+slaveof +ping +exec +subscribe +config|rewrite +role +publish +info "
	     "+client|setname +client|kill +script|kill");
}

static void print_sentinel(void)
{
	for (unsigned d = 0; d < BUS_DAEMONS; d++) {
		const char *self = bus_daemon_name((enum bus_daemon)d);

		printf("user %s on >@PASSWORD_%s@ resetkeys resetchannels -@all +ping "
		       "+sentinel|get-master-addr-by-name +sentinel|master\n",
			self, self);
	}
	puts("user sentinel on >@PASSWORD_sentinel@ resetkeys resetchannels &* -@all +ping "
	     "+publish +hello +client|setname +sentinel|is-master-down-by-addr");
}

static void print_bus(bool replicated)
{
	for (unsigned d = 0; d < BUS_DAEMONS; d++) {
		const char *self = bus_daemon_name((enum bus_daemon)d);

		printf("user %s on >@PASSWORD_%s@ resetkeys resetchannels -@all +ping +get +hget "
		       "+hmget"
		       " +hgetall +hscan +subscribe +psubscribe +xread%s",
			self, self, replicated ? " +role" : "");
		print_read_state(d);
		print_listen(d, self);
		print_own_state(d, self);
		print_publish(d, self);
		print_queues(d);
		print_blobs(d);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	bool replicated = !strcmp(kind, "replicated");

	if (*kind && !replicated && strcmp(kind, "sentinel")) {
		fputs("usage: bus-acl [replicated | sentinel]\n", stderr);
		return 2;
	}
	puts("user default off resetpass resetkeys resetchannels -@all");
	if (*kind && !replicated) {
		print_sentinel();
	} else {
		print_bus(replicated);
		if (replicated)
			print_servers();
	}
	return fflush(stdout) ? 1 : 0;
}
