/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/canary.h"

#include <errno.h>
#include <string.h>

struct canary_row {
	const char *name;
	enum canary_kind kind;
};

static const struct canary_row rows[] = {
	/* Firefox: no DoH by default. iCloud Private Relay: not available. DDR (RFC 9462): none. */
	{ "use-application-dns.net", CANARY_NXDOMAIN },
	{ "mask.icloud.com", CANARY_NXDOMAIN },
	{ "mask-h2.icloud.com", CANARY_NXDOMAIN },
	{ "mask-canary.icloud.com", CANARY_NXDOMAIN },
	{ "mask-api.icloud.com", CANARY_NXDOMAIN },
	{ "resolver.arpa", CANARY_NODATA },
	/* Public encrypted resolvers. */
	{ "1dot1dot1dot1.cloudflare-dns.com", CANARY_BLOCK },
	{ "chrome.cloudflare-dns.com", CANARY_BLOCK },
	{ "cloudflare-dns.com", CANARY_BLOCK },
	{ "cloudflare-gateway.com", CANARY_BLOCK },
	{ "one.one.one.one", CANARY_BLOCK },
	{ "dns.google", CANARY_BLOCK },
	{ "dns.google.com", CANARY_BLOCK },
	{ "dns64.dns.google", CANARY_BLOCK },
	{ "google-public-dns-a.google.com", CANARY_BLOCK },
	{ "google-public-dns-b.google.com", CANARY_BLOCK },
	{ "dns.quad9.net", CANARY_BLOCK },
	{ "dns9.quad9.net", CANARY_BLOCK },
	{ "dns10.quad9.net", CANARY_BLOCK },
	{ "dns11.quad9.net", CANARY_BLOCK },
	{ "dns12.quad9.net", CANARY_BLOCK },
	{ "doh.opendns.com", CANARY_BLOCK },
	{ "doh.familyshield.opendns.com", CANARY_BLOCK },
	{ "doh.sandbox.opendns.com", CANARY_BLOCK },
	{ "dns.opendns.com", CANARY_BLOCK },
	{ "dns.umbrella.com", CANARY_BLOCK },
	{ "doh.umbrella.com", CANARY_BLOCK },
	{ "dns.adguard.com", CANARY_BLOCK },
	{ "dns.adguard-dns.com", CANARY_BLOCK },
	{ "d.adguard-dns.com", CANARY_BLOCK },
	{ "dns-family.adguard.com", CANARY_BLOCK },
	{ "dns-unfiltered.adguard.com", CANARY_BLOCK },
	{ "family.adguard-dns.com", CANARY_BLOCK },
	{ "unfiltered.adguard-dns.com", CANARY_BLOCK },
	{ "dns.nextdns.io", CANARY_BLOCK },
	{ "anycast.dns.nextdns.io", CANARY_BLOCK },
	{ "chromium.dns.nextdns.io", CANARY_BLOCK },
	{ "firefox.dns.nextdns.io", CANARY_BLOCK },
	{ "doh.cleanbrowsing.org", CANARY_BLOCK },
	{ "adult-filter-dns.cleanbrowsing.org", CANARY_BLOCK },
	{ "family-filter-dns.cleanbrowsing.org", CANARY_BLOCK },
	{ "security-filter-dns.cleanbrowsing.org", CANARY_BLOCK },
	{ "dns.mullvad.net", CANARY_BLOCK },
	{ "adblock.dns.mullvad.net", CANARY_BLOCK },
	{ "base.dns.mullvad.net", CANARY_BLOCK },
	{ "all.dns.mullvad.net", CANARY_BLOCK },
	{ "dns.controld.com", CANARY_BLOCK },
	{ "freedns.controld.com", CANARY_BLOCK },
	{ "doh.dns.sb", CANARY_BLOCK },
	{ "dot.sb", CANARY_BLOCK },
	{ "doh.sb", CANARY_BLOCK },
	{ "dns.alidns.com", CANARY_BLOCK },
	{ "doh.pub", CANARY_BLOCK },
	{ "dot.pub", CANARY_BLOCK },
	{ "dns.pub", CANARY_BLOCK },
	{ "doh.360.cn", CANARY_BLOCK },
	{ "doh.xfinity.com", CANARY_BLOCK },
	{ "dns.switch.ch", CANARY_BLOCK },
	{ "dns.digitale-gesellschaft.ch", CANARY_BLOCK },
	{ "doh.libredns.gr", CANARY_BLOCK },
	{ "doh.applied-privacy.net", CANARY_BLOCK },
	{ "doh.ffmuc.net", CANARY_BLOCK },
	{ "dot.ffmuc.net", CANARY_BLOCK },
	{ "dns0.eu", CANARY_BLOCK },
	{ "dns.njal.la", CANARY_BLOCK },
	{ "dnsforge.de", CANARY_BLOCK },
	{ "doh.mullvad.net", CANARY_BLOCK },
	{ "doh.tiar.app", CANARY_BLOCK },
	{ "doh.tiarap.org", CANARY_BLOCK },
	{ "dns.twnic.tw", CANARY_BLOCK },
	{ "public.dns.iij.jp", CANARY_BLOCK },
	{ "doh.li", CANARY_BLOCK },
	{ "dns.rabbitdns.org", CANARY_BLOCK },
	{ "odoh.cloudflare-dns.com", CANARY_BLOCK },
	{ "mozilla.cloudflare-dns.com", CANARY_BLOCK },
	{ "security.cloudflare-dns.com", CANARY_BLOCK },
	{ "family.cloudflare-dns.com", CANARY_BLOCK },
	{ "doh.dns.apple.com", CANARY_BLOCK },
	{ "doh.centraleu.pi-dns.com", CANARY_BLOCK },
	{ "wikimedia-dns.org", CANARY_BLOCK },
	{ "dns.aa.net.uk", CANARY_BLOCK },
	{ "dns.decloudus.com", CANARY_BLOCK },
	{ "dns.oszx.co", CANARY_BLOCK },
	{ "dns.bebasid.com", CANARY_BLOCK },
	{ "dns.flatuslifir.is", CANARY_BLOCK },
	{ "unicast.uncensoreddns.org", CANARY_BLOCK },
	{ "anycast.uncensoreddns.org", CANARY_BLOCK },
};

int canary_init(struct canary *c)
{
	hmap_init(&c->names, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* The map never writes through its values. */
		union {
			const struct canary_row *in;
			void *out;
		} row = { .in = &rows[i] };
		if (hmap_set_str(&c->names, rows[i].name, row.out)) {
			canary_fini(c);
			return -ENOMEM;
		}
	}
	return 0;
}

void canary_fini(struct canary *c)
{
	hmap_fini(&c->names);
}

enum canary_kind canary_find(const struct canary *c, const char *name, size_t len)
{
	/* Every name of the table has a dot: the last label alone need not be looked up. */
	const char *end = memrchr(name, '.', len);

	for (const char *p = name; end && p < end;) {
		const struct canary_row *row = hmap_find(&c->names, p, len - (size_t)(p - name));
		if (row)
			return row->kind;
		p = (const char *)memchr(p, '.', len - (size_t)(p - name)) + 1;
	}
	return CANARY_NONE;
}
