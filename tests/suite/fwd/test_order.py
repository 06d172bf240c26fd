# SPDX-License-Identifier: GPL-3.0-or-later
"""F1: the order in which what belongs together gets into force, told by nf_tables itself."""
from support.wait import wait_until
from world import PYTHON

# What is told of nf_tables' transactions (linux/netfilter/nfnetlink.h, nf_tables.h): a line an object, `kind name`.
EVENTS = r"""
import socket, struct
ADD_MEMBERSHIP, RCVBUFFORCE, NETLINK_NETFILTER, GROUP, SUBSYSTEM = 1, 33, 12, 7, 10
KINDS = {0: ("table", 1), 2: ("table-", 1), 3: ("chain", 3), 6: ("rule", 2), 12: ("element", 2), 15: ("generation", 1)}
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
s.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 1 << 24)
s.bind((0, 0))
s.setsockopt(270, ADD_MEMBERSHIP, GROUP)
def text(message, wanted):
    at = 20
    while at + 4 <= len(message):
        size, kind = struct.unpack_from("HH", message, at)
        if kind & 0x3fff == wanted:
            return message[at + 4:at + size].rstrip(b"\0").decode("latin-1")
        at += size + 3 & ~3
while True:
    data, at = s.recv(1 << 20), 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("IH", data, at)
        if kind >> 8 == SUBSYSTEM and kind & 255 in KINDS:
            word, attribute = KINDS[kind & 255]
            print(word, "-" if word == "generation" else text(data[at:at + size], attribute), flush=True)
        at += size + 3 & ~3
"""


def transactions(world, log, change):
    """What each transaction of the change added, in order: sets of (kind, name)."""
    def mark(name):
        world.nft("add", "table", "inet", name)
        world.nft("delete", "table", "inet", name)
        return "table- " + name in log.read_text()

    with log.open("w") as out:
        listener = world.gw.start(PYTHON, "-c", EVENTS, stdout=out)
    try:
        wait_until(lambda: mark("before"), "the listener")
        change()
        wait_until(lambda: mark("behind"), "all of it")
    finally:
        listener.kill()
        listener.wait()
    text = log.read_text().rsplit("table- before\n", 1)[1].split("table behind")[0]
    blocks = [{tuple(line.split()) for line in block.splitlines()} for block in text.split("generation -\n")]
    return [block for block in blocks if block]


def test_rules_come_before_what_leads_to_them_and_an_epoch_last(world, place):
    """F1: a packet that is on its way when a transaction gets into force goes on by the rules of before, and finds the
    elements of after. A mask's chain without rules yet would let it pass; a new epoch would keep what it began open."""
    def set_pref():
        # The gateway is a new one: no device had these lists before.
        world.owner.set("device_prefs", {"device:full": {"id": "device:full", "lists_off": ["games"]}})
        world.wait_applied("device_prefs")

    def first(has):
        return next(i for i, block in enumerate(seen) if any(has(*line) for line in block))

    seen = transactions(world, place / "events", set_pref)
    chain = first(lambda kind, name: kind == "rule" and name.startswith("mask_"))
    mark = first(lambda kind, name: (kind, name) == ("element", "devices4"))
    epoch = first(lambda kind, name: (kind, name) == ("element", "epoch"))
    assert chain < mark < epoch, seen
    assert "element" not in {kind for kind, _ in seen[chain]}, seen
