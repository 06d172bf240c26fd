# SPDX-License-Identifier: GPL-3.0-or-later
"""What Chromium's own trace says that a page costs, in CPU time: other programs on the machine do not count."""
import bisect
import collections
import contextlib
import json
import os
import tempfile

CATEGORIES = ["-*", "toplevel", "devtools.timeline", "cc"]
TASK, FRAME = "ThreadControllerImpl::RunTask", "ProxyMain::BeginMainFrame"


class Cost:
    """frames: CPU milliseconds of the page's thread from one frame to the next. tasks: of each task. processes: all
    threads' together, the drawing of pixels included."""

    def __init__(self, events):
        of = collections.defaultdict(list)
        for event in events:
            if event["name"] in (TASK, FRAME) and "tdur" in event:
                of[event["pid"], event["tid"], event["name"]].append((event["ts"], event["tdur"] / 1000))
        mains = {key[:2]: len(found) for key, found in of.items() if key[2] == FRAME}
        assert mains, "the page drew nothing"
        main = max(mains, key=mains.get)
        frames = sorted(ts for ts, _ in of[(*main, FRAME)])
        tasks = of[(*main, TASK)]
        self.frames, self.tasks = [0.0] * len(frames), sorted(cost for _, cost in tasks)
        for ts, cost in tasks:
            self.frames[max(0, bisect.bisect(frames, ts + cost * 1000) - 1)] += cost
        self.frames.sort()
        self.processes = sum(cost for key, found in of.items() if key[2] == TASK for _, cost in found)

    def frame(self, part):
        """The cost that this part of the frames (0.5, 0.95) stays below."""
        return self.frames[min(len(self.frames) - 1, int(part * len(self.frames)))]


@contextlib.contextmanager
def traced(page):
    """with traced(page) as found: … → found.cost is there afterwards."""
    found = type("Found", (), {})()
    page.browser.ask("trace", page=page.number, categories=CATEGORIES)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        try:
            yield found
        finally:
            page.browser.ask("trace_end", file=file.name)
        with open(file.name, encoding="utf-8") as text:
            events = json.load(text)
    found.cost = Cost(events["traceEvents"] if isinstance(events, dict) else events)
    keep = os.environ.get("TRACE_KEEP")
    if keep:
        with open(keep, "w", encoding="utf-8") as out:
            json.dump(events, out)
