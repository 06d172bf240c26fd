/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/setup_page.h"
#include "proxyd/page.h"
#include "proxyd/setup.h"
#include <stdio.h>
#include <string.h>

#define SHOWN	  2000
#define STEPS_MAX 4
#define BASE_LEN  (GATEWAY_HOST_LEN + 24)

/* A system: how User-Agent names it, its steps, and its downloads. */
struct download {
	const char *path;
	enum text label;
	const char *name; /* of the browser, for {} */
};

static const struct system {
	const char *name, *agent;
	enum text steps[STEPS_MAX + 1]; /* ended by TEXTS */
	struct download downloads[3];
} systems[] = {
	{ "Android", "Android",
		{ TEXT_SETUP_ANDROID_1, TEXT_SETUP_ANDROID_2, TEXT_SETUP_ANDROID_3, TEXTS },
		{ { "/culvert-ca.crt", TEXT_DOWNLOAD_CERTIFICATE, NULL } } },
	{ "iPhone, iPad", "iP",
		{ TEXT_SETUP_IOS_1, TEXT_SETUP_IOS_2, TEXT_SETUP_IOS_3, TEXT_SETUP_IOS_4, TEXTS },
		{ { "/culvert.mobileconfig", TEXT_DOWNLOAD_PROFILE, NULL } } },
	{ "macOS", "Macintosh", { TEXT_SETUP_MACOS_1, TEXT_SETUP_MACOS_2, TEXTS },
		{ { "/culvert.mobileconfig", TEXT_DOWNLOAD_PROFILE, NULL },
			{ "/policies/chrome.plist", TEXT_DOWNLOAD_POLICY, "Chrome" },
			{ "/policies/edge.plist", TEXT_DOWNLOAD_POLICY, "Edge" } } },
	{ "Windows", "Windows", { TEXT_SETUP_WINDOWS_1, TEXT_SETUP_WINDOWS_2, TEXTS },
		{ { "/policies/chrome.reg", TEXT_DOWNLOAD_POLICY, "Chrome" },
			{ "/policies/edge.reg", TEXT_DOWNLOAD_POLICY, "Edge" },
			{ "/culvert-ca.crt", TEXT_DOWNLOAD_CERTIFICATE, NULL } } },
	{ "Linux", "Linux", { TEXT_SETUP_LINUX_1, TEXT_SETUP_LINUX_2, TEXTS },
		{ { "/policies/chrome.json", TEXT_DOWNLOAD_POLICY, "Chrome" },
			{ "/culvert-ca.pem", TEXT_DOWNLOAD_CERTIFICATE, NULL } } },
	{ "Firefox", "Firefox", { TEXT_SETUP_FIREFOX_1, TEXT_SETUP_FIREFOX_2, TEXTS },
		{ { "/policies/firefox.json", TEXT_DOWNLOAD_POLICY, "Firefox" },
			{ "/culvert-ca.pem", TEXT_DOWNLOAD_CERTIFICATE, NULL } } },
};
#define SYSTEM_COUNT (sizeof(systems) / sizeof(*systems))

static const char script[] =
	"\"use strict\";"
	"const no=document.querySelector(\".trust-no\"),yes=document.querySelector(\".trust-yes\");"
	"function look(){"
	"if(getComputedStyle(yes).display!==\"none\")return;"
	"fetch(no.dataset.probe,{mode:\"no-cors\",cache:\"no-store\"}).then("
	"()=>document.body.classList.add(\"trusted\"),()=>setTimeout(look,3000));}"
	"look();";

static void add_element(struct page *pg, const char *tag, enum text text)
{
	buf_printf(&pg->html, "<%s>", tag);
	page_append_text(pg, text, NULL);
	buf_printf(&pg->html, "</%s>", tag);
}

/* "https://10.9.0.1" of the name that the visitor came by. */
static void format_base(const struct own_visit *v, bool is_https, char out[static BASE_LEN])
{
	int64_t port = is_https ? v->p->conf->portal_https_port : v->p->conf->portal_http_port;
	bool is_v6 = strchr(v->at.host, ':');
	int n = snprintf(out, BASE_LEN, "http%s://%s%s%s", is_https ? "s" : "", is_v6 ? "[" : "",
		v->at.host, is_v6 ? "]" : "");

	if (port != (is_https ? 443 : 80))
		snprintf(out + n, BASE_LEN - (size_t)n, ":%u", (unsigned)port);
}

/* ---- is the certificate trusted? ---- */

void setup_page_append_trust(const struct own_visit *v, struct buf *out)
{
	(void)v;
	buf_append_str(out, ".trust-no{display:none}.trust-yes{display:block}\n");
}

/* Behind a certificate that was waved through once nothing is refused any more. */
static void add_trust_secure(struct page *pg, const struct own_visit *v)
{
	char base[BASE_LEN];

	format_base(v, false, base);
	add_element(pg, "p", TEXT_TRUST_SECURE);
	buf_append_str(&pg->html, "<p><a href=\"");
	html_append(&pg->html, base, SHOWN);
	buf_append_str(&pg->html, "/\">");
	page_append_text(pg, TEXT_TRUST_CHECK, NULL);
	buf_append_str(&pg->html, "</a></p>");
}

