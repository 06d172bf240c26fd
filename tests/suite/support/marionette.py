# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Firefox by its own remote protocol, Marionette: what Playwright speaks to it, this Firefox does not know."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from . import DEADLINE_S
from .net import free_port
from .wait import wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
NOT_YET = ("stale element reference", "element click intercepted", "element not interactable")
PREFS = {"marionette.port": None, "browser.shell.checkDefaultBrowser": False, "app.update.enabled": False,
         "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.reportingpolicy.firstRun": False,
         "browser.aboutwelcome.enabled": False, "network.captive-portal-service.enabled": False,
         "network.connectivity-service.enabled": False, "ui.prefersReducedMotion": 1}


class Firefox:
    def __init__(self):
        if not shutil.which("firefox-esr"):
            pytest.fail("firefox-esr is not installed: deploy/deps test")
        self.home = tempfile.TemporaryDirectory(prefix="cvff")
        profile = pathlib.Path(self.home.name) / "profile"
        profile.mkdir()
        port = free_port()
        (profile / "user.js").write_text("".join("user_pref(%s, %s);\n" % (json.dumps(k), json.dumps(port if v is None else v))
                                                 for k, v in PREFS.items()))
        self.process = subprocess.Popen(
            ["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", str(profile)],
            env={**os.environ, "HOME": self.home.name, "MOZ_HEADLESS": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.socket = wait_until(lambda: self._connect(port), "Firefox listens", 2 * DEADLINE_S)
        self.serial, self.pending = 0, b""
        self._read()  # its greeting
        self.call("WebDriver:NewSession", acceptInsecureCerts=True)

    @staticmethod
    def _connect(port):
        try:
            return socket.create_connection(("127.0.0.1", port), 3 * DEADLINE_S)
        except OSError:
            return None

    def _read(self):
        while b":" not in self.pending:
            self._more()
        size, _, self.pending = self.pending.partition(b":")
        while len(self.pending) < int(size):
            self._more()
        text, self.pending = self.pending[:int(size)], self.pending[int(size):]
        return json.loads(text)

    def _more(self):
        data = self.socket.recv(1 << 16)
        assert data, "Firefox has ended"
        self.pending += data

    def _say(self, command, **params):
        self.serial += 1
        text = json.dumps([0, self.serial, command, params]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        return self._read()[2:]

    def call(self, command, **params):
        error, result = self._say(command, **params)
        assert not error, (command, error)
        return result

    def goto(self, url):
        self.call("WebDriver:Navigate", url=url)

    def run(self, script):
        """What the expression of JavaScript is."""
        return self.call("WebDriver:ExecuteScript", script="return " + script, args=[], sandbox="test")["value"]

    def wait(self, script, seconds=2 * DEADLINE_S):
        return wait_until(lambda: self.run(script), script, seconds)

    def _find(self, selector):
        self.wait("!!document.querySelector(%s)" % json.dumps(selector))
        return self.call("WebDriver:FindElement", using="css selector", value=selector)["value"][ELEMENT]

    def _do(self, command, selector, **params):
        """To the element, as soon as it can be done: a page may draw it anew after it was found."""
        def is_done():
            error, _ = self._say(command, id=self._find(selector), **params)
            assert not error or error["error"] in NOT_YET, (command, error)
            return not error
        wait_until(is_done, "%s %s" % (command, selector))

    def click(self, selector):
        self._do("WebDriver:ElementClick", selector)

    def type(self, selector, text):
        """"\\ue007" is Enter."""
        self._do("WebDriver:ElementSendKeys", selector, text=text)

    def close(self):
        self.socket.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.home.cleanup()
