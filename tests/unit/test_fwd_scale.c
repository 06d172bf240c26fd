/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 50,000 devices and 1 M addresses in the kernel, in a network namespace of the test's own (F12,
 * figures are printed, in time of the processor; limits are ten times what is expected). */
#include "fwd/firewall.h"
#include "fwd/marks.h"
#include "tests/unit/tap.h"
#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

enum { FEW = 100, DEVICES = 50000, CHANGES = 100, ADDRESSES = 1000000 };

/* Of the processor, the kernel's and that of programs that were run in it: what others have of it
 * meanwhile is not ours. */
static double spent_ms(void)
{
	struct timespec own;
	struct rusage r;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	getrusage(RUSAGE_CHILDREN, &r);
	return (double)own.tv_sec * 1e3 + (double)own.tv_nsec / 1e6 +
	       (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

static struct addr make_addr(uint32_t base, uint32_t i)
{
	uint32_t wire = htonl(base + i);
	return addr_from_bytes(AF_INET, &wire);
}

static void open_firewall(struct firewall *f)
{
	static const struct ruleset_options options = { .masquerade = true,
		.dns_port = 53,
		.proxy_port = 8080,
		.http_port = 3128,
		.tls_port = 3129 };
	static struct prefix address;
	static char name[] = "mitm", interface[] = "wgT";
	static struct conf_tunnel tunnel = {
		.name = name, .interface = interface, .addresses = { &address, 1 }
	};
	struct conf_shared conf = { .tunnels = &tunnel, .tunnel_count = 1 };
	prefix_parse("10.9.0.1/8", &address);
	INT_IS(firewall_init(f), 0);
	INT_IS(firewall_set_conf(f, &conf, &options), 0);
	INT_IS(firewall_apply(f), 0);
}

static double add_devices(struct firewall *f, unsigned from, unsigned to)
{
	double start = spent_ms();
	for (unsigned i = from; i < to; i++) {
		struct addr a = make_addr(0x0a090002, i);
		firewall_set_device(f, "wgT", &a, PROFILE_FULL);
	}
	INT_IS(firewall_apply(f), 0);
	return spent_ms() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Median of one device's change, ms; each raises the epoch, too. */
static double change(struct firewall *f, uint32_t profile)
{
	double took[CHANGES];
	for (unsigned i = 0; i < CHANGES; i++) {
		struct addr a = make_addr(0x0a090002, i % FEW);
		double start = spent_ms();
		firewall_set_device(f, "wgT", &a, profile);
		INT_IS(firewall_apply(f), 0);
		took[i] = spent_ms() - start;
	}
	qsort(took, CHANGES, sizeof(*took), compare);
	return took[CHANGES / 2];
}

/* The same by the program nft: ms. */
static double change_by_nft(void)
{
	double best = 1e9;
	for (unsigned i = 0; i < 5; i++) {
		double start = spent_ms();
		INT_IS(system("nft 'delete element inet culvert devices4 { wgT . 10.9.0.3 }; add "
			      "element inet culvert devices4 { wgT . 10.9.0.3 : 2 }'"),
			0);
		double took = spent_ms() - start;
		best = took < best ? took : best;
	}
	return best;
}

static void test_a_change_costs_the_same_with_50000_devices(void)
{
	struct firewall f;
	open_firewall(&f);
	add_devices(&f, 0, FEW);
	double few = change(&f, PROFILE_INTERNET);
	double load = add_devices(&f, FEW, DEVICES);
	double many = change(&f, PROFILE_INTRANET);
	double nft = change_by_nft();
	printf("# %d devices loaded in %.1f ms; one change %.3f ms at %d, %.3f ms at %d, by nft "
	       "%.2f "
	       "ms\n",
		DEVICES, load, few, FEW, many, DEVICES, nft);
	OK(many < few * 10);
	OK(many < nft);
	firewall_fini(&f);
}

static size_t resident_kib(void)
{
	size_t kib = 0;
	uv_resident_set_memory(&kib);
	return kib / 1024;
}

static void write_nft_file(const char *path)
{
	FILE *out = fopen(path, "w");
	if (!out)
		return;
	fputs("table inet other {\nmap m {\ntype ipv4_addr : mark\nflags timeout\n}\n}\n", out);
	for (unsigned i = 0; i < ADDRESSES; i++) {
		char text[ADDR_STRLEN];
		struct addr a = make_addr(0x40000000, i * 7);
		addr_format(&a, text);
		fprintf(out, "%s%s timeout 86400s : 1%s",
			i % 1000 ? "," : "add element inet other m {", text,
			i % 1000 == 999 ? "}\n" : "");
	}
	fclose(out);
}

static void test_loads_a_million_addresses(void)
{
	char path[] = "/tmp/culvert-scale-XXXXXX", command[64];
	struct firewall f;
	int fd = mkstemp(path);
	OK(fd >= 0);
	write_nft_file(path);
	snprintf(command, sizeof(command), "nft -f %s", path);
	double start = spent_ms();
	INT_IS(system(command), 0);
	double nft = spent_ms() - start;
	INT_IS(system("nft delete table inet other"), 0);
	unlink(path);

	open_firewall(&f);
	feed_set_clock(&f.feed, uv_hrtime() / 1000000);
	size_t before = resident_kib();
	double longest = 0;
	start = spent_ms();
	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct addr a = make_addr(0x40000000, i * 7);
		feed_list(&f.feed, &a, 1, 86400, NULL);
		if (i % 1000 != 999)
			continue;
		double begin = spent_ms();
		INT_IS(firewall_apply(&f), 0);
		double took = spent_ms() - begin;
		longest = took > longest ? took : longest;
	}
	double ours = spent_ms() - start;
	printf("# %d addresses: %.0f ms (longest transaction %.1f ms), by nft -f %.0f ms, ratio "
	       "%.2f; %zu MiB more resident\n",
		ADDRESSES, ours, longest, nft, ours / nft, (resident_kib() - before) / 1024);
	OK(ours < nft * 5);
	INT_IS(system("nft delete table inet culvert"), 0);
	start = spent_ms();
	firewall_distrust(&f);
	INT_IS(firewall_apply(&f), 0);
	double first = spent_ms() - start;
	longest = 0;
	while (firewall_has_more(&f)) {
		double begin = spent_ms();
		INT_IS(firewall_apply(&f), 0);
		double took = spent_ms() - begin;
		longest = took > longest ? took : longest;
	}
	printf("# rules again in force in %.0f ms, all addresses in %.0f ms, no step longer than "
	       "%.1f ms\n",
		first, spent_ms() - start, longest);
	OK(first < 10000);
	firewall_fini(&f);
}

int main(void)
{
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no right to make a network namespace\n");
		return 0;
	}
	TAP_RUN(test_a_change_costs_the_same_with_50000_devices);
	TAP_RUN(test_loads_a_million_addresses);
	return tap_done();
}
