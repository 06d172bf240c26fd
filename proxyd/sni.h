/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/client_hello.h"
#include "proxyd/proxy.h"

/* What is asked of the policy about an intercepted TLS connection. */
struct sni_question {
	struct addr device;
	const char *host; /* the hello's name; the destination's address where it has none */
	bool has_ech;
	bool has_dot; /* it offers DNS over TLS (ALPN "dot") */
};

/*
 * May the device go on? (SPEC P3, P12, and the table of paths: switches, blocked names, lists; with
 * site_scope=all website rules, too.) DNS over TLS and resolvers of encrypted DNS may not, for
 * they lead round the DNS filter. Nor may a hello whose outer name stands for all that a provider
 * of Encrypted ClientHello has, where anything is judged by name: its real name is hidden. Any
 * other outer name is judged as the name, since browsers send the extension to everybody (GREASE).
 */
bool sni_is_allowed(struct proxy *p, const struct sni_question *q);
/* What stands against it: NULL nothing, "" the policy, in *d, else a text. dev may be NULL. */
const char *sni_find_obstacle(struct proxy *p, struct device_view *dev,
	const struct sni_question *q, int64_t now_ms, struct decision *d);
/* The same, and notes the verdict. */
bool sni_judge(struct proxy *p, const struct sni_question *q, struct access *access);
/* Is it a name that providers put outside of an encrypted hello: the table's, or the list `ech`'s?
 */
bool sni_is_ech_public(const struct proxy *p, const char *host);
