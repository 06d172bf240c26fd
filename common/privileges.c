/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/privileges.h"
#include "common/log.h"
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct identity {
	uid_t uid;
	gid_t gid;
};

/* A number is a uid without a passwd entry; its group has the same number. */
static int find_user(const char *user, struct identity *out)
{
	char *end;
	unsigned long number = strtoul(user, &end, 10);
	struct passwd *pw;

	if (*user && !*end && number > 0 && number < 0xffffffffu) {
		*out = (struct identity){ (uid_t)number, (gid_t)number };
		return 0;
	}
	pw = getpwnam(user);
	if (!pw)
		return -ENOENT;
	if (!pw->pw_uid)
		return -EPERM;
	*out = (struct identity){ pw->pw_uid, pw->pw_gid };
	return 0;
}

/* Makes dir (and its parent, 0755) and gives it to the user. */
static int make_dir(const char *dir, const struct identity *who)
{
	char parent[4096];

	snprintf(parent, sizeof(parent), "%s", dir);
	if (mkdir(dirname(parent), 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	return lchown(dir, who->uid, who->gid) ? -errno : 0;
}

static int set_caps(uint64_t caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		uint32_t bits = (uint32_t)(caps >> (32 * i));
		data[i] = (struct __user_cap_data_struct){ .effective = bits, .permitted = bits };
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static void drop_bounding_set(uint64_t caps)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (!((caps >> cap) & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
}

static int become(const struct identity *who, uint64_t caps)
{
	int err;

	drop_bounding_set(caps);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) ||
		setresgid(who->gid, who->gid, who->gid) || setresuid(who->uid, who->uid, who->uid))
		return -errno;
	err = set_caps(caps);
	if (!err && !setuid(0))
		err = -EPERM;
	return err;
}

static void forbid_core_dumps(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
#ifdef __SANITIZE_ADDRESS__
	/* The leak check traces its own process. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#else
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static int find_user_dirs(
	const char *user, const char *const *dirs, size_t dir_count, struct identity *who)
{
	int err = find_user(user, who);

	for (size_t i = 0; !err && i < dir_count; i++) {
		err = make_dir(dirs[i], who);
		if (err)
			log_error(
				"cannot make directory path=%s error=%s", dirs[i], strerror(-err));
	}
	return err;
}

int privileges_borrow(const char *user, const char *const *dirs, size_t dir_count)
{
	struct identity who;
	int err;

	if (geteuid() != 0)
		return 0;
	err = find_user_dirs(user, dirs, dir_count, &who);
	if (!err && (setgroups(0, NULL) || setegid(who.gid) || seteuid(who.uid)))
		err = -errno;
	return err;
}

int privileges_return(void)
{
	if (getuid() != 0)
		return 0;
	return seteuid(0) || setegid(getgid()) ? -errno : 0;
}

int privileges_drop(const char *user, uint64_t caps, const char *const *dirs, size_t dir_count)
{
	struct identity who;
	int err = 0;

	if (geteuid() == 0) {
		err = find_user_dirs(user, dirs, dir_count, &who);
		if (!err)
			err = become(&who, caps);
	}
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	forbid_core_dumps();
	return err;
}
