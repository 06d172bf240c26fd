# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody on the bus who answers apid's requests in a daemon's place."""
import json
import threading


class Answerer:
    """Answers requests in a daemon's place: result is what it says, or a code when it is a text."""

    def __init__(self, redis, daemon, result):
        self.result, self.calls = result, []
        self.mouth, self.ear = redis.connect(), redis.connect()
        self.ear("SUBSCRIBE", f"culvert:req:{daemon}:apid")
        self.ear.socket.settimeout(None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                message = json.loads(self.ear.read()[2])
                self.calls.append((message["op"], message["args"]))
                good = not isinstance(self.result, str)
                said = {"result": self.result} if good else {"error": {"code": self.result, "detail": ""}}
                self.mouth("PUBLISH", message["reply"], json.dumps({"v": 1, "id": message["id"], "ok": good, **said}))
        except (OSError, ValueError):
            pass

    def close(self):
        self.ear.socket.shutdown(2)
        self.thread.join()
