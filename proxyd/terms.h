/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/policy/directory.h"
#include "proxyd/words.h"

/*
 * The topic `words` or `search_words` of both owners, compiled beside the loop. Of a word that both
 * have under one id the winner's counts (settings.policy_source). A generation is reported as
 * applied when what was compiled from it is in use. An entry whose match is none we know is
 * searched for anywhere. Of search_words each is a whole word, but in scripts that write without
 * blanks.
 */
struct terms;

/* NULL: no memory. */
struct terms *terms_open(
	uv_loop_t *loop, struct bus *bus, enum bus_topic topic, const struct directory *dir);
/* What is being compiled ends by itself, before the loop does. */
void terms_close(struct terms *t);
/* The settings may say something else now. */
void terms_settings_changed(struct terms *t);
/* NULL: not known yet, what would be filtered must not pass. Not referenced. */
struct words *terms_words(const struct terms *t);
