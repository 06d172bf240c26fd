# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to fwd in dnsd's place: what dnsd tells of addresses it has answered or resolved."""
import json
import secrets

from support.wait import wait_until


class Feed:
    """send() comes back when the elements are in the kernel."""

    caller, op = "dnsd", "feed"

    def __init__(self, redis, user="root", password="root"):
        self.commands, self.replies = (redis.connect(user, password) for _ in range(2))
        self.channel = "culvert:reply:%s:%s" % (self.caller, secrets.token_hex(16))
        self.replies("SUBSCRIBE", self.channel)
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.commands.__exit__()
        self.replies.__exit__()

    def request(self, entries):
        return self.ask({"entries": entries})

    def ask(self, args):
        self.count += 1
        text = json.dumps({"v": 1, "id": str(self.count), "op": self.op, "args": args, "reply": self.channel})
        # A daemon that has just started may not listen yet.
        wait_until(lambda: self.commands("PUBLISH", "culvert:req:fwd:" + self.caller, text), "fwd to listen")
        reply = json.loads(self.replies.read()[2])
        assert reply["id"] == str(self.count), reply
        return reply

    def send(self, entries):
        reply = self.request(entries)
        assert reply["ok"], reply
        return reply["result"]


class Reach(Feed):
    """In proxyd's place: may a device go to an address whose name nobody can read?"""

    caller, op = "proxyd", "reach"

    def is_allowed(self, source, address):
        reply = self.ask({"source": source, "address": address})
        assert reply["ok"], reply
        return reply["result"]["allowed"]
