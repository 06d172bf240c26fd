# SPDX-License-Identifier: GPL-3.0-or-later
"""README's part about the administration's API, as somebody types it."""
import json
import re
import subprocess

from apidlib import API_KEY, KEYS, OWNER, PASSWORD, started
from support import ROOT

README = (ROOT / "README.md").read_text()
API = README[README.index("## The administration's API"):]
API = API[:API.index("\n## ", 1)]
COMMANDS = re.findall(r"^    (.+)$", API, re.M)


def typed(place, command, **values):
    """The answer of a command, with what a reader puts in the place of words in capitals and of ellipses."""
    for word, value in values.items():
        command = command.replace(word, value)
    done = subprocess.run(["bash", "-c", f"shopt -s expand_aliases\n{COMMANDS[0].replace('CERTIFICATE', values['CA'])}\n"
                           + command], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_the_commands_do_what_they_say(make_apid, wgd, place):
    apid = started(make_apid, "", has_owner=False)
    values = {"ADDRESS:8443": f"127.0.0.1:{apid.admin_port}", "CA": str(apid.dir / "state/apid/admin-ca.pem"),
              "cvs_…": apid.setup_token(), '"anna", "password": "…"': f'"{OWNER}", "password": "{PASSWORD}"'}
    setup, device, enrolment = COMMANDS[1:]
    account = typed(place, setup, **values)
    assert account["role"] == "owner"
    values["X-CSRF-Token: …"] = "X-CSRF-Token: " + account["csrf"]
    made = typed(place, device, **values)
    assert made["name"] == "Tablet"
    assert "/enrol/" in typed(place, enrolment, **{**values, "/ID/": f"/{made['id']}/"})["url"]


def test_the_provisioning_call_is_answered(apid):
    command = re.search(r"^    (curl -H \"x-api-key:.*?})'$", README, re.M | re.S).group(0)
    command = re.sub(r"\$\(cat \S+\)", API_KEY, command).replace("http://10.213.0.2:8000/", f"http://127.0.0.1:{apid.port}/")
    done = subprocess.run(["bash", "-c", command.replace("…", KEYS[0])], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"status": "success"}, done
    assert "laptop" in apid.state("devices")
