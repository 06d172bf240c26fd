/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a fuzz target over the files given as arguments: the corpus, replayed without libFuzzer. */
#include "common/buf.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct buf b;
		buf_init(&b, 0);
		if (buf_read_file(&b, argv[i])) {
			fprintf(stderr, "%s: cannot read\n", argv[i]);
			return 1;
		}
		LLVMFuzzerTestOneInput(b.data, b.len);
		buf_fini(&b);
	}
	printf("replayed %d inputs\n", argc - 1);
	return 0;
}
