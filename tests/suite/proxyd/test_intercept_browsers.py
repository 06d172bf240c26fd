# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium and Firefox ESR that know of no proxy, redirected: their hellos are large (post-quantum key shares),
have the extension of Encrypted ClientHello, and are spliced (SPEC P3)."""
import interceptlib as lib
import pytest
from browserlib import BROWSERS, EVERYTHING, Site, prepare, visit
from proxylib import SITE


@pytest.mark.parametrize("name", BROWSERS)
def test_browser_gets_everything_but_what_is_listed(world, tmp_path, name):
    """They trust the Internet's CA alone; all names lead them to the one site's address."""
    lib.redirect(world)
    site = Site(world.secure, blocked="https://ads.listed.example/a.png")
    browsers = prepare(
        tmp_path, world.dir / "internet.pem",
        ["--disable-quic", "--no-proxy-server", "--host-resolver-rules=MAP * " + SITE],
        {"network.proxy.type": 0, "network.dns.forceResolve": SITE, "network.dns.disableIPv6": True,
         "network.trr.mode": 5})
    told = visit(world, tmp_path, name, browsers[name], site)
    assert told == {**EVERYTHING, "blocked": "error", "protocol": "http/1.1"}
    assert not any(r.target == "/a.png" for r in world.secure.requests)
    assert world.redis.status_now("proxyd")["leaves_made"] == 0  # nothing was decrypted
