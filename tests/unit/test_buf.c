/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/buf.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_appends_and_consumes(void)
{
	struct buf b;

	buf_init(&b, 0);
	buf_append_str(&b, "hello ");
	buf_printf(&b, "%d", 42);
	STR_IS((const char *)b.data, "hello 42");
	buf_consume(&b, 6);
	STR_IS((const char *)b.data, "42");
	buf_consume(&b, 100);
	INT_IS(b.len, 0);
	buf_fini(&b);
}

static void test_append_over_the_bound_fails_and_stays_failed(void)
{
	struct buf b;

	buf_init(&b, 4);
	INT_IS(buf_append_str(&b, "1234"), 0);
	INT_IS(buf_append_str(&b, "5"), -ENOSPC);
	INT_IS(buf_printf(&b, "x"), -ENOSPC);
	INT_IS(b.len, 4);
	buf_reset(&b);
	INT_IS(buf_append_str(&b, "56"), 0);
	buf_fini(&b);
}

static void test_file_is_written_whole_and_read_back(void)
{
	char dir[] = "/tmp/test_bufXXXXXX", path[64];
	struct stat st;
	struct buf b;

	OK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	INT_IS(file_write_atomic(path, "secret", 6, 0600), 0);
	OK(!stat(path, &st) && (st.st_mode & 07777) == 0600);
	buf_init(&b, 6);
	INT_IS(buf_read_file(&b, path), 0);
	STR_IS((const char *)b.data, "secret");
	buf_fini(&b);
	buf_init(&b, 5);
	INT_IS(buf_read_file(&b, path), -EFBIG);
	buf_fini(&b);
	unlink(path);
	INT_IS(buf_read_file(&b, path), -ENOENT);
	rmdir(dir);
}

static void test_write_to_a_missing_directory_leaves_nothing(void)
{
	INT_IS(file_write_atomic("/nonexistent/file", "x", 1, 0600), -ENOENT);
}

/* A pipe in the place of a file must not hang the program (SPEC C1). */
static void test_refuses_to_read_a_pipe(void)
{
	char dir[] = "/tmp/test_bufXXXXXX", path[64];
	struct buf b;

	OK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pipe", dir);
	OK(!mkfifo(path, 0600));
	buf_init(&b, 6);
	INT_IS(buf_read_file(&b, path), -ESPIPE);
	buf_fini(&b);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	TAP_RUN(test_appends_and_consumes);
	TAP_RUN(test_append_over_the_bound_fails_and_stays_failed);
	TAP_RUN(test_file_is_written_whole_and_read_back);
	TAP_RUN(test_refuses_to_read_a_pipe);
	TAP_RUN(test_write_to_a_missing_directory_leaves_nothing);
	return tap_done();
}
