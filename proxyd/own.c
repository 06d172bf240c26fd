/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/own.h"
#include "proxyd/appeal.h"
#include "proxyd/blocked.h"
#include "proxyd/gateway.h"
#include "proxyd/page.h"
#include "proxyd/setup.h"
#include "proxyd/setup_page.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX  (256u << 10)
#define FORM_TYPE "application/x-www-form-urlencoded"

/* The downloads. */
static const struct file {
	const char *path, *type;
	const char *name; /* under which it is kept; NULL = it is shown or read in place */
	void (*append)(const struct own_visit *v, struct buf *out);
} files[] = {
	{ "/culvert-ca.pem", "application/x-pem-file", "culvert-ca.pem", setup_ca_pem },
	{ "/culvert-ca.der", "application/x-x509-ca-cert", "culvert-ca.der", setup_ca_der },
	{ "/culvert-ca.crt", "application/x-x509-ca-cert", "culvert-ca.crt", setup_ca_der },
	{ "/culvert-ca.sha256", "text/plain", NULL, setup_ca_sha256 },
	{ "/culvert.mobileconfig", "application/x-apple-aspen-config", "culvert.mobileconfig",
		setup_mobileconfig },
	{ SETUP_TRUST_PATH, "text/css", NULL, setup_page_append_trust },
	{ "/proxy.pac", "application/x-ns-proxy-autoconfig", NULL, setup_pac },
	{ "/wpad.dat", "application/x-ns-proxy-autoconfig", NULL, setup_pac },
	{ "/policies/chrome.json", "application/json", "culvert.json", setup_chrome_json },
	{ "/policies/chrome.reg", "text/plain", "culvert-chrome.reg", setup_chrome_reg },
	{ "/policies/chrome.plist", "application/xml", "com.google.Chrome.plist",
		setup_chrome_plist },
	{ "/policies/edge.json", "application/json", "culvert.json", setup_edge_json },
	{ "/policies/edge.reg", "text/plain", "culvert-edge.reg", setup_edge_reg },
	{ "/policies/edge.plist", "application/xml", "com.microsoft.Edge.plist", setup_edge_plist },
	{ "/policies/firefox.json", "application/json", "policies.json", setup_firefox_json },
};

static void send_error(const struct own_visit *v, struct http_request *req, int status,
	const char *title, const char *message)
{
	if (page_send_error(&v->p->pages, req, status, title, message, ""))
		http_response_abort(req);
}

static const struct file *find_file(const char *path)
{
	size_t len = strcspn(path, "?");

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (strlen(files[i].path) == len && !strncmp(files[i].path, path, len))
			return &files[i];
	}
	return NULL;
}

static void send_file(const struct own_visit *v, struct http_request *req, const struct file *f)
{
	struct http_head extra;
	char disposition[64];
	struct buf b;

	buf_init(&b, FILE_MAX);
	f->append(v, &b);
	http_head_init(&extra);
	http_head_add(&extra, "Cache-Control", "no-store");
	http_head_add(&extra, "X-Content-Type-Options", "nosniff");
	if (f->name) {
		snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", f->name);
		http_head_add(&extra, "Content-Disposition", disposition);
	}
	if (b.failed || http_respond_with(req, 200, &extra, f->type, b.data, b.len))
		http_response_abort(req);
	http_head_fini(&extra);
	buf_fini(&b);
}

/* ---- the appeal portal ---- */

/* A form that is being sent. */
struct own {
	struct own_visit v;
	struct http_request *req;
	struct buf body;
};

static bool is_appeal_path(const struct proxy *p, const char *path)
{
	size_t len = strcspn(path, "?");

	return len == strlen(p->conf->appeal_path) && !strncmp(path, p->conf->appeal_path, len);
}

