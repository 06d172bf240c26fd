# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks of daemons under test, which the test sets."""
import os
import subprocess

CLOCK = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(id, t);
	long offset = 0;
	int is_wall = id == CLOCK_REALTIME;
	int is_mono = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE;
	int is_moved = getenv("CLOCK_IS_MONOTONIC") ? is_mono : is_wall;
	FILE *file = is_moved ? fopen(getenv("CLOCK_FILE"), "r") : NULL;
	if (file && fscanf(file, "%ld", &offset) == 1)
		t->tv_sec += offset;
	if (file)
		fclose(file);
	return result;
}
"""


class Clock:
    """A wall clock (or a monotonic one, as deadlines go by) for one daemon that the test sets: options for
    Daemon.start."""

    def __init__(self, directory, is_monotonic=False):
        self.file = directory / "clock"
        self.set(0)
        (directory / "clock.c").write_text(CLOCK)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", directory / "clock.so",
                        directory / "clock.c", "-ldl"], check=True)
        self.options = {"env": {**os.environ, "LD_PRELOAD": str(directory / "clock.so"),
                                "CLOCK_FILE": str(self.file), **({"CLOCK_IS_MONOTONIC": "1"} if is_monotonic else {}),
                                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                                ":verify_asan_link_order=0"}}

    def set(self, seconds):
        """So many seconds ahead of the true time."""
        fresh = self.file.with_name("clock.new")
        fresh.write_text(str(seconds))
        fresh.chmod(0o644)
        fresh.rename(self.file)
