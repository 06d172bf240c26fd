/* SPDX-License-Identifier: GPL-3.0-or-later */
/* F11: the guard of routing and the kernel of this machine, in a network namespace of the test's
 * own, beside a directory that looks like /proc/sys/net. */
#include "fwd/routing.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

static char top[] = "/tmp/culvert-routing-XXXXXX";

struct said {
	int healed, unguarded;
	char what[64];
};

static void on_healed(void *arg, const char *what)
{
	struct said *said = arg;
	(void)what;
	said->healed++;
}

static void on_unguarded(void *arg, const char *what)
{
	struct said *said = arg;
	said->unguarded++;
	snprintf(said->what, sizeof(said->what), "%s", what);
}

static void run(const char *command)
{
	INT_IS(system(command), 0);
}

static struct conf_shared make_conf(void)
{
	static char first[] = "wg0", second[] = "wg-a-long-name1";
	static struct conf_tunnel tunnels[] = { { .interface = first }, { .interface = second } };
	return (struct conf_shared){ .tunnels = tunnels, .tunnel_count = 2 };
}

/* How many of our rules the kernel has, of both families. */
static int count_rules(void)
{
	int n = -1;
	FILE *f = popen("(ip rule; ip -6 rule) | grep -c 'fwmark 0/0x4000000 .*unreachable'", "r");
	OK(f && fscanf(f, "%d", &n) == 1);
	if (f)
		pclose(f);
	return n;
}

static void finish(struct routing *r, uv_loop_t *loop)
{
	routing_close(r);
	uv_run(loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(loop), 0);
}

static void test_every_tunnel_is_guarded_in_both_families_and_stays_so(void)
{
	static const struct routing_ops ops = { on_healed, on_unguarded };
	struct said said = { 0 };
	struct conf_shared conf = make_conf();
	struct routing r;
	uv_loop_t loop;
	run("ip rule flush protocol 67; ip -6 rule flush protocol 67");
	INT_IS(uv_loop_init(&loop), 0);
	INT_IS(routing_open(&r, &loop, &conf, true, top, &ops, &said), 0);
	INT_IS(count_rules(), 0);
	routing_guard(&r);
	INT_IS(count_rules(), 4);
	INT_IS(said.healed, 0);
	run("ip rule flush protocol 67");
	INT_IS(count_rules(), 2);
	while (!said.healed)
		uv_run(&loop, UV_RUN_ONCE);
	INT_IS(count_rules(), 4);
	INT_IS(said.unguarded, 0);
	finish(&r, &loop);
	INT_IS(count_rules(), 4); /* not its end's to take away */
}

static void test_a_guard_that_would_drop_replies_is_not_set_and_told_of_once(void)
{
	static const struct routing_ops ops = { on_healed, on_unguarded };
	struct said said = { 0 };
	struct conf_shared conf = make_conf();
	struct routing r;
	uv_loop_t loop;
	run("ip rule flush protocol 67; ip -6 rule flush protocol 67");
	run("mkdir -p $TOP/ipv4/conf/eth0 && echo 2 >$TOP/ipv4/conf/eth0/rp_filter");
	INT_IS(uv_loop_init(&loop), 0);
	INT_IS(routing_open(&r, &loop, &conf, true, top, &ops, &said), 0);
	routing_guard(&r);
	routing_guard(&r);
	INT_IS(said.unguarded, 1);
	STR_IS(said.what, "net.ipv4.conf.all.src_valid_mark");
	INT_IS(count_rules(), 0);
	/* Tried again. */
	run("mkdir -p $TOP/ipv4/conf/all && echo 0 >$TOP/ipv4/conf/all/src_valid_mark");
	while (!said.healed)
		uv_run(&loop, UV_RUN_ONCE);
	INT_IS(count_rules(), 4);
	INT_IS(r.guard_error, 0);
	finish(&r, &loop);
}

int main(void)
{
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no right to make a network namespace\n");
		return 0;
	}
	if (!mkdtemp(top) || setenv("TOP", top, 1))
		return 1;
	TAP_RUN(test_every_tunnel_is_guarded_in_both_families_and_stays_so);
	TAP_RUN(test_a_guard_that_would_drop_replies_is_not_set_and_told_of_once);
	run("rm -r $TOP");
	return tap_done();
}