static struct own *begin_appeal(
	const struct own_visit *v, struct http_request *req, const char *path)
{
	const struct http_head *head = http_request_head(req);
	const char *type = http_head_get(head, "Content-Type");
	uint64_t len = http_request_length(req);
	struct own *o = NULL;

	if (!strcmp(head->method, "GET") || !strcmp(head->method, "HEAD")) {
		path += strcspn(path, "?");
		appeal_send_form(v, req, *path ? path + 1 : path);
	} else if (strcmp(head->method, "POST") != 0) {
		send_error(v, req, 405, "Method Not Allowed", "This page can only be read.");
	} else if (!type || strncasecmp(type, FORM_TYPE, strlen(FORM_TYPE)) != 0) {
		appeal_send_error(v, req, 415, TEXT_ERROR_FORM);
	} else if (len != UINT64_MAX && len > APPEAL_BODY_MAX) {
		appeal_send_error(v, req, 413, TEXT_ERROR_FORM);
	} else {
		o = calloc(1, sizeof(*o));
		if (!o)
			appeal_send_error(v, req, 503, TEXT_ERROR_STORAGE);
	}
	if (!o)
		return NULL;
	o->v = *v;
	o->req = req;
	buf_init(&o->body, APPEAL_BODY_MAX);
	return o;
}

void own_on_body(struct own *o, const void *data, size_t len)
{
	if (!http_response_started(o->req) && buf_append(&o->body, data, len))
		appeal_send_error(&o->v, o->req, 413, TEXT_ERROR_FORM);
}

void own_on_body_end(struct own *o)
{
	if (http_response_started(o->req))
		return;
	buf_append_byte(&o->body, '\0');
	if (o->body.failed)
		appeal_send_error(&o->v, o->req, 413, TEXT_ERROR_FORM);
	else
		appeal_take(&o->v, o->req, (const char *)o->body.data, o->body.len - 1);
}

void own_free(struct own *o)
{
	if (!o)
		return;
	buf_fini(&o->body);
	free(o);
}

/* ---- what is asked ---- */

void own_send_blocked(struct proxy *p, struct http_request *req, const struct target *at,
	const char *url, const struct decision *d, const char *term)
{
	const char *name = gateway_name(p);
	char portal[GATEWAY_HOST_LEN + 8] = "";
	const struct blocked b = { url, at->host, portal, p->conf->appeal_path };

	p->blocked++;
	if (*name)
		snprintf(portal, sizeof(portal), "http%s://%s", at->is_https ? "s" : "", name);
	if (term ? blocked_send_term(&p->pages, req, term, &b)
		 : blocked_send(&p->pages, req, d, &b))
		http_response_abort(req);
}

int own_visit_init(struct own_visit *v, struct proxy *p, const struct addr *device,
	const char *host, bool is_https)
{
	const struct addr *own = gateway_address(p, device);
	uint16_t port = is_https ? 443 : 80;

	memset(v, 0, sizeof(*v));
	v->p = p;
	v->device = *device;
	if (!host && own) {
		addr_format(own, v->at.host);
		v->at.port = port;
	} else if (!host || target_parse_host(host, port, &v->at)) {
		return -EINVAL;
	}
	v->at.is_https = is_https;
	return gateway_is_host(p, v->at.host) ? 0 : -EREMOTE;
}

bool own_is_asked(struct own_visit *v, struct proxy *p, const struct addr *device,
	const struct target *at, const char *path)
{
	bool is_gateway = gateway_is_host(p, at->host);

	*v = (struct own_visit){ .p = p, .device = *device, .at = *at, .is_on_site = !is_gateway };
	return is_gateway ? at->port == 80 || at->port == 443 : is_appeal_path(p, path);
}

struct own *own_begin(const struct own_visit *v, struct http_request *req, const char *path)
{
	const struct http_head *head = http_request_head(req);
	const struct file *f = v->is_on_site ? NULL : find_file(path);

	if (is_appeal_path(v->p, path))
		return begin_appeal(v, req, path);
	if (strcmp(head->method, "GET") != 0 && strcmp(head->method, "HEAD") != 0)
		send_error(v, req, 405, "Method Not Allowed", "This page can only be read.");
	else if (f)
		send_file(v, req, f);
	else if (!v->is_on_site && strcspn(path, "?") == 1)
		setup_page_send(v, req);
	else
		send_error(v, req, 404, "Not Found", "There is no such page here.");
	return NULL;
}
