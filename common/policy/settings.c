/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/settings.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 1024

static const char *const default_lan[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
	"100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10" };

/* What operating systems ask to learn whether they are online. */
static const char *const default_checks[] = { "connectivitycheck.gstatic.com",
	"connectivitycheck.android.com", "clients3.google.com", "captive.apple.com",
	"www.msftconnecttest.com", "dns.msftncsi.com", "detectportal.firefox.com",
	"nmcheck.gnome.org", "connectivity-check.ubuntu.com", "network-test.debian.org" };

/* VPN in VPN and Tor. IPsec's ports are also those of Wi-Fi calling. */
static const char *const default_denied_ports[] = {
	"udp:51820-51821",		    /* WireGuard */
	"udp:1194-1198", "tcp:1194-1198",   /* OpenVPN */
	"udp:500", "udp:4500",		    /* IPsec */
	"tcp:1723", "udp:1701", "tcp:1701", /* PPTP, L2TP */
	"udp:3544",			    /* Teredo */
	"udp:41641", "udp:9993",	    /* Tailscale, ZeroTier */
	"tcp:1080",			    /* SOCKS */
	"tcp:9001-9003", "tcp:9030", "tcp:9040", "tcp:9050-9051", "tcp:9150-9151", /* Tor */
};

/* Web, time, push services of Apple and Google. */
static const char *const default_web_ports[] = { "tcp:80", "tcp:443", "udp:123", "tcp:5223",
	"tcp:5228-5230" };

static void strs_fini(struct rec_strs *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct rec_strs){ 0 };
}

static int strs_set(struct rec_strs *s, const char *const *texts, size_t n)
{
	struct rec_strs fresh = { calloc(n ? n : 1, sizeof(char *)), 0 };

	for (; fresh.v && fresh.n < n; fresh.n++) {
		fresh.v[fresh.n] = strdup(texts[fresh.n]);
		if (!fresh.v[fresh.n])
			break;
	}
	if (fresh.n < n || !fresh.v) {
		strs_fini(&fresh);
		return -ENOMEM;
	}
	strs_fini(s);
	*s = fresh;
	return 0;
}

/* A JSON array of strings as an array of pointers into it; -EINVAL else. The caller frees *out. */
static int json_texts(const cJSON *value, const char ***out, size_t *n)
{
	const cJSON *item;
	size_t count = 0;

	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) > NAMES_MAX)
		return -EINVAL;
	*out = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(char *));
	if (!*out)
		return -ENOMEM;
	cJSON_ArrayForEach (item, value) {
		if (!cJSON_IsString(item)) {
			free(*out);
			return -EINVAL;
		}
		(*out)[count++] = item->valuestring;
	}
	*n = count;
	return 0;
}

static int set_lan(struct settings *s, const char *const *texts, size_t n)
{
	struct prefix *fresh = calloc(n ? n : 1, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (prefix_parse(texts[i], &fresh[i])) {
			free(fresh);
			return -EINVAL;
		}
	}
	free(s->lan_prefixes);
	s->lan_prefixes = fresh;
	s->lan_prefix_count = n;
	return 0;
}

/* Each setter takes a JSON value, NULL for the default; -EINVAL for a wrong one. */
static int set_text(char **out, const cJSON *value)
{
	char *copy = NULL;

	if (value && !cJSON_IsString(value))
		return -EINVAL;
	if (value && !(copy = strdup(value->valuestring)))
		return -ENOMEM;
	free(*out);
	*out = copy;
	return 0;
}

/* It stands in configurations that devices' root reads: nothing but a name or an address. */
static bool is_host(const char *text)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	size_t len = strspn(text, good);
	struct addr a;

	return (len && len <= 253 && !text[len] && text[0] != '-') || !addr_parse(text, &a);
}

static int set_host(char **out, const cJSON *value)
{
	if (!value || (cJSON_IsString(value) && is_host(value->valuestring)))
		return set_text(out, value);
	free(*out);
	*out = NULL;
	return -EINVAL;
}

static int set_endpoint(struct settings *s, const cJSON *value)
{
	return set_host(&s->endpoint, value);
}

static int set_lan_prefixes(struct settings *s, const cJSON *value)
{
	const char **texts;
	size_t n;
	int err;

	if (!value)
		return set_lan(s, default_lan, sizeof(default_lan) / sizeof(*default_lan));
	err = json_texts(value, &texts, &n);
	if (err)
		return err;
	err = set_lan(s, texts, n);
	free(texts);
	return err;
}

