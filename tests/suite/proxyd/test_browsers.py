# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium and Firefox ESR through the explicit proxy: a page tries everything and tells what came of it
(SPEC P1, P2, P7)."""
import pytest
from browserlib import BROWSERS, EVERYTHING, Site, prepare, visit


@pytest.mark.parametrize("name", BROWSERS)
def test_browser_gets_everything(world, tmp_path, name):
    site = Site(world.secure)
    browsers = prepare(tmp_path, world.root, ["--proxy-server=http://10.9.0.1:8080"], {
        "network.proxy.type": 1, "network.proxy.http": "10.9.0.1", "network.proxy.http_port": 8080,
        "network.proxy.ssl": "10.9.0.1", "network.proxy.ssl_port": 8080, "network.proxy.no_proxies_on": ""})
    told = visit(world, tmp_path, name, browsers[name], site)
    # The block page's image; HTTP/2 for all of it, WebSocket as well: its headers are in small letters.
    assert told == {**EVERYTHING, "blocked": 1, "protocol": "h2"}
    sockets = [r for r in world.secure.requests if r.target == "/socket"]
    assert sockets and "sec-websocket-version" in [k for k, _ in sockets[-1].headers]
