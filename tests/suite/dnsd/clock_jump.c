/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A wall clock that is an hour ahead as soon as the file CLOCK_JUMP_FILE exists. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	const char *file = getenv("CLOCK_JUMP_FILE");
	int rc = real(id, ts);

	if (id == CLOCK_REALTIME && file && !access(file, F_OK))
		ts->tv_sec += 3600;
	return rc;
}
