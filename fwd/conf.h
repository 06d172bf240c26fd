/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

struct fwd_conf {
	struct conf_shared shared;
	bool intercept;
	bool masquerade;
	int64_t dns_port;
	int64_t proxy_port;
};

extern const struct conf_row fwd_conf_rows[];
extern const size_t fwd_conf_count;
