/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/setup.h"
#include "proxyd/uuid.h"

void setup_ca_pem(const struct own_visit *v, struct buf *out)
{
	buf_append_str(out, cert_ca_pem(v->p->root));
}

void setup_ca_der(const struct own_visit *v, struct buf *out)
{
	size_t len;
	const uint8_t *der = cert_ca_der(v->p->root, &len);

	buf_append(out, der, len);
}

static void append_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%02x", bytes[i]);
}

void setup_ca_sha256(const struct own_visit *v, struct buf *out)
{
	uint8_t digest[CERT_FINGERPRINT_LEN];

	cert_ca_fingerprint(v->p->root, digest);
	append_hex(out, digest, sizeof(digest));
	buf_append_byte(out, '\n');
}

static void append_uuid(struct buf *out, const uint8_t digest[static 16])
{
	char uuid[UUID_LEN];

	uuid_format(digest, uuid);
	buf_append_str(out, uuid);
}

static const char mobileconfig_start[] =
	"<dict>\n"
	"<key>PayloadType</key><string>Configuration</string>\n"
	"<key>PayloadVersion</key><integer>1</integer>\n"
	"<key>PayloadDisplayName</key><string>Culvert</string>\n"
	"<key>PayloadDescription</key><string>Lets this device trust the filtering gateway."
	"</string>\n";

void setup_mobileconfig(const struct own_visit *v, struct buf *out)
{
	uint8_t digest[CERT_FINGERPRINT_LEN];
	size_t len;
	const uint8_t *der = cert_ca_der(v->p->root, &len);

	cert_ca_fingerprint(v->p->root, digest);
	setup_append_plist_start(out);
	buf_append_str(out, mobileconfig_start);
	buf_append_str(out, "<key>PayloadIdentifier</key><string>culvert.gateway.");
	append_hex(out, digest, 4);
	buf_append_str(out, "</string>\n<key>PayloadUUID</key><string>");
	append_uuid(out, digest);
	buf_append_str(out, "</string>\n<key>PayloadContent</key>\n<array>\n<dict>\n"
			    "<key>PayloadType</key><string>com.apple.security.root</string>\n"
			    "<key>PayloadVersion</key><integer>1</integer>\n"
			    "<key>PayloadDisplayName</key><string>Culvert root certificate"
			    "</string>\n<key>PayloadCertificateFileName</key>"
			    "<string>culvert-ca.cer</string>\n"
			    "<key>PayloadIdentifier</key><string>culvert.gateway.");
	append_hex(out, digest, 4);
	buf_append_str(out, ".ca</string>\n<key>PayloadUUID</key><string>");
	append_uuid(out, digest + 16);
	buf_append_str(out, "</string>\n<key>PayloadContent</key><data>");
	setup_append_base64(out, der, len);
	buf_append_str(out, "</data>\n</dict>\n</array>\n</dict>\n</plist>\n");
}
