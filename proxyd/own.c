/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/own.h"
#include "proxyd/page.h"
#include <stdio.h>
#include <string.h>

static void send_fingerprint(const struct proxy *p, struct http_request *req)
{
	uint8_t digest[CERT_FINGERPRINT_LEN];
	char text[2 * CERT_FINGERPRINT_LEN + 2];

	cert_ca_fingerprint(p->root, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	text[2 * sizeof(digest)] = '\n';
	http_respond(req, 200, "text/plain", text, 2 * sizeof(digest) + 1);
}

void own_answer(struct proxy *p, struct http_request *req)
{
	const struct http_head *head = http_request_head(req);
	const char *pem = cert_ca_pem(p->root);
	size_t len;

	if (strcmp(head->method, "GET") && strcmp(head->method, "HEAD")) {
		page_send_error(req, 405, "Method Not Allowed", "This page can only be read.",
			head->target);
	} else if (!strcmp(head->target, "/culvert-ca.pem")) {
		http_respond(req, 200, "application/x-pem-file", pem, strlen(pem));
	} else if (!strcmp(head->target, "/culvert-ca.der")) {
		const uint8_t *der = cert_ca_der(p->root, &len);
		http_respond(req, 200, "application/x-x509-ca-cert", der, len);
	} else if (!strcmp(head->target, "/culvert-ca.sha256")) {
		send_fingerprint(p, req);
	} else {
		page_send_error(req, 404, "Not Found",
			"This is the proxy. Its root certificate is at /culvert-ca.pem, "
			"/culvert-ca.der and /culvert-ca.sha256.",
			head->target);
	}
}
