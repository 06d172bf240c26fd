/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/mapping.h"

#define THROUGH_NAME_LEN 300

/* "part/id": how through finds what it keeps of apid's records, or of Directus' rows. */
void through_name_format(char to[static THROUGH_NAME_LEN], enum mapping_part part, const char *id);
