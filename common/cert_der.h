/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <mbedtls/x509_crt.h>

/*
 * Signs w and writes the certificate as DER to the end of der. Its length, or a negative value.
 * As mbedtls_x509write_crt_der, but for an EC issuer the algorithm has no parameters: mbedtls
 * before 3 writes a NULL there, which RFC 5758 3.2 forbids and browsers refuse. The hash is
 * SHA-256.
 */
int cert_der_write(mbedtls_x509write_cert *w, unsigned char *der, size_t size);
