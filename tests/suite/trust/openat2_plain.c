/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For programs under valgrind, which does not know openat2: LD_PRELOAD makes it an openat, which
 * minds no limits. */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>

long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2)
		return openat(
			(int)a[0], (const char *)a[1], (int)((const struct open_how *)a[2])->flags);
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
