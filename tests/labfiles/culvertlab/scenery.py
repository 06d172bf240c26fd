# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Internet as data: names, addresses, zone, pages."""

V4 = "93.184.216."
V6 = "2606:2800:220:1::"

# Web sites, each on addresses of its own. The number is the last part of both addresses.
SITES = {
    "allowed.example": 10,
    "words.example": 11,
    "images.example": 12,
    "big.example": 13,
    "blocked.example": 14,
    "unknown.example": 15,
    "ads.listed.example": 16,
    "plain.example": 17,
    "bad-cert.example": 18,
    "lists.example": 19,
    "listed.example": 20,
    "shared-a.example": 21,
    "shared-b.example": 21,
    "example.com": 40,  # these three are of the real Internet, for the sample policy of make up
    "example.net": 41,
    "example.org": 42,
    "www.google.com": 30,
    "forcesafesearch.google.com": 31,
    "www.bing.com": 32,
    "strict.bing.com": 33,
    "duckduckgo.com": 34,
    "safe.duckduckgo.com": 35,
    "www.youtube.com": 36,
    "restrict.youtube.com": 37,
    "restrictmoderate.youtube.com": 38,
    "connectivitycheck.gstatic.com": 39,
}
ALIASES = {"www.allowed.example": "allowed.example", "cdn.allowed.example": "allowed.example"}
EXPIRED = ("bad-cert.example",)

# Public resolvers: name in the certificate -> addresses.
RESOLVERS = {
    "one.one.one.one": ("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),
    "dns.google": ("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888"),
}
DNS_ADDRESSES = RESOLVERS["one.one.one.one"] + RESOLVERS["dns.google"]
DOH_UPSTREAM_PORT = 8053

# Odd names; "slow" answers after a second, "drop" and what is below it never. Below fresh.example and
# listed.example every name exists, so that a test can have one that no cache knows.
EXTRA_ZONE = """
cloaked.example.      300 IN CNAME tracker.ads.listed.example.
tracker.ads.listed.example. 300 IN A 93.184.216.16
chain1.example.       300 IN CNAME chain2.example.
chain2.example.       300 IN CNAME allowed.example.
rebind.example.       300 IN A 10.77.0.5
rebind.example.       300 IN AAAA fd77::5
svcb.example.         300 IN A 93.184.216.10
svcb.example.         300 IN AAAA 2606:2800:220:1::10
svcb.example.         300 IN HTTPS 1 . alpn="h3,h2" ipv4hint=93.184.216.10 ech="AEX+DQBB"
hints.example.        300 IN HTTPS 1 . alpn="h2" ipv4hint=93.184.216.10,10.77.0.5 ipv6hint=2606:2800:220:1::10
v4only.example.       300 IN A 93.184.216.10
short.example.        1   IN A 93.184.216.10
txt.example.          300 IN TXT "culvert lab"
mx.example.           300 IN MX 10 allowed.example.
slow.example.         300 IN A 93.184.216.10
*.fresh.example.      300 IN A 93.184.216.10
*.fresh.example.      300 IN AAAA 2606:2800:220:1::10
*.listed.example.     300 IN A 93.184.216.20
*.listed.example.     300 IN AAAA 2606:2800:220:1::20
"""


def site_addresses(name):
    number = SITES[ALIASES.get(name, name)]
    return V4 + str(number), V6 + str(number)


def zone_text():
    lines = []
    for name in list(SITES) + list(ALIASES):
        v4, v6 = site_addresses(name)
        lines += ["%s. 300 IN A %s" % (name, v4), "%s. 300 IN AAAA %s" % (name, v6)]
    for name, addresses in RESOLVERS.items():
        for address in addresses:
            kind = "AAAA" if ":" in address else "A"
            lines.append("%s. 300 IN %s %s" % (name, kind, address))
    for n in range(150):
        lines.append("large.example. 300 IN TXT \"%s %d\"" % ("x" * 40, n))
    return "\n".join(lines) + "\n" + EXTRA_ZONE


def inet_addresses():
    """Every address of the simulated Internet, with prefix length, once."""
    found = []
    for name in SITES:
        found += site_addresses(name)
    found += DNS_ADDRESSES
    return ["%s/%d" % (a, 128 if ":" in a else 32) for a in dict.fromkeys(found)]


def certificate_names():
    """Subject -> alternative names."""
    names = {}
    for name in SITES:
        names[name] = ["DNS:" + name] + ["DNS:" + a for a, of in ALIASES.items() if of == name]
    for name, addresses in RESOLVERS.items():
        names[name] = ["DNS:" + name] + ["IP:" + a for a in addresses]
    names["one.one.one.one"].append("DNS:cloudflare-dns.com")
    return names
