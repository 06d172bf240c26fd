/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/tls_reason.h"

#include <stddef.h>
#include <strings.h>

const char *tls_verify_text(enum tls_verify v)
{
	switch (v) {
	case TLS_VERIFY_OK:
		return "certificate is valid";
	case TLS_VERIFY_SELF_SIGNED:
		return "certificate is self-signed";
	case TLS_VERIFY_UNTRUSTED:
		return "certificate is not signed by a trusted authority";
	case TLS_VERIFY_INCOMPLETE:
		return "certificate is not signed by a trusted authority, or its chain is "
		       "incomplete";
	case TLS_VERIFY_WEAK_SIGNATURE:
		return "certificate has a weak signature (SHA-1 or older)";
	case TLS_VERIFY_WEAK_KEY:
		return "certificate has a weak key";
	case TLS_VERIFY_EXPIRED:
		return "certificate has expired";
	case TLS_VERIFY_NOT_YET:
		return "certificate is not valid yet";
	case TLS_VERIFY_WRONG_NAME:
		return "certificate is for another name";
	case TLS_VERIFY_CONSTRAINED:
		return "certificate is for a name that its authority may not sign (name "
		       "constraints)";
	case TLS_VERIFY_USAGE:
		return "certificate is not made for servers (wrong usage)";
	case TLS_VERIFY_UNSUPPORTED:
		return "certificate has a critical extension or a kind of key that is not known "
		       "here";
	case TLS_VERIFY_OTHER:
		break;
	}
	return "certificate cannot be accepted";
}

enum tls_verify tls_verify_first(uint32_t reasons)
{
	return reasons ? (enum tls_verify)(ffs((int)reasons) - 1) : TLS_VERIFY_OK;
}

const char *tls_gap_text(enum tls_gap gap, bool has_tls13)
{
	switch (gap) {
	case TLS_GAP_NONE:
		break;
	case TLS_GAP_VERSION:
		return has_tls13 ? "no common version of TLS (spoken here: 1.2 and 1.3)"
				 : "no common version of TLS (spoken here: 1.2)";
	case TLS_GAP_CIPHER:
		return has_tls13
			       ? "no common cipher, or one side needs what the other does not have"
			       : "no common cipher, or one side needs what the other does not "
				 "have, "
				 "such as TLS 1.3";
	case TLS_GAP_NOT_TLS:
		return "the other side does not speak TLS";
	}
	return "";
}

enum tls_gap tls_gap_from_alert(uint8_t alert)
{
	enum { HANDSHAKE_FAILURE = 40, PROTOCOL_VERSION = 70, INSUFFICIENT_SECURITY = 71 };

	if (alert == PROTOCOL_VERSION)
		return TLS_GAP_VERSION;
	return alert == HANDSHAKE_FAILURE || alert == INSUFFICIENT_SECURITY ? TLS_GAP_CIPHER
									    : TLS_GAP_NONE;
}
