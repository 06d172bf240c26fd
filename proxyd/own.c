/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/own.h"
#include "proxyd/page.h"
#include "proxyd/setup.h"
#include <stdio.h>
#include <string.h>

#define FILE_MAX (256u << 10)

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

void own_answer(const struct own_visit *v, struct http_request *req, const char *path)
{
	const struct http_head *head = http_request_head(req);
	const struct file *f = find_file(path);

	if (strcmp(head->method, "GET") && strcmp(head->method, "HEAD"))
		page_send_error(
			req, 405, "Method Not Allowed", "This page can only be read.", path);
	else if (f)
		send_file(v, req, f);
	else
		page_send_error(req, 404, "Not Found",
			"This is the gateway. Its root certificate is at /culvert-ca.pem.", path);
}
