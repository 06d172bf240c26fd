/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P16: what stands in the access log. */
#include <stdlib.h>

#include "proxyd/access_line.h"
#include "tests/unit/tap.h"

static const struct addr *client_of(const char *text)
{
	static struct addr a;

	OK(!addr_parse(text, &a));
	return &a;
}

static struct access_line make(void)
{
	return (struct access_line){
		.at_s = 1796000000,
		.client = client_of("10.9.0.2"),
		.device = "phone",
		.method = "GET",
		.host = "site.example",
		.port = 443,
		.path = "/a?b=c",
		.status = 200,
		.bytes = 5000000000,
		.verdict = "allow",
		.rule = "allowed_category education",
		.ms = 12,
	};
}

static void is_line(const struct access_line *l, const char *want)
{
	struct buf b;

	buf_init(&b, 0);
	OK(!access_line_format(l, &b));
	STR_IS((const char *)b.data, want);
	buf_fini(&b);
}

static void test_line_is_combined_behind_its_host(void)
{
	struct access_line l = make();

	is_line(&l,
		"site.example:443 10.9.0.2 - phone [30/Nov/2026:00:53:20 +0000] \"GET /a?b=c "
		"HTTP/1.1\" 200 5000000000 \"-\" \"-\" allow \"allowed_category education\" 12\n");
}

static void test_version_is_the_one_spoken(void)
{
	struct access_line l = make();

	l.version = "2.0";
	is_line(&l,
		"site.example:443 10.9.0.2 - phone [30/Nov/2026:00:53:20 +0000] \"GET /a?b=c "
		"HTTP/2.0\" 200 5000000000 \"-\" \"-\" allow \"allowed_category education\" 12\n");
}

static void test_connection_names_host_and_port(void)
{
	struct access_line l = make();

	l.method = "CONNECT";
	l.path = NULL;
	l.host = "2001:db8::1";
	l.client = client_of("fd09::2");
	l.status = 0;
	l.rule = "";
	is_line(&l, "[2001:db8::1]:443 fd09::2 - phone [30/Nov/2026:00:53:20 +0000] \"CONNECT "
		    "[2001:db8::1]:443 HTTP/1.1\" 499 5000000000 \"-\" \"-\" allow \"\" 12\n");
}

static void test_hostile_text_stays_in_its_field(void)
{
	struct access_line l = make();

	l.device = "my phone\"";
	l.host = "";
	l.path = "/\"x\\y\n\x7f\xc3\xa4 z";
	l.rule = "a\"b\r\nc d";
	is_line(&l, "-:443 10.9.0.2 - my%20phone%22 [30/Nov/2026:00:53:20 +0000] \"GET "
		    "/%22x%5Cy%0A%7F%C3%A4%20z HTTP/1.1\" 200 5000000000 \"-\" \"-\" allow "
		    "\"a%22b%0D%0Ac d\" 12\n");
}

static void test_long_path_is_cut(void)
{
	struct access_line l = make();
	char *path = malloc(20001);
	struct buf b;

	memset(path, '\n', 20000);
	path[20000] = '\0';
	l.path = path;
	buf_init(&b, 32768);
	OK(!access_line_format(&l, &b));
	OK(b.len > 3 * 4096 && b.len < 3 * 4096 + 512);
	OK(strstr((const char *)b.data, " 12\n"));
	buf_fini(&b);
	free(path);
}

int main(void)
{
	TAP_RUN(test_line_is_combined_behind_its_host);
	TAP_RUN(test_version_is_the_one_spoken);
	TAP_RUN(test_connection_names_host_and_port);
	TAP_RUN(test_hostile_text_stays_in_its_field);
	TAP_RUN(test_long_path_is_cut);
	return tap_done();
}
