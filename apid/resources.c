/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/resources.h"
#include "apid/notify.h"
#include "apid/record.h"

#include <string.h>

/* ---- checks across records ---- */

static bool exists(const struct api *a, int table, const cJSON *id)
{
	return !id || !cJSON_IsString(id) ||
	       table_find(store_table(a->store, table), id->valuestring);
}

static const char *check_target(const struct api *a, const cJSON *record, const char **pointer)
{
	const cJSON *device = json_get(record, "device"), *group = json_get(record, "group");

	*pointer = "/device";
	if (!exists(a, TOPIC_devices, device))
		return "is no device";
	if (device && group)
		return "cannot stand beside a group";
	*pointer = "/group";
	return exists(a, TOPIC_groups, group) ? NULL : "is no group";
}

static const char *check_category(const struct api *a, const cJSON *record, const char **pointer)
{
	const char *wrong = check_target(a, record, pointer);

	if (wrong)
		return wrong;
	*pointer = "/category";
	return exists(a, TOPIC_categories, json_get(record, "category")) ? NULL : "is no category";
}

/* device:ID or group:ID of something that exists; absent is for everybody. */
static const char *check_scope_text(const struct api *a, const cJSON *text)
{
	const char *id = cJSON_GetStringValue(text);

	if (!id)
		return NULL;
	if (!strncmp(id, "device:", 7))
		return table_find(store_table(a->store, TOPIC_devices), id + 7) ? NULL
										: "is no device";
	if (!strncmp(id, "group:", 6))
		return table_find(store_table(a->store, TOPIC_groups), id + 6) ? NULL
									       : "is no group";
	return "is neither device:ID nor group:ID";
}

static const char *check_pref(const struct api *a, const cJSON *record, const char **pointer)
{
	*pointer = "/id";
	return check_scope_text(a, json_get(record, "id"));
}

static const char *check_dns_rule(const struct api *a, const cJSON *record, const char **pointer)
{
	*pointer = "/scope";
	return check_scope_text(a, json_get(record, "scope"));
}

static const char *check_setting(const struct api *a, const cJSON *record, const char **pointer)
{
	const char *id = cJSON_GetStringValue(json_get(record, "id"));
	const cJSON *value = json_get(record, "value");

	*pointer = "/value";
	if (!value || !id)
		return "is missing";
	if (!strcmp(id, "notifications"))
		return notify_check(a->notify, value);
	return settings_check(id, value) ? "is not what this setting takes" : NULL;
}

/* ---- schemas ---- */

static const struct body_field user_fields[] = {
	{ .name = "id", .type = BODY_TEXT, .is_required = true, .min = 1, .max = 64 },
	{ .name = "name", .type = BODY_TEXT, .max = 256 },
	{ .name = "email", .type = BODY_TEXT, .max = 254 },
	{ .name = "note", .type = BODY_TEXT, .max = 2048 },
	{ .name = "active",
		.type = BODY_BOOL,
		.help = "false suspends the user: the user's devices are walled" },
	{ .name = "expires_at",
		.type = BODY_INT,
		.min = 0,
		.max = 9007199254740991,
		.help = "epoch milliseconds; the user's devices expire then at the latest" },
	{ 0 },
};
static const struct body_schema user_schema = { .name = "User",
	.fields = user_fields,
	.example = "{\"id\":\"anna\",\"name\":\"Anna\",\"active\":true}" };

#define RECORD(schema_name, rec, sample)                                                           \
	static const struct body_schema rec##_schema = {                                           \
		.name = schema_name, .is_record = true, .record = REC_##rec, .example = sample     \
	}

RECORD("Group", group, "{\"id\":\"kids\",\"name\":\"Kids\",\"unknown_sites\":\"block\"}");
RECORD("DevicePref", device_pref, "{\"id\":\"group:kids\",\"lists_off\":[\"gifs\"]}");
RECORD("Category", category,
	"{\"id\":\"games\",\"name\":\"Games\",\"visibility\":\"public\",\"default\":\"block\"}");
RECORD("Website", website,
	"{\"id\":\"w1\",\"pattern\":\"example.org\",\"match\":\"endswith\",\"category\":\"news\","
	"\"status\":\"approved\"}");
RECORD("SiteOverride", site_override,
	"{\"id\":\"o1\",\"device\":\"phone\",\"pattern\":\"example.org\",\"match\":\"endswith\","
	"\"action\":\"allow\"}");
RECORD("CategoryPref", category_pref,
	"{\"id\":\"p1\",\"group\":\"kids\",\"category\":\"games\",\"blocked\":true}");
RECORD("Word", word, "{\"id\":\"x1\",\"term\":\"word\",\"match\":\"exact\"}");
RECORD("SearchWord", search_word, "{\"id\":\"s1\",\"term\":\"word\"}");
RECORD("DomainEntry", domain_entry, "{\"id\":\"d1\",\"domain\":\"example.org\"}");
RECORD("DnsRule", dns_rule,
	"{\"id\":\"r1\",\"pattern\":\"example.org\",\"match\":\"endswith\",\"action\":\"block\"}");
RECORD("DnsRecord", dns_record,
	"{\"id\":\"h1\",\"name\":\"nas.home\",\"type\":\"A\",\"value\":\"10.77.0.5\"}");
