# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not Directus, or no longer: no secret is given away, nothing is opened, nothing stands still
(SPEC S1, S3, S6)."""
import itertools
import socket
import subprocess
import threading
import time

import directuslib
import pytest
import synclib

from support.wait import wait_until


class Raw(threading.Thread):
    """A server in Directus' place: each connection is answered by a function of its socket."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.heads = answer, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one):
        with one:
            try:
                self.heads.append(one.recv(65536).decode("latin-1"))
                self.answer(one)
            except OSError:
                pass


@pytest.fixture
def raw():
    made = []

    def make(answer):
        made.append(Raw(answer))
        return made[-1]
    yield make
    for one in made:
        one.socket.shutdown(socket.SHUT_RDWR)
        one.socket.close()


def give_word(policy, directus):
    directus.add("bad_words", {"word": "darn"})
    policy.start("directus_push = no\n")
    policy.wait("words", {"1": {"id": "1", "term": "darn"}})


def is_rows(path, collection):
    return path.startswith(f"/items/{collection}?") and "aggregate" not in path


def wait_alarm(gateway, text):
    wait_until(lambda: text in gateway.alarm()["detail"], text)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_the_token_does_not_follow_a_redirect(policy, gateway, raw, status):
    elsewhere = raw(lambda one: None)
    here = raw(lambda one: one.sendall(
        f"HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n".encode()))
    policy.directus = type("", (), {"url": f"http://127.0.0.1:{here.port}"})
    policy.start("directus_push = no\n")
    wait_alarm(gateway, f"http status {status[:3]}")
    assert here.heads and not elsewhere.heads


def test_an_expired_certificate_is_told_nothing(policy, gateway, place, dns):
    """Neither the token nor a question."""
    dns.names["lists.test"] = "127.0.0.1"
    web = synclib.Web(synclib.make_certificate(place, "ca", "lists.test", days=-1))
    policy.directus = type("", (), {"url": f"https://lists.test:{web.port}"})
    policy.start("directus_push = no\n")
    wait_alarm(gateway, "tls: ")
    assert not web.requests
    web.shutdown()
    web.server_close()


def test_an_answer_byte_by_byte_stops_nothing_else(policy, gateway, raw):
    ended = threading.Event()

    def drip(one):
        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not ended.is_set():
            one.sendall(b" ")
            time.sleep(0.01)
    slow = raw(drip)
    policy.directus = type("", (), {"url": f"http://127.0.0.1:{slow.port}"})
    gateway.syncd.write("one.txt", "||one.example^\n")
    gateway.sources(one="file:one.txt")
    policy.start("directus_push = no\n")
    wait_until(lambda: slow.heads, "asked")
    gateway.wait_blocked("one.example", {"one"})
    assert gateway.request("syncd.sync_now", list="one")["status"] == 0
    ended.set()


@pytest.mark.parametrize("key", [lambda n: n, lambda n: f"k{n % 7}", lambda n: f"{n:09}"],
                         ids=["numbers", "texts in a ring", "texts"])
def test_pages_without_an_end_are_left_and_the_rest_goes_on(policy, directus, gateway, key):
    give_word(policy, directus)
    numbers = itertools.count(1)

    def endless(method, path, body):
        if is_rows(path, "bad_words"):
            return {"data": [{"id": key(next(numbers)), "word": "x"} for _ in range(1000)]}
        return None
    directus.instead = endless
    directus.update("bad_words", 1, word="worse")
    policy.look()
    wait_alarm(gateway, "bad_words: far more rows come than are counted")
    name, = directus.add("mitm_ignore_domains", {"domain": "later.example"})
    policy.look()
    policy.wait("mitm_ignore", {str(name): {"id": str(name), "domain": "later.example"}})
    assert policy.records("words") == {"1": {"id": "1", "term": "darn"}}


@pytest.mark.parametrize("answer", [{"data": {}}, {"data": "x"}, {"data": 7}, {"data": [7]}, {"data": [[]]},
                                    {"data": [{"word": "x"}]}, {"data": [{"id": {}, "word": "x"}]}])
