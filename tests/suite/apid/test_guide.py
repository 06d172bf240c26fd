# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy/doc/api.md, as somebody types it: each command, and each answer that it shows."""
import json
import re
import subprocess

import pytest

from support import ROOT

GUIDE = (ROOT / "deploy/doc/api.md").read_text()
BLOCKS = re.findall(r"^```(sh|json)\n(.*?)^```$", GUIDE, re.M | re.S)
MARK = "\x1e"


@pytest.fixture
def apid(new_apid):
    """As nobody has set it up."""
    return new_apid


def typed(place, apid):
    """What each block of commands wrote, in their order. Stops at the first command that fails."""
    values = {"CULVERT": f"https://127.0.0.1:{apid.admin_port}", "CA": str(apid.dir / "state/apid/admin-ca.pem"),
              "LINK": apid.setup_token()}
    first, *others = [text for kind, text in BLOCKS if kind == "sh"]
    for name, value in values.items():
        first, replaced = re.subn(rf"^{name}=.*$", f"{name}={value}", first, flags=re.M)
        assert replaced == 1
    script = "set -e -o pipefail\n" + f"printf '{MARK}'\n".join([first, *others])
    done = subprocess.run(["bash"], input=script, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout[-500:], done.stderr)
    return done.stdout.split(MARK)


def last_json(text):
    value, text = None, text.strip()
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        text = text[end:].lstrip()
    return value


def test_the_commands_answer_what_the_guide_says(apid, place, answer):
    answer("dnsd", {"steps": [], "verdict": "allow"})
    answer("proxyd", {"steps": [], "verdict": "allow"})
    outputs = iter(typed(place, apid))
    output, shown = None, 0
    for kind, text in BLOCKS:
        if kind == "sh":
            output = next(outputs)
            continue
        got, wanted = last_json(output), json.loads(text)
        assert {k: "…" if v == "…" else got.get(k) for k, v in wanted.items()} == wanted, (text, output)
        assert set(wanted) <= set(got), (text, output)
        shown += 1
    assert shown > 12 and next(outputs, None) is None
