/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_spool.h"
#include "common/log.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define UUID "00000000-0000-4000-8000-000000000001"

static void make_dir(char dir[static 32])
{
	strcpy(dir, "/tmp/spoolXXXXXX");
	OK(mkdtemp(dir) != NULL);
}

static void remove_dir(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" UUID ".json", dir);
	unlink(path);
	OK(rmdir(dir) == 0);
}

static void test_a_message_survives_reopening(void)
{
	struct spool s;
	struct spooled *m;
	char dir[32];

	make_dir(dir);
	INT_IS(spool_open(&s, dir), 0);
	INT_IS(spool_add(&s, UUID, "{\"a\":1}"), 0);
	spool_close(&s);
	INT_IS(spool_open(&s, dir), 0);
	INT_IS(s.messages.count, 1);
	m = hmap_find_str(&s.messages, UUID);
	STR_IS(m ? m->text : NULL, "{\"a\":1}");
	OK(m && !m->added);
	spool_close(&s);
	remove_dir(dir);
}

static void test_a_removed_message_is_gone_from_disk(void)
{
	struct spool s;
	char dir[32];

	make_dir(dir);
	spool_open(&s, dir);
	spool_add(&s, UUID, "{}");
	spool_remove(&s, UUID);
	spool_remove(&s, UUID);
	INT_IS(s.messages.count, 0);
	INT_IS(s.bytes, 0);
	spool_close(&s);
	OK(rmdir(dir) == 0);
}

static void test_refuses_uuids_that_leave_the_directory(void)
{
	struct spool s;
	char dir[32];

	make_dir(dir);
	spool_open(&s, dir);
	INT_IS(spool_add(&s, "../x", "{}"), -EINVAL);
	INT_IS(spool_add(&s, "", "{}"), -EINVAL);
	INT_IS(spool_add(&s, "a/b", "{}"), -EINVAL);
	spool_close(&s);
	OK(rmdir(dir) == 0);
}

static void test_refuses_a_message_twice(void)
{
	struct spool s;
	char dir[32];

	make_dir(dir);
	spool_open(&s, dir);
	spool_add(&s, UUID, "{}");
	INT_IS(spool_add(&s, UUID, "{}"), -EEXIST);
	spool_close(&s);
	remove_dir(dir);
}

static void test_is_full_at_its_bound(void)
{
	struct spool s;
	char dir[32];

	make_dir(dir);
	spool_open(&s, dir);
	s.bytes = SPOOL_BYTES - 1;
	INT_IS(spool_add(&s, UUID, "{}"), -ENOSPC);
	spool_close(&s);
	OK(rmdir(dir) == 0);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	TAP_RUN(test_a_message_survives_reopening);
	TAP_RUN(test_a_removed_message_is_gone_from_disk);
	TAP_RUN(test_refuses_uuids_that_leave_the_directory);
	TAP_RUN(test_refuses_a_message_twice);
	TAP_RUN(test_is_full_at_its_bound);
	return tap_done();
}
