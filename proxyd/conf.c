/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/conf.h"
#include "proxyd/gateway.h"
#include "proxyd/sni_log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_host(const void *value, char *why, size_t why_len)
{
	const char *host = *(char *const *)value;

	if (!*host || gateway_is_name(host))
		return 0;
	snprintf(why, why_len, "is no host name");
	return -EINVAL;
}

static int check_appeal_path(const void *value, char *why, size_t why_len)
{
	const char *path = *(char *const *)value;
	size_t len = strlen(path);

	if (len > 1 && *path == '/' &&
		strspn(path,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/") ==
			len)
		return 0;
	snprintf(why, why_len, "is no path such as /.kvylock/appeal");
	return -EINVAL;
}

#define AT(field) offsetof(struct proxyd_conf, field)
const struct conf_row proxyd_conf_rows[] = {
	{ "proxyd", "port", CONF_INT, AT(port), "8080", .min = 1, .max = 65535,
		.help = "Port of the explicit proxy on every tunnel address." },
	{ "proxyd", "http_port", CONF_INT, AT(http_port), "3128", .min = 0, .max = 65535,
		.help = "Port on every tunnel address where fwd redirects the devices' port 80; 0: "
			"none." },
	{ "proxyd", "tls_port", CONF_INT, AT(tls_port), "3129", .min = 0, .max = 65535,
		.help = "Port on every tunnel address where fwd redirects the devices' port 443; "
			"0: none." },
	{ "proxyd", "portal_http_port", CONF_INT, AT(portal_http_port), "80", .min = 0,
		.max = 65535,
		.help = "Port of the gateway's own pages on every tunnel address; 0: none." },
	{ "proxyd", "portal_https_port", CONF_INT, AT(portal_https_port), "443", .min = 0,
		.max = 65535, .help = "The same over TLS; 0: none." },
	{ "proxyd", "tunnel_idle_s", CONF_INT, AT(tunnel_idle_s), "1800", .min = 60, .max = 86400,
		.help = "Seconds after which an intercepted connection that carries nothing is "
			"closed." },
	{ "proxyd", "sni_log_ips", CONF_STRINGS, AT(sni_log_ips), "", .env = "SNI_LOG_IPS",
		.check = sni_log_check,
		.help = "Clients whose names in TLS hellos are logged: addresses, prefixes, or * "
			"for all; empty: none." },
	{ "proxyd", "sni_log_ttl_s", CONF_INT, AT(sni_log_ttl_s), "30", .min = 0, .max = 86400,
		.env = "SNI_LOG_TTL",
		.help = "Seconds before the same client's same name is logged again." },
	{ "proxyd", "access_log", CONF_PATH, AT(access_log), "",
		.help = "File that what devices ask for is written to, as each device's privacy "
			"allows; GoAccess reads it as VCOMBINED. Empty: none." },
	{ "proxyd", "ca_dir", CONF_PATH, AT(ca_dir), "",
		.help = "Directory of root.pem, intermediate.pem and their keys; default "
			"state_dir/proxyd/ca." },
	{ "proxyd", "upstream_ca", CONF_PATH, AT(upstream_ca), "/etc/ssl/certs/ca-certificates.crt",
		.help = "CAs that certificates of web servers must come from." },
	{ "proxyd", "image_parse_limit", CONF_INT, AT(image_parse_limit), "262144", .min = 1024,
		.max = 8 << 20, .env = "IMAGE_BLOCKER_PARSE_LIMIT",
		.help = "Bytes of an image that are looked at for its size, at most." },
	{ "proxyd", "image_cache", CONF_INT, AT(image_cache), "256", .min = 0, .max = 65536,
		.env = "IMAGE_BLOCKER_CACHE",
		.help = "Transparent images, one of each size, that are kept for the next one of "
			"it; 0: none." },
	{ "proxyd", "portal_host", CONF_STRING, AT(portal_host), "", .max = 253,
		.check = check_host, .env = "PORTAL_HOST",
		.help = "Host name of the portal in links of block pages." },
	{ "proxyd", "appeal_path", CONF_STRING, AT(appeal_path), "/.kvylock/appeal", .max = 128,
		.check = check_appeal_path,
		.help = "Path of the appeal portal, under every website's name and the "
			"gateway's." },
	{ "proxyd", "appeals_per_hour", CONF_INT, AT(appeals_per_hour), "30", .min = 1,
		.max = 10000, .help = "Appeals that one device may send in an hour." },
	{ "proxyd", "language", CONF_STRING, AT(language), "en", .max = 11,
		.help = "Language of the pages where a browser asks for none that is there." },
	{ "proxyd", "texts_dir", CONF_PATH, AT(texts_dir), "/usr/share/culvert/texts",
		.help = "Directory of the pages' texts in other languages, LANG.json each." },
	{ "proxyd", "brand_dir", CONF_PATH, AT(brand_dir), "",
		.help = "Directory of what makes the pages one's own: LANG.json with texts that "
			"go before the others, style.css, logo.svg or logo.png." },
	{ "proxyd", "connect_ports", CONF_INTS, AT(connect_ports), "443, 80", .min = 1,
		.max = 65535, .help = "Ports that CONNECT may ask for." },
	{ "proxyd", "http_ports", CONF_INTS, AT(http_ports), "80", .min = 1, .max = 65535,
		.help = "Ports that plain HTTP may ask for." },
	{ "proxyd", "http_high_ports", CONF_BOOL, AT(http_high_ports), "yes",
		.help = "Plain HTTP may also ask for ports from 1024 on, but for those that "
			"browsers keep away from." },
	{ "proxyd", "connect_s", CONF_INT, AT(connect_s), "10", .min = 1, .max = 60,
		.help = "How long connecting to a web server may take, all its addresses together, "
			"in seconds." },
	{ "proxyd", "answer_s", CONF_INT, AT(answer_s), "300", .min = 1, .max = 3600,
		.help = "How long a web server may think about a request, in seconds." },
	{ "proxyd", "idle_s", CONF_INT, AT(idle_s), "600", .min = 1, .max = 86400,
		.help = "How long an answer that began may be silent, in seconds." },
	{ "proxyd", "pool_max", CONF_INT, AT(pool_max), "512", .min = 0, .max = 65536,
		.help = "Idle connections to web servers that are kept for the next request." },
	{ "proxyd", "pinned_after", CONF_INT, AT(pinned_after), "3", .min = 0, .max = 100,
		.help = "An app that has refused the certificate so often under an allowed name "
			"gets that name undecrypted; 0: never." },
	{ "proxyd", "pinned_s", CONF_INT, AT(pinned_s), "86400", .min = 1, .max = 604800,
		.help = "For how long, in seconds." },
	{ "proxyd", "mitm_ignore_resolve", CONF_BOOL, AT(mitm_ignore_resolve), "yes",
		.env = "MITM_IGNORE_RESOLVE",
		.help = "CONNECT to an address that a name not decrypted has is not decrypted "
			"either." },
	{ "proxyd", "never", CONF_PREFIXES, AT(never), "",
		.help = "Addresses that no device is connected to, beside the gateway's own: "
			"databases and the like." },
	{ "proxyd", "resolver", CONF_ENDPOINT, AT(resolver), "127.0.0.1:5300",
		.help = "Dnsd's system listener." },
};
const size_t proxyd_conf_count = sizeof(proxyd_conf_rows) / sizeof(proxyd_conf_rows[0]);

const struct conf_row path_conf_rows[] = {
	{ "path", "queue", CONF_INT, AT(path_queue), "3129", .min = 0, .max = 65535,
		.help = "Number of the kernel's packet queue; fwd.path_queue is the same." },
	{ "path", "flows", CONF_INT, AT(path_flows), "262144", .min = 1024, .max = 4194304,
		.help = "Connections that are judged or remembered, at most." },
	{ "path", "resolver", CONF_ENDPOINT, AT(resolver), "127.0.0.1:5300",
		.help = "Dnsd's system listener." },
	{ "path", "never", CONF_PREFIXES, AT(never), "",
		.help = "Addresses that no device is let to, as proxyd.never." },
	{ "path", "sni_log_ips", CONF_STRINGS, AT(sni_log_ips), "", .env = "SNI_LOG_IPS",
		.check = sni_log_check, .help = "As proxyd.sni_log_ips." },
	{ "path", "sni_log_ttl_s", CONF_INT, AT(sni_log_ttl_s), "30", .min = 0, .max = 86400,
		.env = "SNI_LOG_TTL", .help = "As proxyd.sni_log_ttl_s." },
	{ "path", "access_log", CONF_PATH, AT(access_log), "",
		.help = "As proxyd.access_log, a file of its own." },
};
const size_t path_conf_count = sizeof(path_conf_rows) / sizeof(path_conf_rows[0]);