RECORD("Profile", profile,
	"{\"name\":\"printer\",\"rules\":[{\"action\":\"allow\",\"prefixes\":[\"10.77.0.5/"
	"32\"]}]}");
RECORD("ListSource", list_source,
	"{\"id\":\"ads\",\"source\":\"https://lists.example/ads.txt\",\"default_on\":true}");
RECORD("Setting", setting, "{\"id\":\"endpoint\",\"value\":\"vpn.example.org\"}");

static const struct resource resources[] = {
	{ "/api/v1/users", TABLE_users, &user_schema, RESOURCE_USER, BY_ADMINS, SCOPE_DEVICES,
		"users", "user", "users", NULL },
	{ "/api/v1/groups", TOPIC_groups, &group_schema, RESOURCE_GROUP, BY_ADMINS, SCOPE_DEVICES,
		"groups", "group", "groups", NULL },
	{ "/api/v1/device-prefs", TOPIC_device_prefs, &device_pref_schema, RESOURCE_TARGET,
		BY_ADMINS, SCOPE_DEVICES, "policy", "preference", "preferences", check_pref },
	{ "/api/v1/category-prefs", TOPIC_category_prefs, &category_pref_schema, RESOURCE_TARGET,
		BY_ADMINS, SCOPE_POLICY, "policy", "preference for a category",
		"preferences for categories", check_category },
	{ "/api/v1/site-overrides", TOPIC_site_overrides, &site_override_schema, RESOURCE_TARGET,
		BY_HELPERS, SCOPE_POLICY, "policy", "override", "overrides", check_target },
	{ "/api/v1/categories", TOPIC_categories, &category_schema, RESOURCE_GLOBAL, BY_ADMINS,
		SCOPE_POLICY, "policy", "category", "categories", NULL },
	{ "/api/v1/websites", TOPIC_websites, &website_schema, RESOURCE_GLOBAL, BY_ADMINS,
		SCOPE_POLICY, "policy", "website", "websites", check_category },
	{ "/api/v1/words", TOPIC_words, &word_schema, RESOURCE_GLOBAL, BY_ADMINS, SCOPE_POLICY,
		"policy", "word", "words", NULL },
	{ "/api/v1/search-words", TOPIC_search_words, &search_word_schema, RESOURCE_GLOBAL,
		BY_ADMINS, SCOPE_POLICY, "policy", "search word", "search words", NULL },
	{ "/api/v1/sni-block", TOPIC_sni_block, &domain_entry_schema, RESOURCE_GLOBAL, BY_ADMINS,
		SCOPE_POLICY, "policy", "domain that is blocked at once", "domains blocked at once",
		NULL },
	{ "/api/v1/mitm-ignore", TOPIC_mitm_ignore, &domain_entry_schema, RESOURCE_GLOBAL,
		BY_ADMINS, SCOPE_POLICY, "policy", "domain that is not decrypted",
		"domains not decrypted", NULL },
	{ "/api/v1/image-ignore", TOPIC_image_ignore, &domain_entry_schema, RESOURCE_GLOBAL,
		BY_ADMINS, SCOPE_POLICY, "policy", "domain whose images are shown",
		"domains whose images are shown", NULL },
	{ "/api/v1/dns-rules", TOPIC_dns_rules, &dns_rule_schema, RESOURCE_TARGET, BY_ADMINS,
		SCOPE_POLICY, "dns", "DNS rule", "DNS rules", check_dns_rule },
	{ "/api/v1/dns-records", TOPIC_dns_records, &dns_record_schema, RESOURCE_GLOBAL, BY_ADMINS,
		SCOPE_POLICY, "dns", "DNS record", "DNS records", NULL },
	{ "/api/v1/profiles", TOPIC_profiles, &profile_schema, RESOURCE_GLOBAL, BY_ADMINS,
		SCOPE_POLICY, "firewall", "profile", "profiles", NULL },
	{ "/api/v1/list-sources", TOPIC_list_sources, &list_source_schema, RESOURCE_GLOBAL,
		BY_ADMINS, SCOPE_POLICY, "lists", "source of a list", "sources of lists", NULL },
	{ "/api/v1/settings", TOPIC_settings, &setting_schema, RESOURCE_GLOBAL, BY_ADMINS,
		SCOPE_SYSTEM, "settings", "setting", "settings", check_setting },
};
enum { RESOURCES = sizeof(resources) / sizeof(resources[0]), PER_RESOURCE = 6 };

const struct resource *resources_find(const char *name)
{
	for (size_t i = 0; i < RESOURCES; i++) {
		if (!strcmp(strrchr(resources[i].path, '/') + 1, name))
			return &resources[i];
	}
	return NULL;
}

size_t resources_route_count(void)
{
	return (size_t)RESOURCES * PER_RESOURCE;
}

size_t resources_make_routes(struct route *out)
{
	size_t i = 0;

	while (i < RESOURCES && !record_make_routes(&resources[i], out + i * PER_RESOURCE))
		i++;
	return i * PER_RESOURCE;
}

void resources_free_routes(struct route *routes, size_t n)
{
	for (size_t i = 0; i < n; i += PER_RESOURCE)
		record_free_routes(routes + i);
}
