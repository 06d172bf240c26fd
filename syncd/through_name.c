/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/through_name.h"
#include <stdio.h>

void through_name_format(char to[static THROUGH_NAME_LEN], enum mapping_part part, const char *id)
{
	snprintf(to, THROUGH_NAME_LEN, "%d/%.280s", (int)part, id);
}
