/* SPDX-License-Identifier: GPL-3.0-or-later */
/* culvert-seal: the cryptography of culvert-backup and culvert-restore, which are scripts. */
#include "common/buf.h"
#include "deploy/backup/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int usage(void)
{
	fputs("usage: culvert-seal seal|open -k FILE <IN >OUT\n"
	      "       culvert-seal keygen FILE\n",
		stderr);
	return 2;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "culvert-seal: %s: %s\n", what, why);
	return 1;
}

static const char *reason(int err)
{
	switch (err) {
	case -EINVAL:
		return "this is no backup of Culvert, or its head is damaged";
	case -EPROTONOSUPPORT:
		return "a later version of Culvert made it";
	case -EACCES:
		return "the passphrase or key is wrong, or its head is damaged";
	case -ENOKEY:
		return "it needs the other kind of key: passphrase or identity (a recipient seals "
		       "only)";
	case -EBADMSG:
		return "it is damaged";
	case -ENODATA:
		return "it is cut off, or its end is damaged";
	case -EFBIG:
		return "something follows its end";
	default:
		return strerror(-err);
	}
}

static int read_key(const char *path, struct seal_key *key)
{
	struct buf text;
	int err;

	buf_init(&text, 4096);
	err = buf_read_file(&text, path);
	if (err) {
		fail(path, strerror(-err));
	} else {
		err = seal_key_parse(text.data ? (const char *)text.data : "", text.len, key);
		if (err)
			fail(path, err == -ERANGE ? "a passphrase has 12 to 1024 bytes"
						  : "neither passphrase, recipient nor identity");
	}
	if (text.data)
		sodium_memzero(text.data, text.len);
	buf_fini(&text);
	return err;
}

static int run(bool seals, const char *key_file)
{
	struct seal_key key;
	char where[64];
	uint64_t at = 0;
	int err;

	if (read_key(key_file, &key))
		return 1;
	err = seals ? seal_write(&key, stdin, stdout) : seal_read(&key, stdin, stdout, &at);
	seal_key_fini(&key);
	if (!err)
		return 0;
	snprintf(where, sizeof(where), seals ? "cannot seal" : "cannot open, byte %" PRIu64, at);
	return fail(where, reason(err));
}

static int keygen(const char *path)
{
	char text[512];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd < 0)
		return fail(path, strerror(errno));
	n = seal_key_make(text) ? -1 : write(fd, text, strlen(text));
	if (n != (ssize_t)strlen(text) || fsync(fd)) {
		close(fd);
		unlink(path);
		return fail(path, "cannot be written");
	}
	close(fd);
	/* The recipient's line, for the gateway's key file. */
	printf("%.*s\n", (int)strcspn(strstr(text, "culvert-recipient:"), "\n"),
		strstr(text, "culvert-recipient:"));
	sodium_memzero(text, sizeof(text));
	return 0;
}

int main(int argc, char **argv)
{
	const struct rlimit none = { 0 };

	/* No key in a core file. */
	setrlimit(RLIMIT_CORE, &none);
	if (sodium_init() < 0)
		return fail("libsodium", "cannot start");
	if (argc == 3 && !strcmp(argv[1], "keygen"))
		return keygen(argv[2]);
	if (argc != 4 || strcmp(argv[2], "-k"))
		return usage();
	if (!strcmp(argv[1], "seal") || !strcmp(argv[1], "open"))
		return run(!strcmp(argv[1], "seal"), argv[3]);
	return usage();
}
