/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void deed_free(void *data)
{
	struct deed *d = data;

	free(d->text);
	explicit_bzero(d, sizeof(*d));
	free(d);
}

struct deed *deed_new(struct call *c, store_step step, void (*answer)(struct deed *d))
{
	struct deed *d = calloc(1, sizeof(*d));

	if (!d) {
		call_failed(c, -ENOMEM, NULL);
		return NULL;
	}
	d->c = c;
	d->topic = "accounts";
	d->id = "";
	d->step = step;
	d->answer = answer;
	call_by(c, &d->by);
	c->data = d;
	c->free_data = deed_free;
	return d;
}

bool deed_take_precondition(struct deed *d)
{
	if (precondition_parse(exchange_head(&d->c->x), &d->pre))
		return true;
	call_invalid(d->c, "If-None-Match", "is not *");
	return false;
}

int deed_check(const struct deed *d, cJSON *json)
{
	char *text = json ? json_format(json) : NULL;
	int r = text ? precondition_check(&d->pre, text) : -ENOMEM;

	cJSON_Delete(json);
	free(text);
	return r;
}

static void on_done(void *arg, int status)
{
	struct deed *d = arg;
	struct call *c = d->c;

	if (status)
		call_failed(c, status, status == -EEXIST ? d->conflict : NULL);
	else if (d->answer)
		d->answer(d);
	else
		call_empty(c, 204);
	exchange_end_work(&c->x);
}

void deed_start(struct deed *d)
{
	exchange_begin_work(&d->c->x);
	store_transact(d->c->api->store, d->topic, d->id, d->step, on_done, d);
}

static void on_hash(void *arg, int status, const char *hash)
{
	struct deed *d = arg;
	struct call *c = d->c;

	if (status) {
		call_failed(c, status, NULL);
	} else {
		snprintf(d->password, sizeof(d->password), "%s", hash);
		deed_start(d);
	}
	exchange_end_work(&c->x);
}

void deed_start_with(struct deed *d, const char *password)
{
	exchange_begin_work(&d->c->x);
	if (!password_hash(&d->c->api->passwords, password, on_hash, d))
		return;
	call_problem_later(d->c, 503, "too many logins at once", 1);
	exchange_end_work(&d->c->x);
}
