# SPDX-License-Identifier: GPL-3.0-or-later
"""O7, F1: the man page names every mark, configuration row, reason, alarm, profile and option."""
import re

from support import ROOT

PAGE = (ROOT / "deploy/man/fwd.8").read_text()
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "fwd").glob("*.[ch]")))
MARKS = (ROOT / "fwd/marks.h").read_text()


def test_page_has_the_table_of_marks():
    """The one table stands in the header; each of its lines and names is here."""
    table = re.findall(r"^ \*   (0x[0-9a-f]{8})", MARKS, re.M)
    shown = re.findall(r"^\.It Li (0x[0-9a-f]{8})$", PAGE, re.M)
    assert len(table) > 10 and shown == table
    for name, value in re.findall(r"\b((?:CT_)?MARK_\w+) = (0x[0-9a-f]{8}),", MARKS):
        if value in table and name != "MARK_ALL":
            assert ".It Li %s\n%s:" % (value, name) in PAGE


def test_page_names_every_row_and_option():
    rows = re.findall(r'\{ "fwd", "(\w+)"', SOURCES)
    options = re.findall(r'^\t\t\{ "(\w+)", "[A-Z]', SOURCES, re.M)
    assert len(rows) > 5 and options == ["dump"]
    assert [r for r in rows if ".It Ic %s\n" % r not in PAGE] == []
    assert [o for o in options if ".It Fl -%s\n" % o not in PAGE] == []


def test_page_names_every_reason_alarm_and_profile():
    reasons = re.findall(r'\[REASON_\w+\] = "(\w+)"', SOURCES)[1:]
    alarms = set(re.findall(r'fwd_alarm\([^;]*?, "(\w+)",', SOURCES))
    assert len(reasons) > 15 and len(alarms) > 5
    assert [r for r in reasons if ".It Li %s\n" % r not in PAGE] == []
    assert [a for a in alarms if ".Li %s" % a not in PAGE] == []
    assert [p for p in ("walled", "full", "internet", "intranet") if ".It Li %s\n" % p not in PAGE] == []
