/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_env.h"
#include "tests/unit/tap.h"
#include <string.h>

static struct directus_env parse(const char *text)
{
	struct directus_env e;

	INT_IS(directus_env_parse(text, strlen(text), &e), 0);
	return e;
}

static void test_access_is_taken_from_it(void)
{
	struct directus_env e = parse("# K's\nKEY=\"x\"\nADMIN_EMAIL = \"a@example.com\" \r\n"
				      "export ADMIN_PASSWORD='p=w #1'\nADMIN_TOKEN=t1");

	STR_IS(e.email, "a@example.com");
	STR_IS(e.password, "p=w #1");
	STR_IS(e.token, "t1");
	directus_env_fini(&e);
	OK(!e.token && !e.email && !e.password);
}

static void test_its_own_token_goes_before_the_administrators(void)
{
	struct directus_env e = parse("DIRECTUS_TOKEN=mine\nADMIN_TOKEN=theirs\n"
				      "DIRECTUS_TOKEN=newer\n");

	STR_IS(e.token, "newer");
	directus_env_fini(&e);
}

static void test_the_rest_is_nothing(void)
{
	struct directus_env e =
		parse("\n\n=\nADMIN_TOKEN\nADMIN_TOKEN=\n#ADMIN_TOKEN=x\nADMIN_TOKENS=x\n\"");

	OK(!e.token && !e.email && !e.password);
}

int main(void)
{
	TAP_RUN(test_access_is_taken_from_it);
	TAP_RUN(test_its_own_token_goes_before_the_administrators);
	TAP_RUN(test_the_rest_is_nothing);
	return tap_done();
}
