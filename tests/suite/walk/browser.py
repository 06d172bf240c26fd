# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium in a host of the lab, driven over its debugging pipe."""
import base64
import fcntl
import json
import os
import select
import subprocess
import time

from support.wait import wait_until

SIZES = {390: 844, 1280: 800}  # a phone's and a desktop's viewport
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe")
PROXY = ("--proxy-server=http://10.9.0.1:8080",)
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40, "ArrowUp": 38}
DEADLINE_S = 60


def _pipe():
    """A pipe whose ends are clear of the numbers that Chromium gets it under."""
    ends = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in ends]
    for fd in ends:
        os.close(fd)
    return high


class Browser:
    """home: an empty directory that becomes the user's. ca: a PEM file that the user trusts, None: no
    one. lab: has popen and env. proxy: the flags that lead to the proxy."""

    def __init__(self, lab, host, home, ca, proxy=PROXY):
        self.home, self.serial, self.pending = str(home), 0, b""
        if ca:
            self._trust(ca)
        to_read, self.out = _pipe()
        self.inp, to_write = _pipe()
        with open(os.path.join(self.home, "chromium.log"), "wb") as log:
            # The pipe's ends are 3 and 4 for Chromium.
            self.process = lab.popen(
                host, "/bin/bash", "-c", 'exec "$@" 3<&%d 4>&%d' % (to_read, to_write), "sh",
                "chromium", *FLAGS, *proxy, "--user-data-dir=" + self.home + "/profile", "about:blank",
                env=dict(lab.env, HOME=self.home), pass_fds=(to_read, to_write),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(to_read)
        os.close(to_write)
        pages = wait_until(self._pages, "Chromium's first page", DEADLINE_S)
        self.session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"],
                                 flatten=True)["sessionId"]

    def _pages(self):
        return [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]

    def _trust(self, ca):
        store = os.path.join(self.home, ".pki", "nssdb")
        os.makedirs(store)
        for argv in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "Culvert", "-i", ca]):
            subprocess.run(["certutil", "-d", "sql:" + store, *argv], check=True,
                           stdin=subprocess.DEVNULL)

    def close(self):
        """Asked to end, Chromium removes its temporary files."""
        try:
            self.call("Browser.close")
            self.process.wait(DEADLINE_S)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.inp)

    def _message(self, deadline):
        while b"\0" not in self.pending:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.inp], [], [], left)[0], "Chromium is silent"
            data = os.read(self.inp, 1 << 20)
            assert data, "Chromium has ended"
            self.pending += data
        text, _, self.pending = self.pending.partition(b"\0")
        return json.loads(text)

    def call(self, method, session=None, **params):
        """One command's result; events that come before it are dropped."""
        self.serial += 1
        message = {"id": self.serial, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE_S
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self.serial:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def page(self, method, **params):
        return self.call(method, self.session, **params)

    def value(self, expression):
        return self.page("Runtime.evaluate", expression=expression,
                         returnByValue=True)["result"].get("value")

    def open(self, url, width=1280, dark=False):
        """Loads url to the end; gives Chromium's word for a failure, or None."""
        self.page("Emulation.setDeviceMetricsOverride", width=width, height=SIZES[width],
                  deviceScaleFactor=1, mobile=width < 600)
        self.page("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        error = self.page("Page.navigate", url=url).get("errorText")
        deadline = time.monotonic() + DEADLINE_S
        while not self._is_true("document.readyState === 'complete'"):
            assert time.monotonic() < deadline, url
            time.sleep(0.01)
        return error

    def key(self, key, text="", **more):
        """Pressed and let go, as by a finger."""
        fields = {"key": key, "code": more.pop("code", key), "windowsVirtualKeyCode": KEYS.get(key, 0), **more}
        self.page("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **fields)
        self.page("Input.dispatchKeyEvent", type="keyUp", **fields)

    def wait(self, expression):
        """Until the expression is true, also over loads of pages."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._is_true(expression):
            assert time.monotonic() < deadline, (expression, self.value("document.body.innerText"))
            time.sleep(0.01)

    def _is_true(self, expression):
        try:
            return self.value(expression)
        except AssertionError:  # between two pages there is nothing to ask
            return False

    def screenshot(self, path, whole=False):
        """whole: also what is below the fold."""
        data = self.page("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(data))
