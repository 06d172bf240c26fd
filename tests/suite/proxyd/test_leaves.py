# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that devices are shown: what openssl's strictest check and browsers ask for (SPEC P2).

Sources: CA/Browser Forum Baseline Requirements 7.1.2.7; Chrome Root Program Policy; Apple "Requirements
for trusted certificates" (HT210176: SHA-2, DNS name in the alternative name, serverAuth, keys; and the
limits of validity, 47 days from March 2029 on).
"""
import re
import ssl
import subprocess
import time

import pytest
from proxylib import SITE

LONG = "a23456789." * 7 + "www.allowed.example"  # no common name is as long


@pytest.fixture(scope="module", autouse=True)
def fixture_shown_always(world):
    """Whoever only looks at certificates is taken for an app that does not like them (P14)."""
    world.proxyd.stop()
    world.conf.write_text(world.conf.read_text() + "pinned_after = 0\n")
    world.start_proxyd()


def _shown(world, host):
    """The PEMs of leaf and above, as a device gets them."""
    sni = ["-noservername"] if host == SITE else ["-servername", host]
    done = subprocess.run(world.client.argv(
        "openssl", "s_client", "-proxy", "10.9.0.1:8080", "-bind", "10.9.0.3:0", "-showcerts",
        "-connect", host + ":443", *sni, "-CAfile", str(world.root)),
        input="", capture_output=True, text=True, timeout=60, check=False)
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.S)


def _openssl(pem, *args):
    return subprocess.run(["openssl", "x509", "-noout", *args], input=pem, text=True, capture_output=True,
                          check=True).stdout


def _extension(text, name):
    """Its value; "critical, " in front when it is."""
    m = re.search(r"X509v3 %s: *(critical)? *\n\s*(.*(?:\n {16,}\S.*)*)" % name, text)
    return m and ("critical, " if m[1] else "") + " ".join(m[2].split())


@pytest.fixture
def chain(world, build):
    world.dns.names[LONG] = [SITE]
    return _shown(world, "www.allowed.example")


def test_passes_the_strictest_check(world, build, tmp_path):
    world.dns.names[LONG] = [SITE]
    for host in ("www.allowed.example", LONG, SITE):
        leaf, above = _shown(world, host)
        (tmp_path / "leaf").write_text(leaf)
        (tmp_path / "above").write_text(above)
        name = ["-verify_ip", host] if host == SITE else ["-verify_hostname", host]
        subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-auth_level", "2", *name,
                        "-CAfile", world.root, "-untrusted", tmp_path / "above", tmp_path / "leaf"],
                       check=True, capture_output=True)


def test_is_for_one_host(world, chain):
    text = _openssl(chain[0], "-text")
    assert _extension(text, "Subject Alternative Name") == "DNS:www.allowed.example"
    assert _extension(_openssl(_shown(world, SITE)[0], "-text"), "Subject Alternative Name") == \
        "IP Address:" + SITE


def test_is_made_for_servers_only(chain):
    text = _openssl(chain[0], "-text")
    assert _extension(text, "Extended Key Usage") == "TLS Web Server Authentication"
    assert _extension(text, "Key Usage") == "critical, Digital Signature"
    assert _extension(text, "Basic Constraints") == "critical, CA:FALSE"
    assert "Version: 3" in text


def test_key_and_signature_are_strong(chain):
    for pem in chain:
        text = _openssl(pem, "-text")
        assert "ASN1 OID: prime256v1" in text
        assert re.findall(r"Signature Algorithm: (\S+)", text) == ["ecdsa-with-SHA256"] * 2


def test_lives_47_days_at_most_and_began_before(chain):
    start, end = (ssl.cert_time_to_seconds(d)
                  for d in re.findall(r"=(.*)", _openssl(chain[0], "-startdate", "-enddate")))
    assert start < time.time() < end and end - start < 47 * 86400
    above_end = ssl.cert_time_to_seconds(_openssl(chain[1], "-enddate").strip().partition("=")[2])
    assert end <= above_end


def test_serial_numbers_are_long_and_their_own(world, chain):
    """At least 64 bits from a random generator, positive (BR 7.1)."""
    serials = {int(_openssl(pem, "-serial").partition("=")[2], 16)
               for pem in chain + _shown(world, "allowed.example")[:1] + _shown(world, SITE)[:1]}
    assert len(serials) == 4 and all(64 < s.bit_length() <= 159 for s in serials)


def test_names_the_key_above(chain):
    leaf, above = (_openssl(pem, "-text") for pem in chain)
    assert _extension(leaf, "Authority Key Identifier").removeprefix("keyid:") == \
        _extension(above, "Subject Key Identifier")
    assert len(_extension(leaf, "Subject Key Identifier").split(":")) == 20


def test_chain_is_leaf_and_intermediate(world, chain):
    assert len(chain) == 2
    above = _openssl(chain[1], "-text")
    assert _extension(above, "Basic Constraints") == "critical, CA:TRUE, pathlen:0"
    assert _extension(above, "Key Usage") == "critical, Certificate Sign, CRL Sign"
    assert _openssl(chain[1], "-issuer", "-nameopt", "oneline").replace("issuer", "subject") == \
        _openssl(world.root.read_text(), "-subject", "-nameopt", "oneline")


def test_one_key_for_all_and_one_leaf_for_one_host(world, chain):
    """Made once, kept."""
    other = _shown(world, "allowed.example")
    assert _openssl(chain[0], "-pubkey") == _openssl(other[0], "-pubkey")
    assert chain[0] != other[0] and chain == _shown(world, "www.allowed.example")
