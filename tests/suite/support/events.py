# SPDX-License-Identifier: GPL-3.0-or-later
"""A listener to one of a daemon's event channels."""
import json
import threading

from support.wait import wait_until


class Events:
    """What a daemon says on one of its event channels, in `seen`."""

    def __init__(self, redis, daemon, kind):
        self.client = redis.connect()
        self.seen = []
        self.client("SUBSCRIBE", f"culvert:event:{daemon}:{kind}")
        self.client.socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                self.seen += json.loads(self.client.read()[2])["batch"]
        except (OSError, ValueError):
            pass

    def wait(self, test, what="an event"):
        return wait_until(lambda: next((e for e in self.seen if test(e)), None), what)

    def close(self):
        self.client.socket.shutdown(2)
