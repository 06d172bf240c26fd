/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/sysctl.h"

#include "common/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RATELIMIT_MS = 10 };

static int read_number(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char text[16] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 1 || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	return (int)strtol(text, NULL, 10);
}

/* Nothing is written where it says so already: the file may be read-only. */
static int write_number(const char *path, int value)
{
	if (read_number(path) == value)
		return 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", value);
	int err = write(fd, text, (size_t)len) == len ? 0 : -errno;
	close(fd);
	return err;
}

static void set_tunnels(const char *dir, const struct conf_shared *conf, int value)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	for (size_t i = 0; i < conf->tunnel_count; i++)
		for (size_t k = 0; k < 2; k++) {
			char path[PATH_MAX];
			snprintf(path, sizeof(path), "%s/%s/conf/%s/forwarding", dir, families[k],
				conf->tunnels[i].interface);
			int err = write_number(path, value);
			if (err && err != -ENOENT)
				log_warning("forwarding not set interface=%s value=%d error=%s",
					conf->tunnels[i].interface, value, strerror(-err));
		}
}

void sysctl_stop_forwarding(const char *dir, const struct conf_shared *conf)
{
	char path[PATH_MAX];
	set_tunnels(dir, conf, 0);
	snprintf(path, sizeof(path), "%s/ipv6/conf/all/forwarding", dir);
	int err = write_number(path, 0);
	if (err && err != -ENOENT)
		log_error("forwarding of IPv6 not stopped error=%s", strerror(-err));
}

void sysctl_answer_refusals(const char *dir)
{
	static const char *const names[] = { "ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit" };
	for (size_t i = 0; i < 2; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (read_number(path) > RATELIMIT_MS && write_number(path, RATELIMIT_MS))
			log_warning("refusals stay rare name=%s", names[i]);
	}
}

static bool has_rp_filter(const char *dir)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/ipv4/conf", dir);
	DIR *d = opendir(path);
	bool has = false;
	for (const struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "default"))
			continue;
		snprintf(path, sizeof(path), "%s/ipv4/conf/%s/rp_filter", dir, e->d_name);
		has = has || read_number(path) > 0;
	}
	if (d)
		closedir(d);
	return has;
}

int sysctl_heed_marks(const char *dir)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/ipv4/conf/all/src_valid_mark", dir);
	int err = write_number(path, 1);
	return err && has_rp_filter(dir) ? err : 0;
}

/* accept_ra 1 means "unless forwarding": 2 keeps the uplink's route. */
static void keep_router_advertisements(const char *dir)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/ipv6/conf", dir);
	DIR *d = opendir(path);
	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "all"))
			continue;
		snprintf(path, sizeof(path), "%s/ipv6/conf/%s/accept_ra", dir, e->d_name);
		if (read_number(path) == 1 && write_number(path, 2))
			log_warning("accept_ra not kept interface=%s", e->d_name);
	}
	closedir(d);
}

int sysctl_allow_forwarding(const char *dir, const struct conf_shared *conf)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/ipv4/ip_forward", dir);
	int err = write_number(path, 1);
	snprintf(path, sizeof(path), "%s/ipv6/conf/all/forwarding", dir);
	if (read_number(path) == 0) {
		keep_router_advertisements(dir);
		int err6 = write_number(path, 1);
		err = err ? err : err6;
	}
	set_tunnels(dir, conf, 1);
	return err;
}

/* What is not there (no IPv6, no interface yet) is not off. */
static bool is_off(const char *dir, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return read_number(path) == 0;
}

bool sysctl_forwards(const char *dir, const struct conf_shared *conf)
{
	if (is_off(dir, "ipv4/ip_forward") || is_off(dir, "ipv6/conf/all/forwarding"))
		return false;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		char v4[64], v6[64];
		snprintf(v4, sizeof(v4), "ipv4/conf/%s/forwarding", conf->tunnels[i].interface);
		snprintf(v6, sizeof(v6), "ipv6/conf/%s/forwarding", conf->tunnels[i].interface);
		if (is_off(dir, v4) || is_off(dir, v6))
			return false;
	}
	return true;
}