static int set_names(struct rec_strs *out, const cJSON *value, const char *const *def, size_t def_n)
{
	const char **texts;
	size_t n;
	int err;

	if (!value)
		return strs_set(out, def, def_n);
	err = json_texts(value, &texts, &n);
	if (err)
		return err;
	err = strs_set(out, texts, n);
	free(texts);
	return err;
}

static int set_connectivity_checks(struct settings *s, const cJSON *value)
{
	return set_names(&s->connectivity_checks, value, default_checks,
		sizeof(default_checks) / sizeof(*default_checks));
}

static int set_renewal_hosts(struct settings *s, const cJSON *value)
{
	return set_names(&s->renewal_hosts, value, NULL, 0);
}

static int set_rebind_exceptions(struct settings *s, const cJSON *value)
{
	return set_names(&s->rebind_exceptions, value, NULL, 0);
}

static int set_portal_host(struct settings *s, const cJSON *value)
{
	return set_host(&s->portal_host, value);
}

static int set_device_defaults(struct settings *s, const cJSON *value)
{
	struct rec_policy_fields fresh = { 0 };
	char why[160];

	int err = value ? codec_decode(
				  REC_policy_fields, CODEC_LENIENT, value, &fresh, why, sizeof(why))
			: 0;

	if (err == -ENOMEM)
		return err;
	if (err) {
		log_warning("setting refused key=device_defaults error=%s", why);
		s->device_defaults.head.closed = true;
		return -EINVAL;
	}
	rec_fini(REC_policy_fields, &s->device_defaults);
	s->device_defaults = fresh;
	return 0;
}

static int set_policy_source(struct settings *s, const cJSON *value)
{
	s->policy_source = POLICY_SOURCE_LOCAL;
	if (!value)
		return 0;
	return cJSON_IsString(value)
		       ? enum_parse(ENUM_ID_policy_source, value->valuestring, &s->policy_source)
		       : -EINVAL;
}

static int set_bool(bool *out, const cJSON *value, bool def)
{
	if (value && !cJSON_IsBool(value))
		return -EINVAL;
	*out = value ? cJSON_IsTrue(value) : def;
	return 0;
}

static int set_premium(struct settings *s, const cJSON *value)
{
	int err = set_bool(&s->premium_vpn_enabled, value, true);

	if (err)
		s->premium_vpn_enabled = false;
	return err;
}

static int set_subscription(struct settings *s, const cJSON *value)
{
	int err = set_bool(&s->subscription_required, value, false);

	if (err)
		s->subscription_required = true;
	return err;
}

static int set_offline_vpn(struct settings *s, const cJSON *value)
{
	int err = set_bool(&s->offline_vpn, value, false);

	if (err)
		s->offline_vpn = true;
	return err;
}

static int set_offline_browser(struct settings *s, const cJSON *value)
{
	int err = set_bool(&s->offline_browser, value, false);

	if (err)
		s->offline_browser = true;
	return err;
}

static int set_query_log(struct settings *s, const cJSON *value)
{
	int err = set_bool(&s->query_log, value, false);

	if (err)
		s->query_log = false;
	return err;
}

static int set_grace_days(struct settings *s, const cJSON *value)
{
	int64_t days = 30;

	if (value && (!json_get_int(value, &days) || days < 0 || days > 36500))
		return -EINVAL;
	s->expired_grace_days = days;
	return 0;
}

const char *quota_period_text(enum quota_period p)
{
	static const char *const texts[QUOTA_PERIODS] = { "day", "week", "month", "never" };

	return texts[p];
}

static int set_quota_period(struct settings *s, const cJSON *value)
{
	s->quota_period = value ? QUOTA_PERIOD_NEVER : QUOTA_PERIOD_MONTH;
	for (int p = 0; value && p < QUOTA_PERIODS; p++) {
		if (cJSON_IsString(value) &&
			!strcmp(value->valuestring, quota_period_text((enum quota_period)p))) {
			s->quota_period = (enum quota_period)p;
			return 0;
		}
	}
	return value ? -EINVAL : 0;
}

static int parse_port(const char **text, uint16_t *out)
{
	char *end;
	unsigned long value = **text >= '0' && **text <= '9' ? strtoul(*text, &end, 10) : 0;

	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*text = end;
	*out = (uint16_t)value;
	return 0;
}

