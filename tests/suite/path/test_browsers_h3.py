# SPDX-License-Identifier: GPL-3.0-or-later
"""Browsers and a server of the simulated Internet that speaks HTTP/3, in the path (SPEC P21)."""
import json
import os
import subprocess

import pytest
from browserlib import BROWSER_DEADLINE_S, BROWSERS, prepare
from support.wait import wait_until

ADDRESS = "198.51.100.40"
GOOD, EVIL = "allowed.example", "ads.listed.example"
TENTATIVE = 3
STARTS = 3  # of a browser, until it speaks HTTP/3
CADDYFILE = """{
	admin off
	auto_https off
	storage file_system %(dir)s/caddy
	log {
		output file %(dir)s/caddy.log
	}
	servers {
		protocols h1 h2 h3
	}
}
https://allowed.example, https://ads.listed.example {
	bind %(address)s
	tls %(leaf)s %(leaf)s
	log {
		output file %(dir)s/access.log
	}
	header Content-Type text/html
	respond `<!doctype html><title>page</title><img src="https://ads.listed.example/a.png"><script>setInterval(() => fetch("/again" + location.pathname), 300)</script>`
}
"""


class Caddy:
    def __init__(self, world):
        self.log = world.dir / "access.log"
        self.log.unlink(missing_ok=True)
        leaf = next(p for p in world.dir.glob("*.pem") if b"PRIVATE KEY" in p.read_bytes()
                    and GOOD in subprocess.run(["openssl", "x509", "-noout", "-text", "-in", p], check=True,
                                               capture_output=True, text=True).stdout)
        (world.dir / "Caddyfile").write_text(CADDYFILE % {"dir": world.dir, "address": ADDRESS, "leaf": leaf})
        world.inet.run("ip", "address", "replace", ADDRESS, "dev", "lo")
        self.process = world.inet.start("caddy", "run", "--config", world.dir / "Caddyfile", "--adapter", "caddyfile",
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "HOME": str(world.dir)})
        wait_until(lambda: ":443" in world.inet.run("ss", "-Hlnu", "src", ADDRESS), "caddy")

    def requests(self):
        """[(host, protocol, path)]"""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        found = [json.loads(line)["request"] for line in lines if "request" in line]
        return [(r["host"], r["proto"], r["uri"]) for r in found]

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module", name="caddy")
def _caddy(world):
    world.dns.names[GOOD] = world.dns.names[EVIL] = [ADDRESS]
    world.owner_device("internet", quic="judge")
    caddy = Caddy(world)
    yield caddy
    caddy.stop()


def words(world, home, name):
    """What starts the browser, with a profile of its own."""
    return prepare(
        home, world.dir / "internet.pem",
        ["--no-proxy-server", "--host-resolver-rules=MAP * " + ADDRESS, "--enable-quic",
         "--origin-to-force-quic-on=%s:443,%s:443" % (GOOD, EVIL)],
        {"network.proxy.type": 0, "network.dns.forceResolve": ADDRESS, "network.dns.disableIPv6": True,
         "network.trr.mode": 5, "network.http.http3.enable": True,
         "network.http.http3.disable_when_third_party_roots_found": False,
         # On a slow machine TCP would be first, and QUIC not tried again.
         "network.http.http3.backup_timer_delay": 60000, "network.dns.httpssvc.http3_fast_fallback_timeout": 60000,
         "network.http.http3.alt-svc-mapping-for-testing": ",".join("%s;h3=:443" % host for host in (GOOD, EVIL))})[name]


def speaks(world, caddy, home, name, denied):
    """The protocols in which the browser asked for its page and what that asks for every 300 ms, once HTTP/3 is among
    them or it has chosen another for good (which Firefox does when QUIC was slow for a moment)."""
    before = len(caddy.requests())

    def asked():
        return [proto for host, proto, uri in caddy.requests()[before:] if host == GOOD and uri.endswith("/" + name)]

    with open(home / "log", "wb") as log:
        browser = subprocess.Popen(
            world.client.argv(*words(world, home, name), "https://%s/%s" % (GOOD, name)),
            env={**os.environ, "HOME": str(home)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
    try:
        wait_until(lambda: "HTTP/3.0" in asked() or len(asked()) > 5, "the page asked for by " + name, BROWSER_DEADLINE_S)
        # The page's picture is asked for, and refused.
        world.wait_path_status(lambda s: s["denied"] > denied, "the listed name denied")
    except AssertionError as late:
        raise AssertionError("%s\n%s\n%s\n%s" % (late, caddy.requests()[-20:], world.path_status(),
                                                 (home / "log").read_text()[-1500:])) from None
    finally:
        os.killpg(browser.pid, 9)
        browser.wait()
    return set(asked())


@pytest.mark.skipif("PATH_GUEST" in os.environ, reason="an emulated machine")
@pytest.mark.parametrize("name", BROWSERS)
def test_a_browser_gets_the_allowed_site_and_nothing_of_the_listed_one(world, caddy, tmp_path, name):
    denied = world.path_status().get("denied", 0)
    spoken = []
    for visit in range(STARTS):
        home = tmp_path / str(visit)
        home.mkdir()
        spoken.append(speaks(world, caddy, home, name, denied))
        if "HTTP/3.0" in spoken[-1]:
            break
    assert "HTTP/3.0" in spoken[-1], spoken
    assert not any(host == EVIL for host, _, _ in caddy.requests())
    assert not world.spliced()
    assert any(mark >> 29 == TENTATIVE for mark in world.marks(ADDRESS, protocol="udp"))
