/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "proxyd/setup.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the policies say ---- */

/* Hosts that go past the proxy, as proxy.pac has it. */
static void add_bypass_list(const struct own_visit *v, cJSON *to, const char *key)
{
	const struct conf_shared *c = &v->p->conf->shared;
	const struct settings *s = directory_settings(v->p->dir);
	const char *name = gateway_name(v->p);
	char text[PREFIX_STRLEN];
	struct buf b;

	buf_init(&b, 0);
	buf_append_str(&b, name);
	for (size_t i = 0; i < c->tunnel_count; i++) {
		for (size_t k = 0; k < c->tunnels[i].addresses.n; k++) {
			const struct addr *a = &c->tunnels[i].addresses.v[k].addr;
			addr_format(a, text);
			buf_printf(&b, a->family == AF_INET6 ? "%s[%s]" : "%s%s", b.len ? "," : "",
				text);
		}
	}
	for (size_t i = 0; setup_reaches_lan(v) && i < s->lan_prefix_count; i++) {
		struct prefix lan = prefix_network(&s->lan_prefixes[i]);
		if (lan.addr.family != AF_INET)
			continue;
		prefix_format(&lan, text);
		buf_printf(&b, ",%s", text);
	}
	cJSON_AddStringToObject(to, key, b.data ? (const char *)b.data : "");
	buf_fini(&b);
}

/* SafeSearch where the device's policy does not say that there is none. */
static void add_safe_search(const struct own_visit *v, cJSON *to)
{
	const struct device_view *dev = proxy_device(v->p, &v->device);
	const struct rec_safe_search *want = dev ? device_safe_search(dev) : NULL;
	bool all = want && want->head.closed;
	int youtube = !want || (!all && want->youtube == SAFE_LEVEL_MODERATE) ? 1 : 2;

	cJSON_AddBoolToObject(to, "ForceGoogleSafeSearch", !want || all || want->google);
	if (want && !all &&
		(!rec_has(want, safe_search, youtube) || want->youtube == SAFE_LEVEL_OFF))
		youtube = 0;
	cJSON_AddNumberToObject(to, "ForceYouTubeRestrict", youtube);
}

static void add_certificate(const struct own_visit *v, cJSON *to)
{
	size_t len;
	const uint8_t *der = cert_ca_der(v->p->root, &len);
	struct buf b;

	buf_init(&b, 0);
	setup_append_base64(&b, der, len);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(to, "CACertificates"),
		cJSON_CreateString(b.failed ? "" : (const char *)b.data));
	buf_fini(&b);
}

/* Policies that Chrome and Edge share. */
static cJSON *make_chromium(const struct own_visit *v)
{
	cJSON *all = cJSON_CreateObject();
	cJSON *proxy = cJSON_AddObjectToObject(all, "ProxySettings");
	char server[SETUP_PROXY_LEN];

	setup_proxy_text(v, server);
	cJSON_AddStringToObject(proxy, "ProxyMode", "fixed_servers");
	cJSON_AddStringToObject(proxy, "ProxyServer", server);
	add_bypass_list(v, proxy, "ProxyBypassList");
	add_safe_search(v, all);
	cJSON_AddBoolToObject(all, "QuicAllowed", false);
	cJSON_AddStringToObject(all, "DnsOverHttpsMode", "off");
	cJSON_AddBoolToObject(all, "BuiltInDnsClientEnabled", false);
	cJSON_AddBoolToObject(all, "EncryptedClientHelloEnabled", false);
	add_certificate(v, all);
	return all;
}

static cJSON *make_edge(const struct own_visit *v)
{
	const struct device_view *dev = proxy_device(v->p, &v->device);
	const struct rec_safe_search *want = dev ? device_safe_search(dev) : NULL;
	cJSON *all = make_chromium(v);

	cJSON_AddNumberToObject(
		all, "ForceBingSafeSearch", !want || want->head.closed || want->bing ? 2 : 0);
	return all;
}

static cJSON *make_firefox(const struct own_visit *v)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *all = cJSON_AddObjectToObject(root, "policies");
	cJSON *proxy = cJSON_AddObjectToObject(all, "Proxy");
	char server[SETUP_PROXY_LEN];
	cJSON *part;

	setup_proxy_text(v, server);
	cJSON_AddStringToObject(proxy, "Mode", "manual");
	cJSON_AddBoolToObject(proxy, "Locked", true);
	cJSON_AddStringToObject(proxy, "HTTPProxy", server);
	cJSON_AddBoolToObject(proxy, "UseHTTPProxyForAllProtocols", true);
	add_bypass_list(v, proxy, "Passthrough");
	part = cJSON_AddObjectToObject(all, "DNSOverHTTPS");
	cJSON_AddBoolToObject(part, "Enabled", false);
	cJSON_AddBoolToObject(part, "Locked", true);
	cJSON_AddBoolToObject(all, "DisableEncryptedClientHello", true);
	part = cJSON_AddObjectToObject(all, "Certificates");
	cJSON_AddBoolToObject(part, "ImportEnterpriseRoots", true);
	cJSON_AddItemToArray(
		cJSON_AddArrayToObject(part, "Install"), cJSON_CreateString("culvert-ca.pem"));
	part = cJSON_AddObjectToObject(all, "Preferences");
	part = cJSON_AddObjectToObject(part, "network.http.http3.enable");
	cJSON_AddBoolToObject(part, "Value", false);
	cJSON_AddStringToObject(part, "Status", "locked");
	return root;
}

