# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages' files."""
import subprocess

import pytest

from bootlib import package, version
from lablib import DAEMONS


def run(*argv):
    return subprocess.run(argv, text=True, capture_output=True, check=False)


def names_in(path):
    text = run("dpkg-deb", "-c", path).stdout
    return [line.split(None, 5)[5].lstrip(".") for line in text.splitlines()]


@pytest.mark.parametrize("name", ["culvert", "culvert-openssl", "culvert-dbgsym", "culvert-openssl-dbgsym"])
def test_lintian_finds_no_error(name):
    done = run("lintian", "--allow-root", "--fail-on", "error", package(name))
    assert done.returncode == 0, done.stdout + done.stderr


def test_symbols_of_every_program_are_in_a_package_of_their_own():
    have = [n for n in names_in(package("culvert-dbgsym")) if ".build-id/" in n and n.endswith(".debug")]
    programs = ["/usr/sbin/" + name for name in DAEMONS + ("culvert-seal",)] + [
        "/usr/libexec/culvert/" + name for name in ("directus-records", "listcheck", "bus-acl")]
    assert set(programs) <= set(names_in(package("culvert"))) and len(have) == len(programs)


def test_what_an_admin_edits_is_a_conffile_or_made_by_setup():
    assert run("dpkg-deb", "-I", package("culvert"), "conffiles").stdout.split() == ["/etc/logrotate.d/culvert"]
    assert [n for n in names_in(package("culvert")) if n.startswith("/etc/culvert")] == []


def test_the_openssl_package_goes_with_its_version_only():
    depends = run("dpkg-deb", "-f", package("culvert-openssl"), "Depends").stdout
    assert "culvert (= %s)" % version(package("culvert")) in depends and "libssl3" in depends
    assert "libssl3" not in run("dpkg-deb", "-f", package("culvert"), "Depends").stdout