static void add_trust(struct page *pg, const char *secure)
{
	struct buf *b = &pg->html;

	buf_append_str(b, "<link rel=\"stylesheet\" href=\"");
	html_append(b, secure, SHOWN);
	buf_append_str(b, SETUP_TRUST_PATH "\"><div role=\"status\"><p class=\"trust-yes\">");
	page_append_text(pg, TEXT_TRUST_YES, NULL);
	buf_append_str(b, "</p><p class=\"trust-no\" data-probe=\"");
	html_append(b, secure, SHOWN);
	buf_append_str(b, SETUP_TRUST_PATH "\">");
	page_append_text(pg, TEXT_TRUST_NO, NULL);
	buf_append_str(b, "</p></div>");
}

/* ---- what is needed ---- */

static void add_fact(struct page *pg, enum text name, const char *value)
{
	add_element(pg, "dt", name);
	buf_append_str(&pg->html, "<dd><code>");
	html_append(&pg->html, value, SHOWN);
	buf_append_str(&pg->html, "</code></dd>");
}

static void add_facts(struct page *pg, const struct own_visit *v)
{
	char proxy[SETUP_PROXY_LEN], base[BASE_LEN], pac[BASE_LEN + 16];
	struct buf digest;

	setup_proxy_text(v, proxy);
	format_base(v, false, base);
	snprintf(pac, sizeof(pac), "%s/proxy.pac", base);
	buf_init(&digest, 0);
	setup_ca_sha256(v, &digest);
	buf_append_str(&pg->html, "<dl>");
	add_fact(pg, TEXT_PROXY_ADDRESS, proxy);
	add_fact(pg, TEXT_PROXY_SCRIPT, pac);
	add_fact(pg, TEXT_FINGERPRINT, digest.failed ? "" : (const char *)digest.data);
	buf_append_str(&pg->html, "</dl>");
	buf_fini(&digest);
}

/* ---- steps ---- */

static void add_download(struct page *pg, const struct download *d)
{
	buf_printf(&pg->html, "<li><a href=\"%s\">", d->path);
	page_append_text(pg, d->label, d->name);
	buf_append_str(&pg->html, "</a></li>");
}

/* Paths are broken at their slashes where they must be. */
static void add_step(struct page *pg, enum text text)
{
	const char *step = text_get(pg->language, text), *slash;

	buf_append_str(&pg->html, "<li>");
	for (; (slash = strchr(step, '/')); step = slash + 1) {
		html_append_part(&pg->html, step, (size_t)(slash + 1 - step));
		buf_append_str(&pg->html, "<wbr>");
	}
	html_append_part(&pg->html, step, strlen(step));
	buf_append_str(&pg->html, "</li>");
}

static void add_system(struct page *pg, const struct system *s, bool is_here)
{
	struct buf *b = &pg->html;

	buf_printf(b, "<details%s><summary>%s", is_here ? " open" : "", s->name);
	if (is_here) {
		buf_append_str(b, " <span class=\"soft\">(");
		page_append_text(pg, TEXT_FOR_YOU, NULL);
		buf_append_str(b, ")</span>");
	}
	buf_append_str(b, "</summary><ol>");
	for (size_t i = 0; s->steps[i] != TEXTS; i++)
		add_step(pg, s->steps[i]);
	buf_append_str(b, "</ol><ul>");
	for (size_t i = 0; i < sizeof(s->downloads) / sizeof(*s->downloads); i++) {
		if (s->downloads[i].path)
			add_download(pg, &s->downloads[i]);
	}
	buf_append_str(b, "</ul></details>");
}

/* Android's and Apple's names stand beside those of systems that they are like: the first fits. */
static void add_systems(struct page *pg, const struct http_request *req)
{
	const char *agent = http_head_get(http_request_head(req), "User-Agent");
	bool found = false;

	for (size_t i = 0; i < SYSTEM_COUNT; i++) {
		bool is_here = !found && agent && strstr(agent, systems[i].agent);
		found |= is_here;
		add_system(pg, &systems[i], is_here);
	}
}

static void add_portal_link(struct page *pg, const struct own_visit *v)
{
	buf_append_str(&pg->html, "<p><a href=\"");
	html_append(&pg->html, v->p->conf->appeal_path, SHOWN);
	buf_append_str(&pg->html, "?mode=report\">");
	page_append_text(pg, TEXT_REPORT_LINK, NULL);
	buf_append_str(&pg->html, "</a></p>");
}

void setup_page_send(const struct own_visit *v, struct http_request *req)
{
	char secure[BASE_LEN];
	struct page pg;

	page_begin(&pg, &v->p->pages, req, TEXT_SETUP_TITLE, NULL);
	pg.stays_alone = true;
	format_base(v, true, secure);
	page_add_text(&pg, TEXT_SETUP_ABOUT, NULL);
	add_facts(&pg, v);
	add_element(&pg, "h2", TEXT_TRUST_TITLE);
	if (v->at.is_https) {
		add_trust_secure(&pg, v);
	} else {
		/* No IPv6 literal stands in a policy's sources (CSP 3, host-source). */
		pg.styles_from = pg.connects_to = strchr(v->at.host, ':') ? "https:" : secure;
		pg.has_script = true;
		add_trust(&pg, secure);
	}
	add_element(&pg, "h2", TEXT_STEPS_TITLE);
	add_systems(&pg, req);
	add_portal_link(&pg, v);
	if (pg.has_script)
		buf_printf(&pg.html, "<script nonce=\"%s\">%s</script>", pg.nonce, script);
	if (page_send(&pg, req, 200, NULL))
		http_response_abort(req);
}