/* ---- the forms in which they are written; each takes the policies over ---- */

static void write_json(struct buf *out, cJSON *all)
{
	char *text = cJSON_Print(all);

	if (text) {
		buf_append_str(out, text);
		buf_append_byte(out, '\n');
	} else {
		out->failed = -ENOMEM;
	}
	free(text);
	cJSON_Delete(all);
}

static void append_reg_string(struct buf *out, const char *text)
{
	buf_append_byte(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, (uint8_t)*text);
	}
	buf_append_str(out, "\"\r\n");
}

static void append_reg_value(struct buf *out, const cJSON *value)
{
	char *text;

	buf_printf(out, "\"%s\"=", value->string);
	if (cJSON_IsNumber(value) || cJSON_IsBool(value)) {
		buf_printf(out, "dword:%08x\r\n",
			cJSON_IsBool(value) ? (unsigned)cJSON_IsTrue(value)
					    : (unsigned)value->valueint);
	} else if (cJSON_IsString(value)) {
		append_reg_string(out, value->valuestring);
	} else { /* an object is a string of JSON there */
		text = json_format(value);
		append_reg_string(out, text ? text : "");
		free(text);
	}
}

/* key: of the registry; lists are keys below it, their values numbered. */
static void write_reg(struct buf *out, const char *key, cJSON *all)
{
	const cJSON *value, *item;
	int n;

	buf_printf(out, "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\%s]\r\n",
		key);
	cJSON_ArrayForEach (value, all) {
		if (!cJSON_IsArray(value))
			append_reg_value(out, value);
	}
	cJSON_ArrayForEach (value, all) {
		if (!cJSON_IsArray(value))
			continue;
		buf_printf(out, "\r\n[HKEY_LOCAL_MACHINE\\%s\\%s]\r\n", key, value->string);
		n = 0;
		cJSON_ArrayForEach (item, value) {
			buf_printf(out, "\"%d\"=", ++n);
			append_reg_string(out, item->valuestring);
		}
	}
	cJSON_Delete(all);
}

/* Texts are addresses, names and base64: nothing in them has a meaning in XML. */
static void append_plist_value(struct buf *out, const cJSON *value)
{
	const cJSON *item;

	if (value->string)
		buf_printf(out, "<key>%s</key>\n", value->string);
	if (cJSON_IsBool(value)) {
		buf_append_str(out, cJSON_IsTrue(value) ? "<true/>\n" : "<false/>\n");
	} else if (cJSON_IsNumber(value)) {
		buf_printf(out, "<integer>%d</integer>\n", value->valueint);
	} else if (cJSON_IsString(value)) {
		buf_printf(out, "<string>%s</string>\n", value->valuestring);
	} else {
		buf_append_str(out, cJSON_IsArray(value) ? "<array>\n" : "<dict>\n");
		cJSON_ArrayForEach (item, value)
			append_plist_value(out, item);
		buf_append_str(out, cJSON_IsArray(value) ? "</array>\n" : "</dict>\n");
	}
}

static void write_plist(struct buf *out, cJSON *all)
{
	setup_append_plist_start(out);
	append_plist_value(out, all);
	buf_append_str(out, "</plist>\n");
	cJSON_Delete(all);
}

/* ---- the files ---- */

#define CHROME_KEY "SOFTWARE\\Policies\\Google\\Chrome"
#define EDGE_KEY   "SOFTWARE\\Policies\\Microsoft\\Edge"

void setup_chrome_json(const struct own_visit *v, struct buf *out)
{
	write_json(out, make_chromium(v));
}

void setup_chrome_reg(const struct own_visit *v, struct buf *out)
{
	write_reg(out, CHROME_KEY, make_chromium(v));
}

void setup_chrome_plist(const struct own_visit *v, struct buf *out)
{
	write_plist(out, make_chromium(v));
}

void setup_edge_json(const struct own_visit *v, struct buf *out)
{
	write_json(out, make_edge(v));
}

void setup_edge_reg(const struct own_visit *v, struct buf *out)
{
	write_reg(out, EDGE_KEY, make_edge(v));
}

void setup_edge_plist(const struct own_visit *v, struct buf *out)
{
	write_plist(out, make_edge(v));
}

void setup_firefox_json(const struct own_visit *v, struct buf *out)
{
	write_json(out, make_firefox(v));
}
