# SPDX-License-Identifier: GPL-3.0-or-later
"""O7: the man page names every option, configuration row, reason and alarm."""
import re

from support import ROOT

PAGE = (ROOT / "deploy/man/wgd.8").read_text()
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "wgd").glob("*.c")))


def test_page_names_every_row_and_option():
    rows = re.findall(r'\{ "wgd", "(\w+)"', SOURCES)
    options = re.findall(r'\{ \.name = "(\w+)"', SOURCES)
    assert rows and options
    assert [r for r in rows if ".It Ic %s\n" % r not in PAGE] == []
    assert [o for o in options if ".It Fl -%s Ns" % o not in PAGE] == []


def test_page_names_every_alarm_and_refusal():
    alarms = re.findall(r'_alarm\([^;]*?, "(\w+)",', SOURCES)
    refusals = re.findall(r'\[REFUSAL_\w+\] = "(\w+)"', SOURCES)
    silent = {"none", "no_device", "no_key", "grace_over"}  # no fault
    assert alarms and refusals
    assert [a for a in alarms if a not in PAGE] == []
    assert [r for r in refusals if r not in silent and ".It Li %s\n" % r not in PAGE] == []
