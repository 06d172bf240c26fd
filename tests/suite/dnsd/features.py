# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of dnsd's features share: fwd's place on the bus, listeners to events, requests in apid's name."""
import json
import secrets
import threading
import time

import dns.rcode

from support import events
from support.wait import wait_until


class FakeFwd:
    """Answers `feed` requests; keeps what it was told in `entries` as (kind, address, who). mute: says nothing;
    starting: takes nothing yet, and says so; refuses: addresses it does not take."""

    def __init__(self, redis):
        self.redis, self.entries, self.requests, self.removed = redis, {}, [], []
        self.mute, self.starting, self.refuses, self.delay_s = False, False, set(), 0
        self.listener, self.commands = redis.connect(), redis.connect()
        self.listener("SUBSCRIBE", "culvert:req:fwd:dnsd")
        self.listener.socket.settimeout(None)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        try:
            while True:
                message = json.loads(self.listener.read()[2])
                entries = message["args"]["entries"]
                self.requests.append(entries)
                if self.mute:
                    continue
                time.sleep(self.delay_s)
                if self.starting:
                    self.commands("PUBLISH", message["reply"], json.dumps(
                        {"id": message["id"], "ok": False, "error": {"code": "not_ready", "detail": ""}}))
                    continue
                refused = 0
                for e in entries:
                    key = (e["kind"], e["address"], e.get("device") or e.get("list") or "")
                    if e["address"] in self.refuses:
                        refused += 1
                    elif e.get("remove"):
                        self.entries.pop(key, None)
                        self.removed.append(key)
                    else:
                        self.entries[key] = e.get("ttl")
                self.commands("PUBLISH", message["reply"], json.dumps(
                    {"id": message["id"], "ok": True, "result": {"applied": len(entries) - refused,
                                                                 "refused": refused}}))
        except (OSError, ValueError):
            pass

    def say_started(self, uptime_s=0):
        text = json.dumps({"v": 1, "daemon": "fwd", "instance": "1", "at": int(time.time() * 1000),
                           "uptime_s": uptime_s})
        self.redis("PUBLISH", "culvert:status:fwd:1", text)  # the other connection is the thread's

    def close(self):
        self.listener.socket.shutdown(2)
        self.thread.join()


class Events(events.Events):
    """What dnsd says on one of its event channels."""

    def __init__(self, redis, kind):
        super().__init__(redis, "dnsd", kind)


def request(redis, op, args, daemon="dnsd", caller="apid"):
    """(ok, result or error)"""
    commands, replies = redis.connect(), redis.connect()
    channel = f"culvert:reply:{caller}:" + secrets.token_hex(16)
    replies("SUBSCRIBE", channel)
    text = json.dumps({"v": 1, "id": "1", "op": op, "args": args, "reply": channel})
    assert commands("PUBLISH", f"culvert:req:{daemon}:{caller}", text) == 1
    reply = json.loads(replies.read()[2])
    return reply["ok"], reply.get("result", reply.get("error"))


def sure(world, *what, **how):
    """An answer, as a resolver on a device gets it: a busy machine may take longer than 50 ms to confirm."""
    def answered():
        answer = world.ask(*what, **how)
        return answer if answer is not None and answer.rcode() != dns.rcode.SERVFAIL else None
    return wait_until(answered, what[0])


def device(name, address, **fields):
    return {"id": name, "active": True, "tunnel": "mitm", "addresses": [address], "profile": "internet", **fields}


def records(**rows):
    """dns_records: id=(name, type, value[, ttl])"""
    return {i: {"id": i, "name": r[0], "type": r[1], "value": r[2], **({"ttl": r[3]} if len(r) > 3 else {})}
            for i, r in rows.items()}
