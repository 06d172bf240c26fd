# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixed load at 70 % of what this machine carries, for a while: memory and descriptors stay flat, latency does not grow."""
import json
import os
import statistics
import subprocess

from lablib import DAEMONS
from launcher.process import Process

PART = 0.7
SLACK_KIB = 4096  # of noise: pages that were never touched before


def _run(lab, rate, seconds, on_second=None):
    argv = ["/usr/bin/python3", os.path.join(os.path.dirname(__file__), "soaker.py"), str(rate), str(seconds), lab._both_cas()]
    process = lab.popen("phone", *argv, stdout=subprocess.PIPE, text=True)
    lines = []
    try:
        for line in process.stdout:
            lines.append(json.loads(line))
            if on_second:
                on_second()
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
    return lines


def _usage(lab, name):
    """(resident KiB, descriptors)."""
    pid = Process(lab.hosts["gw"], name).pid()
    with open("/proc/%d/statm" % pid, encoding="ascii") as src:
        return int(src.read().split()[1]) * 4, len(os.listdir("/proc/%d/fd" % pid))


class Soak:
    def __init__(self, lab):
        self.lab, self.samples = lab, {name: [] for name in DAEMONS}
        self.lines, self.capacity = [], 0

    def _sample(self):
        for name in DAEMONS:
            self.samples[name].append(_usage(self.lab, name))

    def run(self, seconds, warm_s):
        """warm_s: as much as can be; its rate is the capacity."""
        warm = _run(self.lab, 0, warm_s)
        self.capacity = statistics.median(line["done"] for line in warm)
        self.lines = _run(self.lab, PART * self.capacity, seconds, self._sample)

    def tenths(self, values):
        size = max(1, len(values) // 10)
        return [statistics.median(values[n:n + size]) for n in range(0, len(values) - size + 1, size)]

    def thirds(self, values):
        n = max(1, len(values) // 3)
        return statistics.median(values[:n]), statistics.median(values[-n:])

    def check(self):
        """AssertionError when something grows. A third against another, since a machine has its moods."""
        for name, samples in self.samples.items():
            first, last = self.thirds([kib for kib, _ in samples])
            # A sanitizer keeps what was freed.
            assert "asan" in self.lab.places.build or last <= first * 1.1 + SLACK_KIB, "%s: %d KiB, later %d" % (name, first, last)
            first, last = self.thirds([n for _, n in samples])
            assert last <= first * 1.5 + 50, "%s: %d descriptors, later %d" % (name, first, last)
        first, last = self.thirds([line["p50_ms"] for line in self.lines])
        assert last <= 10 * first, "p50 %.1f ms, later %.1f" % (first, last)
        wrong, done = sum(line["wrong"] for line in self.lines), sum(line["done"] for line in self.lines)
        assert wrong <= done / 1000, "%d of %d went wrong: %s" % (wrong, done, [l["why"] for l in self.lines if l["why"]][-1:])

    def report(self):
        done = sum(line["done"] for line in self.lines)
        yield "%d s of mixed load, %.0f actions a second, %d %% of the %.0f that this machine carries; %d done, %d wrong" % (
            len(self.lines), PART * self.capacity, PART * 100, self.capacity, done, sum(l["wrong"] for l in self.lines))
        for what in ("p50_ms", "p99_ms"):
            yield "%s: %.1f in the first third, %.1f in the last" % (what, *self.thirds([l[what] for l in self.lines]))
        for name, samples in self.samples.items():
            resident = [kib for kib, _ in samples]
            yield "%-8s %7d KiB, later %7d; descriptors %4d, later %4d; KiB by tenths of the time: %s" % (
                name, *self.thirds(resident), *self.thirds([n for _, n in samples]), " ".join("%d" % kib for kib in self.tenths(resident)))
