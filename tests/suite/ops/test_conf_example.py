# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy/culvert.conf.example says of every key what the daemons' tables say, and they take it."""
import os
import re
import subprocess

import pytest

from lablib import DAEMONS, TOP, Places

PATH = os.path.join(TOP, "deploy", "culvert.conf.example")
SECRETS = "/etc/culvert/secrets"
# Each has a section; `path` is proxyd --path.
SECTIONS = DAEMONS + ("path",)


def argv(section):
    program = os.path.join(Places().build, "bin")
    return [program + "/proxyd", "--path"] if section == "path" else [program + "/" + section]


ROW = re.compile(r'\{\s*(?:\.section = )?(?:"(\w+)"|CONF_OWN_SECTION),\s*(?:\.key = )?"(\w+)",\s*'
                 r'(?:\.type = )?CONF_\w+,\s*(?:\.offset = )?AT\(\w+\),\s*(?:\.def = )?'
                 r'(?:"([^"]*)"|NULL)')


def example():
    with open(PATH, encoding="utf-8") as src:
        return src.read()


def table_rows():
    """(section, key) -> default of the C tables; the empty string where there is none."""
    rows = {}
    for file in ["common/conf_shared.c"] + [part + "/conf.c" for part in DAEMONS]:
        with open(os.path.join(TOP, file), encoding="utf-8") as src:
            found = ROW.findall(src.read())
        assert found, file
        for section, key, default in found:
            for name in [section] if section else SECTIONS:
                rows[name, key] = default
    return rows


def example_rows():
    rows, section = {}, None
    lines = example().splitlines()
    for above, line in zip([""] + lines, lines):
        head = re.fullmatch(r"\[(\w+)[^]]*\]", line)
        row = re.fullmatch(r"#?(\w+) =(?: (.*))?", line)
        if head:
            section = head.group(1)
        elif row:
            assert above.startswith("# "), "%s is not explained" % line
            assert (section, row.group(1)) not in rows, "%s stands twice" % line
            rows[section, row.group(1)] = row.group(2) or ""
    return rows


def test_every_key_stands_there_with_its_default():
    table, found = table_rows(), example_rows()
    assert sorted(found) == sorted(table)
    assert {k: v for k, v in found.items() if table[k]} == {k: v for k, v in table.items() if v}


@pytest.mark.parametrize("every_key", [False, True], ids=["as it is", "with every key"])
@pytest.mark.parametrize("daemon", SECTIONS)
def test_daemon_takes_it(daemon, every_key, tmp_path):
    for name in ["redis-" + other for other in SECTIONS] + ["api-key", "db-apid", "apid-secret", "turn", "metrics-token",
                                                            "directus-webhook", "notify-webhook", "notify-smtp"]:
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o400)
    text = example().replace(SECRETS, str(tmp_path))
    if every_key:
        text = re.sub(r"^#(?=\w+ = )", "", text, flags=re.M)
    config = tmp_path / "culvert.conf"
    config.write_text(text)
    done = subprocess.run([*argv(daemon), "-c", str(config), "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("daemon", SECTIONS)
def test_a_missing_secret_is_what_a_daemon_names(daemon, tmp_path):
    config = tmp_path / "culvert.conf"
    config.write_text(example().replace(SECRETS, str(tmp_path)))
    done = subprocess.run([*argv(daemon), "-c", str(config), "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode != 0 and "redis_password_file" in done.stderr, done.stderr