int port_spec_parse(const char *text, struct port_spec *out)
{
	bool tcp = !strncmp(text, "tcp:", 4);

	if (!tcp && strncmp(text, "udp:", 4))
		return -EINVAL;
	text += 4;
	*out = (struct port_spec){ .protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP };
	if (parse_port(&text, &out->from))
		return -EINVAL;
	out->to = out->from;
	if (*text == '-' && (text++, parse_port(&text, &out->to)))
		return -EINVAL;
	return *text || out->to < out->from ? -EINVAL : 0;
}

static int set_ports(struct rec_strs *out, const cJSON *value, const char *const *def, size_t def_n)
{
	struct port_spec one;
	const cJSON *item;

	cJSON_ArrayForEach (item, value) {
		if (!cJSON_IsString(item) || port_spec_parse(item->valuestring, &one)) {
			set_names(out, NULL, def, def_n);
			return -EINVAL;
		}
	}
	int err = set_names(out, value, def, def_n);
	if (err)
		set_names(out, NULL, def, def_n);
	return err;
}

static int set_denied_ports(struct settings *s, const cJSON *value)
{
	return set_ports(&s->egress_denied_ports, value, default_denied_ports,
		sizeof(default_denied_ports) / sizeof(*default_denied_ports));
}

static int set_web_ports(struct settings *s, const cJSON *value)
{
	return set_ports(&s->egress_web_ports, value, default_web_ports,
		sizeof(default_web_ports) / sizeof(*default_web_ports));
}

static const struct setter {
	const char *key;
	int (*set)(struct settings *s, const cJSON *value);
} setters[] = {
	{ "endpoint", set_endpoint },
	{ "lan_prefixes", set_lan_prefixes },
	{ "device_defaults", set_device_defaults },
	{ "policy_source", set_policy_source },
	{ "premium_vpn_enabled", set_premium },
	{ "subscription_required", set_subscription },
	{ "expired_grace_days", set_grace_days },
	{ "quota_period", set_quota_period },
	{ "offline_vpn", set_offline_vpn },
	{ "offline_browser", set_offline_browser },
	{ "connectivity_checks", set_connectivity_checks },
	{ "renewal_hosts", set_renewal_hosts },
	{ "rebind_exceptions", set_rebind_exceptions },
	{ "portal_host", set_portal_host },
	{ "query_log", set_query_log },
	{ "egress_denied_ports", set_denied_ports },
	{ "egress_web_ports", set_web_ports },
};

void settings_init(struct settings *s)
{
	*s = (struct settings){ 0 };
	for (size_t i = 0; i < sizeof(setters) / sizeof(*setters); i++)
		setters[i].set(s, NULL);
}

void settings_fini(struct settings *s)
{
	free(s->endpoint);
	free(s->lan_prefixes);
	rec_fini(REC_policy_fields, &s->device_defaults);
	strs_fini(&s->connectivity_checks);
	strs_fini(&s->renewal_hosts);
	strs_fini(&s->rebind_exceptions);
	free(s->portal_host);
	strs_fini(&s->egress_denied_ports);
	strs_fini(&s->egress_web_ports);
	*s = (struct settings){ 0 };
}

int settings_check(const char *id, const cJSON *value)
{
	struct settings s;
	int err = 0;

	settings_init(&s);
	for (size_t i = 0; i < sizeof(setters) / sizeof(*setters); i++) {
		if (!strcmp(setters[i].key, id))
			err = setters[i].set(&s, value);
	}
	settings_fini(&s);
	return err;
}

int settings_apply(struct settings *s, const char *id, const struct rec_setting *rec)
{
	for (size_t i = 0; i < sizeof(setters) / sizeof(*setters); i++) {
		if (strcmp(setters[i].key, id))
			continue;
		/* A record without a usable value is wrong, not absent. */
		static const cJSON none = { .type = cJSON_NULL };
		const cJSON *value = !rec ? NULL : rec->value ? rec->value : &none;
		int err = setters[i].set(s, value);
		if (err && err != -ENOMEM)
			log_warning("setting wrong, the stricter reading is in force key=%s", id);
		return err == -ENOMEM ? err : 0;
	}
	return -ENOENT; /* a setting of another daemon or another version */
}
