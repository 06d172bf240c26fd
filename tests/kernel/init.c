/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * First process of the guest that tests/kernel/guest boots: loads the modules of /modules.list,
 * puts a tmpfs over the host's root file system, which it has read-only, and runs CONTROL/inside
 * there. Then it turns the guest off. Statically linked, from an initramfs (QEMU) or the host
 * (UML).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_9P "trans=virtio,version=9p2000.L,msize=262144,cache="

static void turn_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "culvert-guest: %s: %s\n", what, strerror(errno));
	turn_off();
}

static void load_modules(void)
{
	char path[256];
	FILE *list = fopen("/modules.list", "r");
	while (list && fscanf(list, "%255s", path) == 1) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		check(fd, path);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			check(-1, path);
		close(fd);
	}
	if (list)
		fclose(list);
}

/* NAME=… of the kernel's command line. */
static void read_parameter(const char *name, char *out, size_t size)
{
	char line[4096];
	FILE *f = fopen("/proc/cmdline", "r");
	if (!f || !fgets(line, sizeof(line), f))
		check(-1, "command line");
	fclose(f);
	char *word = strtok(line, " \n");
	for (; word; word = strtok(NULL, " \n"))
		if (!strncmp(word, name, strlen(name)) && word[strlen(name)] == '=')
			break;
	check(word ? 0 : -1, name);
	snprintf(out, size, "%s", word + strlen(name) + 1);
}

static void mount_at(const char *source, const char *at, const char *type, unsigned long flags,
	const char *options)
{
	mkdir(at, 0755);
	check(mount(source, at, type, flags, options), at);
}

static void make_root(int is_uml)
{
	mount_at("tmpfs", "/mnt", "tmpfs", 0, "mode=755");
	mkdir("/mnt/upper", 0755);
	mkdir("/mnt/work", 0755);
	if (is_uml)
		mount_at("host", "/mnt/host", "hostfs", MS_RDONLY, "/");
	else
		mount_at("root", "/mnt/host", "9p", MS_RDONLY, OPTIONS_9P "loose");
	mount_at("root", "/mnt/root", "overlay", 0,
		"lowerdir=/mnt/host,upperdir=/mnt/upper,workdir=/mnt/work");
	check(chdir("/mnt/root"), "root");
	mount_at("proc", "proc", "proc", 0, NULL);
	mount_at("sysfs", "sys", "sysfs", 0, NULL);
	mount_at("devtmpfs", "dev", "devtmpfs", 0, NULL);
	mount_at("run", "run", "tmpfs", 0, "mode=755");
}

int main(void)
{
	char inside[512], control[512], kind[16];
	mkdir("/proc", 0755);
	mkdir("/mnt", 0755);
	check(mount("proc", "/proc", "proc", 0, NULL), "/proc");
	load_modules();
	read_parameter("guest.control", control, sizeof(control));
	read_parameter("guest.kind", kind, sizeof(kind));
	int is_uml = !strcmp(kind, "uml");
	/* The runner waits for this line. */
	fprintf(stderr, "culvert-guest: hello\n");
	make_root(is_uml);
	mkdir("run/guest", 0755);
	mount_at("control", "run/guest", is_uml ? "hostfs" : "9p", 0,
		is_uml ? control : OPTIONS_9P "mmap");
	check(mount(".", "/", NULL, MS_MOVE, NULL), "root");
	check(chroot("."), "root");
	check(chdir("/"), "root");
	snprintf(inside, sizeof(inside), "/run/guest/inside");
	pid_t child = access("/run/guest/first", F_OK) ? fork() : 0;
	check(child, "fork");
	if (!child) {
		execl("/bin/bash", "bash", inside, is_uml ? "uml" : "qemu", (char *)NULL);
		check(-1, inside);
	}
	while (wait(NULL) != child)
		;
	turn_off();
}
