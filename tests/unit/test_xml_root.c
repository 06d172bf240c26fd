/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which documents of XML are SVG images (SPEC P10). */
#include "proxyd/xml_root.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <string.h>

/* In one piece and byte by byte, which must be the same. */
static int look(const char *text, size_t len, bool is_untyped)
{
	const uint8_t *data = (const uint8_t *)text;
	struct xml_root whole, single;
	int err, each = -EAGAIN;

	xml_root_init(&whole, is_untyped);
	xml_root_init(&single, is_untyped);
	err = xml_root_take(&whole, data, len);
	for (size_t i = 0; i < len && each == -EAGAIN; i++)
		each = xml_root_take(&single, data + i, 1);
	INT_IS(each, err);
	return err;
}

static int typed(const char *text)
{
	return look(text, strlen(text), false);
}

static int untyped(const char *text)
{
	return look(text, strlen(text), true);
}

static void test_the_root_says_what_it_is(void)
{
	INT_IS(typed("<svg xmlns='x'>"), 0);
	INT_IS(typed("<svg/>"), 0);
	INT_IS(typed("<s:svg xmlns:s='x'>"), 0);
	INT_IS(typed("<?xml version='1.0'?>\n<svg>"), 0);
	INT_IS(typed("\xEF\xBB\xBF<svg>"), 0);
	INT_IS(typed("<rss version='2.0'><svg>"), -EPROTO);
	INT_IS(typed("<svgs>"), -EPROTO);
	INT_IS(typed("<sv>"), -EPROTO);
	INT_IS(typed("<html xmlns='x'><svg>"), -EPROTO);
	INT_IS(typed("no XML"), -EPROTO);
	INT_IS(typed("<svg"), -EAGAIN);
	INT_IS(typed("  "), -EAGAIN);
}

static void test_what_comes_before_the_root_does_not_hide_it(void)
{
	INT_IS(typed("<!-- <html> --><svg>"), 0);
	INT_IS(typed("<!-- <svg> --><html>"), -EPROTO);
	INT_IS(typed("<!-- a - -> - <html> ---><svg>"), 0);
	INT_IS(typed("<?a <html> ?><svg>"), 0);
	INT_IS(typed("<!DOCTYPE svg PUBLIC '><html>' \"x\"><svg>"), 0);
	INT_IS(typed("<!DOCTYPE svg [<!ENTITY a \"' ]> <html \">]><svg>"), 0);
	INT_IS(typed("<!DOCTYPE svg [<!-- ' ]><html --><!ENTITY a \"' ]> <html \">]><svg>"), 0);
	INT_IS(typed("<!DOCTYPE svg [<?x ' ]><html ?><!ENTITY a 'b'>]><svg>"), 0);
	INT_IS(typed("<!DOCTYPE html [<!ENTITY a '<svg>'>]><html>"), -EPROTO);
}

static void test_what_may_be_read_in_two_ways_is_an_image(void)
{
	INT_IS(look("\xFF\xFE<\0h\0", 6, false), 0);
	INT_IS(look("<\0h\0", 4, false), 0);
	INT_IS(typed("<!-- \x1B$B --><html>"), 0);
	INT_IS(typed("<!DOCTYPE svg [<!ENTITY \x95] 'x'>]><html>"), 0);
}

/* Chromium and Firefox, asked: text, HTML, or XML. */
static void test_without_a_type_it_takes_a_declaration(void)
{
	INT_IS(untyped("<?xml version='1.0'?><svg>"), 0);
	INT_IS(untyped("\n <?xml-stylesheet ?><svg>"), 0);
	INT_IS(untyped("<?xml version='1.0'?><rss>"), -EPROTO);
	INT_IS(untyped("<svg>"), -EPROTO);
	INT_IS(untyped("<!-- --><svg>"), -EPROTO);
	INT_IS(untyped("<?php ?><svg>"), -EPROTO);
	INT_IS(untyped("\xEF\xBB\xBF<?xml version='1.0'?><svg>"), -EPROTO);
	INT_IS(untyped("<"), -EAGAIN);
}

int main(void)
{
	TAP_RUN(test_the_root_says_what_it_is);
	TAP_RUN(test_what_comes_before_the_root_does_not_hide_it);
	TAP_RUN(test_what_may_be_read_in_two_ways_is_an_image);
	TAP_RUN(test_without_a_type_it_takes_a_declaration);
	return tap_done();
}
