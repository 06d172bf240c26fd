# SPDX-License-Identifier: GPL-3.0-or-later
"""A change in Directus is in force on a device of the lab: at once by push, within the poll without (SPEC S3)."""
import json
import os
import pathlib
import tempfile
import time

import pytest
import realdirectus
from launcher.places import UIDS

from support.wait import wait_until

PORT = 8055
PUSH_S, POLL_S = 1.0, 35.0  # what SPEC asks; the test's own limits are 10 times that for push
HERE = pathlib.Path(__file__).resolve().parents[3]


def note(text):
    evidence = HERE / os.environ.get("B", "build") / "evidence"
    evidence.mkdir(exist_ok=True)
    with (evidence / "directus-device.log").open("a") as out:
        out.write(text + "\n")
    print(text)


class Device:
    """The lab's phone, and a Directus on its gateway's loopback, as K has it."""

    def __init__(self, lab, place):
        self.lab = lab
        self.directus = realdirectus.RealDirectus(place, PORT, lab.hosts["gw"])

    def blocked(self, name):
        return self.lab.dig("phone", name).addresses == ["0.0.0.0"]

    def is_listening(self):
        key = self.lab.redis("KEYS", "culvert:status:syncd:*")
        return json.loads(self.lab.redis("GET", key) or "{}").get("directus_push", {}).get("open")

    def seconds(self, change, name, blocked, limit):
        """From the change's return until the phone sees it."""
        change()
        began = time.monotonic()
        wait_until(lambda: self.blocked(name) == blocked, f"{name} blocked={blocked}", limit)
        return time.monotonic() - began


def make(new_lab, place, push):
    token = place / "directus-token"
    token.write_text(realdirectus.TOKEN + "\n")
    token.chmod(0o400)
    os.chown(token, UIDS["syncd"], UIDS["syncd"])
    return Device(new_lab(conf=f"[syncd]\ndirectus_url = http://127.0.0.1:{PORT}\ndirectus_token_file = {token}\n"
                               f"directus_push = {'yes' if push else 'no'}\n"), place)


@pytest.mark.parametrize("push", [True, False], ids=["push", "poll"])
def test_a_change_is_in_force_on_a_device(new_lab, place, push):
    device = make(new_lab, place, push)
    one = device.directus
    try:
        one.setup().start()
        one.make_schema()
        one.make_user(realdirectus.TOKEN)
        one.add("app_urls", {"urls": "first.plain.example"})
        try:
            wait_until(lambda: device.blocked("first.plain.example"), "the first entry", 60)
        except AssertionError as e:
            raise AssertionError(f"{e}; {device.lab.log('syncd')[-3000:]}") from None
        wait_until(lambda: not push or device.is_listening(), "subscribed", 90)
        limit = 10 * PUSH_S if push else 2 * POLL_S
        for n in range(3 if push else 1):
            name = f"n{n}.plain.example"
            key = []
            added = device.seconds(lambda: key.extend(one.add("app_urls", {"urls": name})), name, True, limit)
            gone = device.seconds(lambda: one.remove("app_urls", *key), name, False, limit)
            note(f"{'push' if push else 'poll'}: added {added:.2f} s, removed {gone:.2f} s until the phone's DNS"
                 f" says so (load {os.getloadavg()[0]:.0f})")
    finally:
        one.close()
