# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium driven by playwright-core (npm)."""
import json
import pathlib
import queue
import shutil
import subprocess
import threading

import pytest

from .npm import install
from .wait import wait_until

HERE = pathlib.Path(__file__).parent / "playwright"
DEADLINE_S = 90


class Browser:
    """popen: in place of subprocess.Popen, to run in another host. args: more of Chromium's own."""

    def __init__(self, popen=subprocess.Popen, args=()):
        executable = shutil.which("chromium")
        if not executable:
            pytest.fail("chromium is not installed: deploy/deps test")
        argv = ["node", str(HERE / "driver.js"), str(install("playwright"))]
        self.process = popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.serial, self.answers = 0, queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.version = self.ask("launch", executable=executable, args=list(args))

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(json.loads(line))
        self.answers.put(None)

    def ask(self, op, **params):
        self.serial += 1
        self.process.stdin.write(json.dumps({"id": self.serial, "op": op, **params}) + "\n")
        self.process.stdin.flush()
        answer = self.answers.get(timeout=DEADLINE_S)
        assert answer is not None, "the browser's driver has ended"
        assert answer["id"] == self.serial
        assert "error" not in answer, answer["error"]
        return answer.get("result")

    def page(self, width=1440, height=900, theme="dark", **more):
        """more: what Playwright's newContext takes."""
        return Page(self, self.ask("new_page", viewport={"width": width, "height": height}, colorScheme=theme, **more))

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)


class Page:
    """Methods are those of Playwright's page: page.click("role=button[name='Save']"), page.keyboard_press("Tab")
    is keyboard.press."""

    def __init__(self, browser, number):
        self.browser, self.number = browser, number

    def call(self, method, *args):
        return self.browser.ask("call", page=self.number, method=method, args=list(args))

    def __getattr__(self, name):
        for part in ("keyboard", "mouse", "context"):
            if name.startswith(part + "_"):
                name = "%s.%s" % (part, name[len(part) + 1:])
        return lambda *args: self.call(name, *args)

    def wait(self, expression, seconds=30):
        """Until the expression of JavaScript is true. (The pages' policy forbids Playwright's own way.)"""
        wait_until(lambda: self.call("evaluate", expression), expression, seconds)

    def text(self, selector="body"):
        return self.call("innerText", selector)

    def see(self, text):
        """Waits for a text that is shown."""
        self.call("waitForSelector", "text=%s >> visible=true" % text)

    def said(self):
        return self.browser.ask("said", page=self.number)

    def download(self, selector, file):
        return self.browser.ask("download", page=self.number, selector=selector, file=str(file))

    def devtools(self, method, **params):
        """A command of the DevTools protocol: page.devtools("Performance.getMetrics")."""
        return self.browser.ask("cdp", page=self.number, method=method, params=params)

    def close(self):
        self.browser.ask("close_page", page=self.number)
