/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/precondition.h"
#include "apid/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool precondition_parse(const struct http_head *head, struct precondition *out)
{
	const char *match = http_head_get(head, "if-match");
	const char *none = http_head_get(head, "if-none-match");

	*out = (struct precondition){ .has_match = match != NULL, .none_exists = none != NULL };
	if (none && strcmp(none, "*"))
		return false;
	if (!match)
		return true;
	if (strlen(match) >= sizeof(out->match))
		return false;
	snprintf(out->match, sizeof(out->match), "%s", match);
	return true;
}

int precondition_check(const struct precondition *p, const char *text)
{
	char etag[19];

	if (p->none_exists && text)
		return -ESTALE;
	if (!p->has_match)
		return 0;
	if (!text)
		return -ESTALE;
	if (!strcmp(p->match, "*"))
		return 0;
	table_etag(text, strlen(text), etag);
	return strstr(p->match, etag) ? 0 : -ESTALE;
}
