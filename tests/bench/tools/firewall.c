/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * firewall-cost changes DEVICES CHANGES | load ADDRESSES: what fwd's own code needs.
 *
 * Works on the table in its own network namespace. Prints nanoseconds: of each change (a device
 * comes, changes, goes; from its address to the kernel's answer), one a line, or of the loading of
 * that many listed addresses with a timeout.
 */
#include "fwd/firewall.h"
#include "common/timer.h"
#include "fwd/marks.h"
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERFACE "wgT"
enum { DAY_S = 86400, LISTS = 32 };

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Neighbours in number are none in the kernel's hash. */
static struct addr make_address(uint8_t first, uint32_t i)
{
	return (struct addr){ AF_INET,
		{ first, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
}

static void apply(struct firewall *f)
{
	if (firewall_apply(f))
		errx(1, "%s", f->nft.fault);
}

static void set_device(struct firewall *f, uint32_t i, uint32_t profile)
{
	struct addr a = make_address(10, i);
	if (firewall_set_device(f, INTERFACE, &a, profile))
		errx(1, "device");
}

static void open_firewall(struct firewall *f)
{
	static struct prefix address;
	static char name[] = "mitm", interface[] = INTERFACE;
	static struct conf_tunnel tunnel = {
		.name = name, .interface = interface, .addresses = { &address, 1 }
	};
	const struct conf_shared conf = { .tunnels = &tunnel, .tunnel_count = 1 };
	const struct ruleset_options options = { .masquerade = true,
		.dns_port = 53,
		.proxy_port = 8080,
		.http_port = 3128,
		.tls_port = 3129 };
	struct prefix lan;
	prefix_parse("10.0.0.1/8", &address);
	prefix_parse("10.0.0.0/8", &lan);
	if (firewall_init(f) || firewall_set_conf(f, &conf, &options) ||
		firewall_set_lan(f, &lan, 1))
		errx(1, "no firewall");
	feed_set_clock(&f->feed, clock_mono_ms());
}

static void change(struct firewall *f, uint32_t devices, uint32_t i)
{
	struct addr a = make_address(10, devices + i / 3);
	switch (i % 3) {
	case 0:
		set_device(f, devices + i / 3, PROFILE_INTERNET);
		break;
	case 1:
		set_device(f, devices + i / 3, PROFILE_FULL);
		break;
	default:
		firewall_remove_device(f, INTERFACE, &a);
	}
	apply(f);
}

static void measure_changes(struct firewall *f, uint32_t devices, uint32_t changes)
{
	for (uint32_t i = 0; i < devices; i++)
		set_device(f, i, PROFILE_FULL);
	apply(f);
	for (uint32_t i = 0; i < changes; i++) {
		uint64_t begin = now_ns();
		change(f, devices, i);
		printf("%llu\n", (unsigned long long)(now_ns() - begin));
	}
}

static void measure_load(struct firewall *f, uint32_t addresses)
{
	apply(f);
	uint64_t begin = now_ns();
	for (uint32_t i = 0; i < addresses; i++) {
		struct addr a = make_address(100, i);
		if (feed_list(&f->feed, &a, 1u << i % LISTS, DAY_S, NULL))
			errx(1, "address %u", i);
		if (i % 1000 == 999)
			apply(f);
	}
	apply(f);
	printf("%llu\n", (unsigned long long)(now_ns() - begin));
}

int main(int argc, char **argv)
{
	struct firewall f;
	open_firewall(&f);
	if (argc == 4 && !strcmp(argv[1], "changes"))
		measure_changes(&f, (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "load"))
		measure_load(&f, (uint32_t)atoi(argv[2]));
	else
		errx(2, "usage: firewall-cost changes DEVICES CHANGES | load ADDRESSES");
	firewall_fini(&f);
	return 0;
}
