/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P12: whose names are logged, and how often. */
#include <stdio.h>
#include <string.h>

#include "proxyd/sni_log.h"
#include "tests/unit/tap.h"

/* proxyd's own, not asked for here. */
struct device_view *proxy_device(struct proxy *p, const struct addr *a)
{
	(void)p;
	(void)a;
	return NULL;
}

static bool due(struct sni_log *l, const char *client, const char *name, uint64_t now_ms)
{
	struct addr a;

	OK(!addr_parse(client, &a));
	return sni_log_is_due(l, &a, name, now_ms);
}

static struct sni_log *make(char **clients, size_t n)
{
	struct conf_strings list = { clients, n };

	return sni_log_new(&list, 30);
}

static void test_only_chosen_clients_are_logged(void)
{
	char one[] = "10.9.0.3", net[] = "fd09::/64", all[] = "*";
	char *some[] = { one, net }, *every[] = { all };
	struct sni_log *l = make(some, 2);

	OK(due(l, "10.9.0.3", "a.example", 0));
	OK(!due(l, "10.9.0.4", "a.example", 0));
	OK(due(l, "fd09::7", "a.example", 0));
	OK(!due(l, "fd0a::7", "a.example", 0));
	sni_log_free(l);
	l = make(every, 1);
	OK(due(l, "192.0.2.1", "a.example", 0));
	sni_log_free(l);
	l = make(NULL, 0);
	OK(!due(l, "10.9.0.3", "a.example", 0));
	sni_log_free(l);
}

static void test_a_client_s_name_is_logged_once_in_a_while(void)
{
	char all[] = "*";
	char *every[] = { all };
	struct sni_log *l = make(every, 1);

	OK(due(l, "10.9.0.3", "a.example", 1000));
	OK(!due(l, "10.9.0.3", "a.example", 30999));
	OK(due(l, "10.9.0.3", "b.example", 30999));
	OK(due(l, "10.9.0.4", "a.example", 30999));
	OK(due(l, "10.9.0.3", "a.example", 31000));
	OK(!due(l, "10.9.0.3", "a.example", 60999));
	sni_log_free(l);
}

static void test_memory_is_bounded(void)
{
	char all[] = "*", name[32];
	char *every[] = { all };
	struct sni_log *l = make(every, 1);

	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		OK(due(l, "10.9.0.3", name, 0));
	}
	OK(l->seen.count <= 8192);
	OK(due(l, "10.9.0.3", "n0.example", 0)); /* forgotten */
	OK(!due(l, "10.9.0.3", "n19999.example", 0));
	sni_log_free(l);
}

static void test_the_setting_is_checked(void)
{
	char good[] = "10.9.0.0/24", all[] = "*", bad[] = "phone";
	char *fine[] = { good, all }, *wrong[] = { good, bad };
	struct conf_strings list = { fine, 2 };
	char why[100];

	INT_IS(sni_log_check(&list, why, sizeof(why)), 0);
	list.v = wrong;
	OK(sni_log_check(&list, why, sizeof(why)) < 0);
	STR_IS(why, "phone is neither an address, nor a prefix, nor *");
}

int main(void)
{
	TAP_RUN(test_only_chosen_clients_are_logged);
	TAP_RUN(test_a_client_s_name_is_logged_once_in_a_while);
	TAP_RUN(test_memory_is_bounded);
	TAP_RUN(test_the_setting_is_checked);
	return tap_done();
}
