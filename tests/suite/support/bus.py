# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else is on the bus: topics that the test publishes, and daemons that are nothing but their bus."""
import json
import queue
import secrets
import subprocess
import threading
import time

from . import BUILD, DEADLINE_S
from .wait import wait_until


class Owner:
    """Publishes topics in apid's (or another owner's) place, as DESIGN 4 says; each change gives its
    generation."""

    def __init__(self, redis, topics, owner="apid"):
        """The topics begin empty."""
        self.redis, self.owner = redis.connect(), owner
        self.epoch, self.gen = secrets.token_hex(16), 0
        self.stamps, self.records = {}, {}
        self.redis("SET", f"culvert:epoch:{owner}", self.epoch)
        for topic in topics:
            self.replace(topic, {})

    def _key(self, topic):
        return f"culvert:state:{topic}:{self.owner}"

    def _publish(self, topic, *commands, **fields):
        self.gen += 1
        previous = self.stamps.get(topic)
        now = {"gen": self.gen, "wid": secrets.token_hex(16)}
        self.stamps[topic] = {**now, "full": self.gen if "full" in fields else previous["full"]}
        message = {"v": 1, "epoch": self.epoch, "prev": previous, **now, **fields}
        for command in [("MULTI",), *commands, ("SET", f"culvert:gen:{self.owner}", self.gen),
                        ("HSET", f"culvert:gens:{self.owner}", topic, json.dumps(self.stamps[topic])),
                        ("PUBLISH", self._key(topic), json.dumps(message)), ("EXEC",)]:
            self.redis(*command)
        return self.gen

    def replace(self, topic, records):
        self.records[topic] = dict(records)
        sets = [("HSET", self._key(topic), i, json.dumps(r)) for i, r in records.items()]
        return self._publish(topic, ("DEL", self._key(topic)), *sets, full=True)

    def set(self, topic, records):
        self.records[topic].update(records)
        sets = [("HSET", self._key(topic), i, json.dumps(r)) for i, r in records.items()]
        return self._publish(topic, *sets, **{"set": records, "del": []})

    def remove(self, topic, name):
        del self.records[topic][name]
        return self._publish(topic, ("HDEL", self._key(topic), name), **{"set": {}, "del": [name]})


class Probe:
    """A bus-probe process: commands in, events out."""

    def __init__(self, daemon, server, directory, instance="1", password=None, sub=None, sentinels=()):
        self.daemon = daemon
        self.dir = directory / (sub or daemon)
        (self.dir / "state").mkdir(parents=True, exist_ok=True)
        (self.dir / "cache").mkdir(exist_ok=True)
        command = [BUILD / "bin/bus-probe", daemon, server, self.dir / "state", self.dir / "cache", instance,
                   password or f"secret-{daemon}", *sentinels]
        self.log = self.dir / f"log-{instance}"
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log.open("a"), text=True, bufsize=1)
        self.events = queue.Queue()
        self.seen = []
        self.records = {}
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def do(self, what, **args):
        self.process.stdin.write(json.dumps({"do": what, **args}) + "\n")
        self.process.stdin.flush()

    def _note(self, e):
        if e["ev"] == "record":
            key = f'{e["topic"]}:{e["owner"]}'
            here = self.records.setdefault(key, {})
            if e["rec"] is None:
                here.pop(e["id"], None)
            else:
                here[e["id"]] = e["rec"]
        self.seen.append(e)
        return e

    def wait(self, ev, timeout=DEADLINE_S, **match):
        """The next event of that kind whose members match."""
        until = time.monotonic() + timeout
        while True:
            try:
                e = self._note(self.events.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"{self.daemon}: no {ev} {match}; log:\n{self.text()[-3000:]}") from None
            if e["ev"] == ev and all(e.get(k) == v for k, v in match.items()):
                return e

    def ask(self, what, answer, **args):
        self.do(what, **args)
        return self.wait(answer)

    def drain(self):
        """Everything that happened until now."""
        start = len(self.seen)
        self.do("ping", tag="drain")
        self.wait("pong", tag="drain")
        return self.seen[start:-1]

    def flush(self, topic):
        self.do("flush", topic=topic, tag=topic)
        e = self.wait("flushed", tag=topic)
        assert e["status"] == 0
        return e["gen"]

    def replace(self, topic, records):
        """Published; its generation."""
        self.do("replace", topic=topic, records=records)
        return self.flush(topic)

    def set(self, topic, name, record):
        self.do("set", topic=topic, id=name, record=record)
        return self.flush(topic)

    def subscribe(self, topic, owner):
        self.do("subscribe", topic=topic, owner=owner)

    def wait_gen(self, topic, owner, gen):
        """Until the mirror is at that generation, from Redis."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            f = self.ask("find", "find", topic=topic, owner=owner, id="")
            if f["gen"] == gen and f["current"]:
                return f
            try:
                self._note(self.events.get(timeout=0.2))
            except queue.Empty:
                pass
        raise AssertionError(f"{self.daemon}: {topic} is not at {gen} but {f}; log:\n{self.text()[-3000:]}")

    def wait_log(self, text, seconds=DEADLINE_S):
        try:
            wait_until(lambda: text in self.text(), text, seconds)
        except AssertionError:
            raise AssertionError(f"no {text!r} in:\n{self.text()[-3000:]}") from None

    def text(self):
        return self.log.read_text()

    def quit(self):
        """A clean end: no handle left, nothing for the sanitizer to say."""
        if self.process.poll() is None:
            try:
                self.do("quit")
            except BrokenPipeError:
                pass
        status = self.process.wait(timeout=DEADLINE_S)
        assert status == 0, f"{self.daemon} ended with {status}:\n{self.text()[-4000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()
