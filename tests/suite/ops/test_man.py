# SPDX-License-Identifier: GPL-3.0-or-later
"""culvert.conf(5) and culvert-bus(7) are made from the programs' own tables (O7)."""
import os
import re
import subprocess

import pytest

from lablib import DAEMONS, TOP, Places

BUILD = Places().build
KEYS = {name: [name, "--keys"] for name in DAEMONS}
KEYS["path"] = ["proxyd", "--path", "--keys"]


@pytest.fixture(scope="module")
def pages():
    subprocess.run(["make", "-s", "B=" + BUILD, "man"], cwd=TOP, check=True)
    return {name: os.path.join(BUILD, "man", name) for name in ("culvert.conf.5", "culvert-bus.7")}


def rows(name):
    """What a daemon prints of its keys: lists of section, key, kind, default, environment, help."""
    argv = [os.path.join(BUILD, "bin", KEYS[name][0]), *KEYS[name][1:]]
    text = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.parametrize("name", KEYS)
def test_a_daemon_lists_its_keys_with_their_meaning(name):
    listed = rows(name)
    assert len(listed) > 8 and all(len(row) == 6 and row[5].endswith(".") for row in listed)


def test_every_key_stands_in_the_page(pages):
    page = open(pages["culvert.conf.5"], encoding="utf-8").read()
    there = set(re.findall(r"^\.It Va (\w+)$", page, re.M))
    assert {row[1] for name in KEYS for row in rows(name)} == there


def test_every_topic_and_request_stands_in_the_page(pages):
    """C5: as the one file declares them."""
    page = open(pages["culvert-bus.7"], encoding="utf-8").read()
    schema = open(os.path.join(TOP, "common/bus_schema.def"), encoding="utf-8").read()
    for topic in re.findall(r"^TOPIC\((\w+)", schema, re.M):
        assert ".It Ic %s\n" % topic in page
    for daemon, op in re.findall(r"^REQUEST\((\w+), (\w+)", schema, re.M):
        assert ".It Ic %s : %s\n" % (daemon, op) in page
    for record in re.findall(r"^RECORD_BEGIN\((\w+)", schema, re.M):
        assert ".It Em %s\n" % record in page


def test_mandoc_finds_nothing_in_them(pages):
    p = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages.values()], text=True, capture_output=True)
    assert p.stdout + p.stderr == "" and p.returncode == 0