def test_rows_of_another_form_hold_up_no_other_collection(policy, directus, gateway, answer):
    give_word(policy, directus)
    directus.instead = lambda method, path, body: answer if is_rows(path, "bad_words") else None
    directus.update("bad_words", 1, word="worse")
    policy.look()
    wait_alarm(gateway, "bad_words: ")
    name, = directus.add("mitm_ignore_domains", {"domain": "later.example"})
    policy.look()
    policy.wait("mitm_ignore", {str(name): {"id": str(name), "domain": "later.example"}})
    assert policy.records("words") == {"1": {"id": "1", "term": "darn"}}
    directus.instead = None
    policy.look()
    policy.wait("words", {"1": {"id": "1", "term": "worse"}})


def test_a_list_that_is_too_large_holds_up_no_other_collection(policy, directus, gateway):
    give_word(policy, directus)
    gateway.syncd.stop()
    directus.add("gifs", *({"url": "x" * 65536} for _ in range(20)))
    policy.start("directus_push = no\nlist_max_mib = 1\ndirectus_page = 5\n")
    wait_alarm(gateway, "gifs: too large")
    directus.add("app_urls", {"urls": "app.example"})
    policy.look()
    gateway.wait_blocked("app.example", {"app_urls"})


@pytest.mark.parametrize("column", [b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_texts_that_are_no_utf8_reach_nobody(policy, directus, gateway, column):
    """Others that read the record could not: the policy would stand still."""
    give_word(policy, directus)
    rows = b'{"data":[{"id":1,"word":"darn"},{"id":2,"word":"' + column + b'"},{"id":3,"word":"drat"}]}'

    def instead(method, path, body):
        return (rows if "_gt" not in path else {"data": []}) if is_rows(path, "bad_words") else None
    directus.instead = instead
    directus.update("bad_words", 1, word="darn")
    asked = len(directus.asked("/items/bad_words?fields"))
    policy.look()
    wait_until(lambda: len(directus.asked("/items/bad_words?fields")) > asked + 1, "read")
    assert "2" not in policy.records("words")
    directus.instead = None
    directus.add("bad_words", {"word": "more"})
    policy.look()
    wait_until(lambda: "more" in {r["term"] for r in policy.records("words").values()}, "goes on")


def test_a_full_disk_stops_no_policy(policy, directus, gateway, place):
    """What is kept for the next start is told and kept later."""
    state = gateway.syncd.dir / "state"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs", state], check=True)
    try:
        (state / "syncd").mkdir()
        give_word(policy, directus)
        (state / "ballast").write_bytes(b"")
        with (state / "ballast").open("wb", buffering=0) as ballast:
            with pytest.raises(OSError):
                while True:
                    ballast.write(b"x" * 4096)
        directus.add("bad_words", *({"word": f"word{n}"} for n in range(300)))
        policy.look()
        wait_until(lambda: len(policy.records("words")) == 301, "in force")
        wait_until(lambda: "cannot be kept" in gateway.syncd.log(), "told")
        (state / "ballast").unlink()
        directus.remove("bad_words", *range(2, 302))
        policy.look()
        policy.wait("words", {"1": {"id": "1", "term": "darn"}})
    finally:
        gateway.syncd.stop()
        subprocess.run(["umount", "-l", state], check=True)


def test_changing_the_source_to_and_fro_makes_no_row_twice(gateway, directus, policy):
    for topic in directuslib.TOPICS:
        gateway.apid.replace(topic, {})
    gateway.apid.replace("settings", {"policy_source": {"id": "policy_source", "value": "directus"}})
    policy.start()
    policy.known()
    for n, word in enumerate(["local", "directus"] * 5):
        gen = gateway.apid.replace("settings", {"policy_source": {"id": "policy_source", "value": word}})
        if n == 9:  # topics come in no order: what is to be written must be changed when it is known whose word counts
            wait_until(lambda: gateway.redis.applied("syncd", "settings") >= gen, "whose word counts is known")
        gateway.apid.set("words", f"x{n}", {"id": f"x{n}", "term": f"word{n}"})
    gateway.apid.set("words", "last", {"id": "last", "term": "last"})

    def terms():
        with directus.lock:
            return sorted(r["word"] for r in directus.rows["bad_words"].values())
    wait_until(lambda: "last" in terms(), "written")
    assert len(terms()) == len(set(terms()))
    assert terms().count("word9") == 1
