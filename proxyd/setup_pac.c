/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/setup.h"

/* The script asks no DNS: it would wait for it at every request, and names of the local network
 * are reached through the proxy as well. */
static const char script[] =
	"\n"
	"// An IPv4 literal as a number, else -1.\n"
	"function toNumber(host) {\n"
	"\tvar m = /^(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})$/.exec(host), n = 0;\n"
	"\tfor (var i = 1; m && i <= 4; i++) {\n"
	"\t\tif (+m[i] > 255) return -1;\n"
	"\t\tn = n * 256 + +m[i];\n"
	"\t}\n"
	"\treturn m ? n : -1;\n"
	"}\n"
	"\n"
	"function isIn(host, prefixes) {\n"
	"\tvar n = toNumber(host);\n"
	"\tfor (var i = 0; n >= 0 && i < prefixes.length; i++) {\n"
	"\t\tvar size = Math.pow(2, 32 - prefixes[i][1]);\n"
	"\t\tif (Math.floor(n / size) === Math.floor(toNumber(prefixes[i][0]) / size)) return "
	"true;\n"
	"\t}\n"
	"\treturn false;\n"
	"}\n"
	"\n"
	"function FindProxyForURL(url, host) {\n"
	"\thost = host.toLowerCase().replace(/^\\[|\\]$/g, \"\").replace(/\\.$/, \"\");\n"
	"\tif (host === \"localhost\" || host === \"::1\" || isIn(host, [[\"127.0.0.0\", 8]]))\n"
	"\t\treturn \"DIRECT\";\n"
	"\tfor (var i = 0; i < gateway.length; i++)\n"
	"\t\tif (host === gateway[i]) return \"DIRECT\";\n"
	"\tif (isIn(host, lan)) return \"DIRECT\";\n"
	"\treturn proxy;\n"
	"}\n";

static void append_gateway(const struct own_visit *v, struct buf *out)
{
	const struct conf_shared *c = &v->p->conf->shared;
	const char *name = gateway_name(v->p), *comma = "";
	char text[ADDR_STRLEN];

	buf_append_str(out, "var gateway = [");
	if (*name) {
		buf_printf(out, "\"%s\".toLowerCase()", name);
		comma = ", ";
	}
	for (size_t i = 0; i < c->tunnel_count; i++) {
		for (size_t k = 0; k < c->tunnels[i].addresses.n; k++) {
			addr_format(&c->tunnels[i].addresses.v[k].addr, text);
			buf_printf(out, "%s\"%s\"", comma, text);
			comma = ", ";
		}
	}
	buf_append_str(out, "];\n");
}

static void append_lan(const struct own_visit *v, struct buf *out)
{
	const struct settings *s = directory_settings(v->p->dir);
	const char *comma = "";
	char text[ADDR_STRLEN];

	buf_append_str(out, "var lan = [");
	for (size_t i = 0; setup_reaches_lan(v) && i < s->lan_prefix_count; i++) {
		const struct prefix *lan = &s->lan_prefixes[i];
		if (lan->addr.family != AF_INET)
			continue;
		addr_format(&lan->addr, text);
		buf_printf(out, "%s[\"%s\", %u]", comma, text, lan->len);
		comma = ", ";
	}
	buf_append_str(out, "];\n");
}

void setup_pac(const struct own_visit *v, struct buf *out)
{
	char proxy[SETUP_PROXY_LEN];

	setup_proxy_text(v, proxy);
	buf_printf(out, "var proxy = \"PROXY %s\";\n", proxy);
	append_gateway(v, out);
	append_lan(v, out);
	buf_append_str(out, script);
}
