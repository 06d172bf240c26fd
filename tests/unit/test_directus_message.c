/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages as the WebSocket of a real Directus 11.3 had them. */
#include "syncd/directus_message.h"
#include "tests/unit/tap.h"
#include <string.h>

static struct directus_message parse(const char *text)
{
	struct directus_message m;

	directus_message_parse(text, strlen(text), &m);
	return m;
}

static void test_greeting(void)
{
	struct directus_message m =
		parse("{\"type\":\"auth\",\"status\":\"error\",\"error\":{\"code\":\"AUTH_FAILED\","
		      "\"message\":\"Authentication handshake failed.\"}}");

	INT_IS(m.kind, MESSAGE_REFUSED);
	STR_IS(m.text, "AUTH_FAILED");
	INT_IS(parse("{\"type\":\"auth\",\"status\":\"ok\"}").kind, MESSAGE_WELCOME);
}

static void test_changes_name_their_collection(void)
{
	static const char *const events[] = {
		"{\"type\":\"subscription\",\"event\":\"create\",\"data\":[{\"id\":6}],\"uid\":"
		"\"gifs\"}",
		"{\"type\":\"subscription\",\"event\":\"update\",\"data\":[{\"id\":6}],\"uid\":"
		"\"gifs\"}",
		"{\"type\":\"subscription\",\"event\":\"delete\",\"data\":[\"6\"],\"uid\":"
		"\"gifs\"}",
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		struct directus_message m = parse(events[i]);

		INT_IS(m.kind, MESSAGE_CHANGED);
		STR_IS(m.collection, "gifs");
	}
}

static void test_a_subscription_is_no_change(void)
{
	INT_IS(parse("{\"type\":\"subscription\",\"event\":\"init\",\"data\":[],\"uid\":\"gifs\"}")
			.kind,
		MESSAGE_OTHER);
	INT_IS(parse("{\"type\":\"subscribe\",\"status\":\"error\",\"error\":{\"code\":"
		     "\"INVALID_COLLECTION\"},\"uid\":\"nope\"}")
			.kind,
		MESSAGE_NOT_SUBSCRIBED);
}

static void test_the_rest_is_nothing(void)
{
	static const char *const texts[] = { "", "null", "[]", "{", "{\"type\":7}",
		"{\"type\":\"pong\"}", "{\"type\":\"server\",\"status\":\"error\"}",
		"{\"type\":\"ping\",\"type\":\"ping\"}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		INT_IS(parse(texts[i]).kind, MESSAGE_OTHER);
	INT_IS(parse("{\"type\":\"ping\"}").kind, MESSAGE_PING);
}

static void test_a_name_that_is_too_long_is_none(void)
{
	char text[400], name[200];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	snprintf(text, sizeof(text),
		"{\"type\":\"subscription\",\"event\":\"create\",\"uid\":\"%s\"}", name);
	INT_IS(parse(text).kind, MESSAGE_CHANGED);
	STR_IS(parse(text).collection, "");
}

int main(void)
{
	TAP_RUN(test_greeting);
	TAP_RUN(test_changes_name_their_collection);
	TAP_RUN(test_a_subscription_is_no_change);
	TAP_RUN(test_the_rest_is_nothing);
	TAP_RUN(test_a_name_that_is_too_long_is_none);
	return tap_done();
}
