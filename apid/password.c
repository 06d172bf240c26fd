/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/password.h"
#include "common/random.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 32 };

/* The salt of a password that nobody has. */
#define NOBODY "$2b$%02d$C6UzMDM.H6dfI/f/IKcEeO"

struct job {
	uv_work_t work;
	struct passwords *p;
	char text[PASSWORD_MAX + 1];
	char setting[PASSWORD_HASH_MAX]; /* a hash to compare with, or the salt of a new one */
	char result[PASSWORD_HASH_MAX];
	bool is_nobody;
	int status;
	void (*on_hash)(void *arg, int status, const char *hash);
	void (*on_check)(void *arg, bool is_match);
	void *arg;
};

const char *password_refused(const char *text)
{
	size_t len = strlen(text);

	if (len < PASSWORD_MIN)
		return "has fewer than 12 characters";
	if (len > PASSWORD_MAX)
		return "has more than 72 bytes";
	return NULL;
}

bool password_is_good(const char *text)
{
	return !password_refused(text);
}

/* In a thread of the pool. */
static void work(uv_work_t *w)
{
	struct job *j = w->data;
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *hash = data ? crypt_r(j->text, j->setting, data) : NULL;

	if (!hash || hash[0] == '*' || strlen(hash) >= sizeof(j->result))
		j->status = data ? -EINVAL : -ENOMEM;
	else
		strcpy(j->result, hash);
	if (data)
		explicit_bzero(data, sizeof(*data));
	free(data);
}

static bool is_match(const struct job *j)
{
	size_t len = strlen(j->setting);
	unsigned sum = (unsigned)(len ^ strlen(j->result));

	for (size_t i = 0; i < len && i < sizeof(j->result); i++)
		sum |= (unsigned)(j->setting[i] ^ j->result[i]);
	return !j->status && !j->is_nobody && !sum;
}

static void after(uv_work_t *w, int status)
{
	struct job *j = w->data;

	j->p->jobs--;
	if (status)
		j->status = status;
	if (j->on_hash)
		j->on_hash(j->arg, j->status, j->status ? NULL : j->result);
	else
		j->on_check(j->arg, is_match(j));
	explicit_bzero(j, sizeof(*j));
	free(j);
}

static struct job *job_new(struct passwords *p, const char *text, void *arg, int *err)
{
	struct job *j = p->jobs < JOBS_MAX ? calloc(1, sizeof(*j)) : NULL;

	*err = p->jobs < JOBS_MAX ? -ENOMEM : -EBUSY;
	if (!j)
		return NULL;
	j->p = p;
	/* What is longer can be nobody's password; it costs as much all the same. */
	snprintf(j->text, sizeof(j->text), "%s", text);
	j->is_nobody = strlen(text) > PASSWORD_MAX;
	j->work.data = j;
	j->arg = arg;
	*err = 0;
	return j;
}

static int queue(struct job *j)
{
	int err = uv_queue_work(j->p->loop, &j->work, work, after);

	if (err)
		free(j);
	else
		j->p->jobs++;
	return err;
}

int password_hash(struct passwords *p, const char *text,
	void (*on_done)(void *arg, int status, const char *hash), void *arg)
{
	unsigned char salt[16];
	int err;
	struct job *j = job_new(p, text, arg, &err);

	if (!j)
		return err;
	j->on_hash = on_done;
	if (random_bytes(NULL, salt, sizeof(salt)) ||
		!crypt_gensalt_rn("$2b$", (unsigned long)p->cost, (char *)salt, sizeof(salt),
			j->setting, sizeof(j->setting))) {
		free(j);
		return -EIO;
	}
	return queue(j);
}

int password_check(struct passwords *p, const char *text, const char *hash,
	void (*on_done)(void *arg, bool is_match), void *arg)
{
	int err;
	struct job *j = job_new(p, text, arg, &err);

	if (!j)
		return err;
	j->on_check = on_done;
	j->is_nobody |= !hash;
	if (hash)
		snprintf(j->setting, sizeof(j->setting), "%s", hash);
	else
		snprintf(j->setting, sizeof(j->setting), NOBODY, p->cost);
	return queue(j);
}
