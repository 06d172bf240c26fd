# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps that pin their server's certificate pass undecrypted once they have shown it, where nothing is filtered
(SPEC P14, P5)."""
import json
import ssl
import subprocess
import time

import pytest
from proxylib import BUILDS, SITE, World
from support.clock import Clock
from support.process import Daemon
from support.wait import wait_until

TOPIC = "culvert:state:pinned:proxyd"
WRONG_KEY = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class PinnedWorld(World):
    port, settled = 8080, 0

    def connect(self, who="internet", to=None):
        return super().connect(who, to or ("10.9.0.1", self.port))

    def names(self, **more):
        super().names(**more)
        for i in range(80):
            self.dns.names["e%d.settled.example" % i] = [SITE]
            for kind in "abcd":
                self.dns.names["%s%d.test.example" % (kind, i)] = [SITE]

    def publish_first(self):
        super().publish_first()
        # Where nothing is ever filtered.
        self.set("categories", {"id": "plain", "name": "Plain", "visibility": "public", "default": "allow"})
        self.set("websites", {**self.website("settled.example", "plain"), "words": "show", "images": "show"})

    def pins(self):
        """In force: id → record."""
        flat = self.redis("HGETALL", TOPIC)
        records = {k: json.loads(v) for k, v in zip(flat[::2], flat[1::2])}
        return {k: r for k, r in records.items() if not r.get("revoked")}

    def refuse(self, host="s1.test.example", who="internet", times=1):
        """As an app that knows its server's authority and no other: an alert."""
        for _ in range(times):
            with pytest.raises(ssl.SSLCertVerificationError):
                self.secure_to(host, who, ca=self.dir / "internet.pem")

    def passes(self, host="s1.test.example", who="internet"):
        """The certificate is the server's own."""
        try:
            with self.secure_to(host, who, ca=self.dir / "internet.pem") as c:
                return c.ask("GET", "/", host).status == 200
        except ssl.SSLCertVerificationError:
            return False

    def wait_pin(self, host="s1.test.example", who="internet"):
        wait_until(lambda: f"{host}@{who}" in self.pins(), "a pass-through for %s@%s" % (host, who))

    def settle(self):
        """Whatever was told of refusals until now has been counted: one that is, of another name, behind them."""
        self.settled += 1
        self.refuse("e%d.settled.example" % self.settled, "passing", 3)
        self.wait_pin("e%d.settled.example" % self.settled, "passing")

    def unpin(self, name):
        return self.apid_request("proxyd", "unpin", id=name)

    def apid_request(self, daemon, op, **args):
        reply = "culvert:reply:apid:test"
        with self.redis.connect() as listener, self.redis.connect() as caller:
            listener("SUBSCRIBE", reply)
            caller("PUBLISH", f"culvert:req:{daemon}:apid",
                   json.dumps({"v": 1, "id": "1", "op": op, "args": args, "reply": reply}))
            return json.loads(listener.read()[2])

    def configure(self, *lines, env=None):
        """From the next start on."""
        self.proxyd.stop()
        self.conf.write_text(self.conf.read_text() + "\n".join(lines) + "\n")
        self.start_proxyd(env=env)
        # It has a policy before it hears anybody, itself too.
        wait_until(lambda: self.redis("PUBSUB", "NUMSUB", "culvert:event:proxyd:refusal")[1], "proxyd on the bus")

    def wait_followed(self):
        """Until proxyd has heard from Redis what it has published, and writes that to its disk when it ends."""
        self.wait_applied("pinned", json.loads(self.redis("HGET", "culvert:gens:proxyd", "pinned"))["gen"], "proxyd")


def _world():
    one = PinnedWorld()
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture(scope="module")
def world():
    yield from _world()


@pytest.fixture
def new_world():
    yield from _world()


@pytest.fixture(scope="module", params=BUILDS, ids=[b.name for b in BUILDS])
def build(world, request):
    if request.param != BUILDS[0]:
        world.use_build(request.param)
    return request.param


# ---- real clients ----

def _curl_pinned(w, host):
    done = w.curl("--pinnedpubkey", WRONG_KEY, f"https://{host}/")
    assert done.returncode == 90, done.stderr  # CURLE_SSL_PINNEDPUBKEYNOTMATCH


def _curl_foreign(w, host):
    done = w.curl("--cacert", str(w.dir / "internet.pem"), f"https://{host}/")
    assert done.returncode == 60, done.stderr  # CURLE_PEER_FAILED_VERIFICATION


def _python(w, host):
    w.refuse(host)


def _s_client(w, host):
    done = subprocess.run(w.client.argv(
        "openssl", "s_client", "-proxy", "10.9.0.1:8080", "-bind", "10.9.0.3:0", "-connect", f"{host}:443",
        "-servername", host, "-CAfile", str(w.dir / "internet.pem"), "-verify_return_error"),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and b"verify error" in done.stderr, done


CLIENTS = {"curl-pinnedpubkey": _curl_pinned, "curl-cacert": _curl_foreign, "python": _python, "s_client": _s_client}


@pytest.mark.parametrize("name", CLIENTS)
def test_real_pinned_client_is_learned(world, build, name):
    number = list(CLIENTS).index(name) + 10 * BUILDS.index(build)
    host, other = ["s%d.test.example" % (number + more) for more in (10, 30)]
    for _ in range(6 if name == "curl-pinnedpubkey" else 3):  # it says nothing, which counts half
        assert f"{host}@internet" not in world.pins()
        CLIENTS[name](world, host)
    world.wait_pin(host)
    assert world.passes(host)
    assert world.pins()[f"{host}@internet"]["count"] == 3
    # Nobody else's, and no other name.
    assert not world.passes(host, "full") and not world.passes(other)


# ---- what counts ----

def test_a_pass_through_is_told_and_lasts_a_day(world):
    with world.redis.connect() as listener:
        listener("SUBSCRIBE", "culvert:event:proxyd:pinned")
        world.refuse("a1.test.example", "full", 3)
        told = []
        while not told:
            told = [r for r in json.loads(listener.read()[2])["batch"] if r["name"] == "a1.test.example"]
    assert [(r["device"], r["count"]) for r in told] == [("full", 3)]
    assert 86300 < told[0]["until"] / 1000 - time.time() <= 86400
    world.wait_pin("a1.test.example", "full")
    assert world.pins()["a1.test.example@full"] == told[0]
    assert wait_until(lambda: world.status().get("pinned_made", 0) >= 1, "in the status")


def test_what_is_tried_at_once_is_one_refusal(world):
    """The many connections of one page."""
    tries = [world.tunnel("a2.test.example:443", "full")[0] for _ in range(6)]
    context = ssl.create_default_context(cafile=str(world.dir / "internet.pem"))
    for c in tries:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(c.socket, server_hostname="a2.test.example")
    world.settle()
    assert "a2.test.example@full" not in world.pins()
    world.refuse("a2.test.example", "full", 2)
    world.wait_pin("a2.test.example", "full")


def _hang_up(w, host, who="full"):
    """After the server's flight, without a word."""
    c, _ = w.tunnel(host + ":443", who)
    context = ssl.create_default_context(cafile=str(w.root))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    c.send(outgoing.read())
    assert c.socket.recv(1) == b"\x16"
    c.close()


def test_hanging_up_on_the_certificate_counts(world):
    for _ in range(5):
        _hang_up(world, "a3.test.example")
    world.settle()
    assert "a3.test.example@full" not in world.pins()  # but half
    _hang_up(world, "a3.test.example")
    world.wait_pin("a3.test.example", "full")


def test_hanging_up_counts_no_more_once_something_was_asked_for(world):
    """A page that was left early, and the browser that trusts the gateway."""
    for _ in range(5):
        _hang_up(world, "a4.test.example")
    world.settle()
    assert world.get_secure("https://a4.test.example/", "full").status == 200
    world.settle()
    for _ in range(5):
        _hang_up(world, "a4.test.example")
    world.settle()
    assert "a4.test.example@full" not in world.pins()


def test_an_idle_connection_of_a_browser_is_no_refusal(world):
    """Kept ready, and given up later than anybody takes to look at a key."""
    kept = [world.secure_to("a5.test.example", "full") for _ in range(6)]
    time.sleep(2.2)  # it is time that tells them
    for c in kept:
        c.close()
    world.settle()
    assert "a5.test.example@full" not in world.pins()


def test_other_alerts_say_nothing_of_the_certificate(world):
    """TLS 1.0 alone: no common version."""
    for _ in range(4):
        c, _ = world.tunnel("a6.test.example:443", "full")
        context = ssl.create_default_context(cafile=str(world.root))
        context.set_ciphers("RSA:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(c.socket, server_hostname="a6.test.example")
    world.settle()
    assert "a6.test.example@full" not in world.pins()


# ---- never ----

def _never(w, host, who="internet"):
    for _ in range(4):
        try:
            with pytest.raises(ssl.SSLCertVerificationError):
                w.secure_to(host, who, ca=w.dir / "internet.pem")
        except OSError:
            pass
    w.settle()
    assert f"{host}@{who}" not in w.pins()
    return True


def _pinned(w, host, who="internet"):
    w.refuse(host, who, 3)
    w.wait_pin(host, who)
    assert w.passes(host, who)


@pytest.mark.parametrize("host", ["blocked.example", "unknown.example", "ads.listed.example"])
def test_never_what_is_blocked(world, host):
    assert _never(world, host)


def test_never_a_search_engine(world):
    world.dns.names["duckduckgo.com"] = world.dns.names["allowed.example"]
    world.wait_applied("websites", world.set("websites", world.website("duckduckgo.com", "education")))
    assert _never(world, "duckduckgo.com")


def test_unknown_that_passes_is_learned(world):
    _pinned(world, "unknown.example", "passing")


def test_words_that_are_filtered_end_it(world):
    """And while they are, none is learned."""
    _pinned(world, "b1.test.example")
    world.change("words", {"id": "w", "term": "forbidden", "match": "exact"})
    assert not world.passes("b1.test.example") and _never(world, "b2.test.example")
    world.wait_applied("words", world.publish("words", []))
    assert world.passes("b1.test.example")


def test_images_that_are_hidden_end_it(world):
    _pinned(world, "b3.test.example")
    world.change("categories", {"id": "education", "name": "Education", "visibility": "public", "default": "allow",
                                "images": "hide"})
    assert not world.passes("b3.test.example") and _never(world, "b4.test.example")
    world.change("categories", {"id": "education", "name": "Education", "visibility": "public", "default": "allow"})
    assert world.passes("b3.test.example")


def test_a_rule_for_a_path_there_ends_it(world):
    """What may be seen is not told by the name."""
    _pinned(world, "b5.test.example")
    rule = {**world.website("b5.test.example/casino", "gambling", "startswith")}
    world.wait_applied("websites", world.set("websites", rule))
    assert not world.passes("b5.test.example")
    assert world.get_secure("https://b5.test.example/casino").status == 451


def test_a_block_ends_it_and_what_is_open(world):
    """F9: live connections are cut."""
    _pinned(world, "b6.test.example")
    with world.secure_to("b6.test.example", ca=world.dir / "internet.pem") as c:
        assert c.ask("GET", "/", "b6.test.example").status == 200
        world.change("site_overrides", {"id": "b6", "device": "internet", "pattern": "b6.test.example",
                                        "match": "exact", "action": "block"})
        assert c.is_closed()
    assert world.get_secure("https://b6.test.example/").status == 451


def test_another_name_within_is_refused(world):
    """What passes is a hello for the name that was pinned."""
    _pinned(world, "b7.test.example")
    with pytest.raises((OSError, EOFError)):
        world.secure_to("b7.test.example", sni="allowed.example", ca=world.dir / "internet.pem")


# ---- ends ----

def test_a_revoked_one_is_over_at_once_and_is_not_learned_again(world):
    _pinned(world, "c1.test.example")
    with world.secure_to("c1.test.example", ca=world.dir / "internet.pem") as c:
        assert c.ask("GET", "/", "c1.test.example").status == 200
        assert world.unpin("c1.test.example@internet")["ok"]
        assert c.is_closed()
    assert "c1.test.example@internet" not in world.pins()
    assert not world.passes("c1.test.example") and _never(world, "c1.test.example")
    assert world.unpin("c1.test.example@internet")["error"]["code"] == "unknown"


def _tell(w, *names, who="internet"):
    """Refusals as another process of proxyd would tell them."""
    now = int(time.time() * 1000)
    batch = [{"device": who, "name": name, "began": now + 10 * i, "ended": now + 10 * i + 1, "alert": True}
             for name in names for i in range(3)]
    w.redis("PUBLISH", "culvert:event:proxyd:refusal", json.dumps({"v": 1, "batch": batch}))


def test_a_device_has_no_more_than_64(world):
    def count():
        return sum(k.endswith("@intranet") for k in world.pins())
    for i in range(70):
        _tell(world, "d%d.test.example" % i, who="intranet")
    wait_until(lambda: world.status().get("pinned_lacked_room", 0) >= 1, "no room")
    assert count() <= 64
    # Others have theirs.
    world.refuse("d70.test.example", "full", 3)
    world.wait_pin("d70.test.example", "full")


def test_a_pass_through_ends_by_itself(new_world):
    w = new_world
    clock = Clock(w.dir)
    w.configure("pinned_s = 600", env=clock.options["env"])
    w.refuse(times=3)
    w.wait_pin()
    with w.secure_to("s1.test.example", ca=w.dir / "internet.pem") as c:
        assert c.ask("GET", "/", "s1.test.example").status == 200
        clock.set(601)
        assert c.is_closed()  # what is open ends with it
    wait_until(lambda: not w.pins(), "none left")
    assert not w.passes()


def test_pass_throughs_outlive_a_restart_and_redis(new_world):
    w = new_world
    w.refuse(times=3)
    w.wait_pin()
    record = w.pins()
    w.wait_followed()
    w.proxyd.stop()
    w.start_proxyd()
    assert w.passes() and w.pins() == record
    w.proxyd.stop()
    w.redis.kill()
    w.start_proxyd()
    assert w.passes()


def test_what_redis_lost_is_published_again(new_world):
    w = new_world
    w.refuse(times=3)
    w.wait_pin()
    record = w.pins()
    w.wait_followed()
    w.proxyd.stop()
    w.redis("FLUSHALL")
    w.start_proxyd()
    wait_until(lambda: w.pins() == record, "published")


def test_no_pass_through_where_they_are_switched_off(new_world):
    w = new_world
    w.refuse(times=3)
    w.wait_pin()
    w.configure("pinned_after = 0")
    w.refuse("s2.test.example", times=4)
    assert not w.passes() and "s2.test.example@internet" not in w.pins()


def test_of_two_processes_the_one_with_the_lock_writes(new_world):
    """The other tells it what it saw, and follows; when the first is gone it takes its place."""
    w = new_world
    conf = w.dir / "second.conf"
    text = w.conf.read_text()
    for key, value in {"instance": 2, "port": 8081, "http_port": 0, "tls_port": 0, "portal_http_port": 0,
                       "portal_https_port": 0}.items():
        text += f"{key} = {value}\n"
    conf.write_text(text)
    second = Daemon("proxyd", conf, w.dir / "second.log", w.gw)
    wait_until(lambda: w.redis("HGET", "culvert:gens:proxyd", "pinned"), "an owner")
    second.start()
    try:
        wait_until(lambda: json.loads(w.redis("GET", "culvert:status:proxyd:2") or "{}").get("applied", {}).get(
            "webset:syncd"), "the second has the policy")
        first_port, w.port = w.port, 8081
        w.refuse(times=3)
        w.wait_pin()
        assert "pass-through made" in w.proxyd.log() and "pass-through made" not in second.log()
        wait_until(lambda: w.passes(who="internet"), "the second follows")
        w.proxyd.stop()
        w.refuse("s2.test.example", "full", 3)
        w.wait_pin("s2.test.example", "full")
        assert "s1.test.example@internet" in w.pins()
        w.port = first_port
    finally:
        second.stop()


# ---- what was passed through, and let through what is filtered ----

def test_a_path_that_a_list_has_there_ends_it(world):
    """A device whose list blocks a part of a website could have that part by refusing the certificate."""
    assert world.get_secure("https://s3.test.example/bad/x").status == 451
    assert _never(world, "s3.test.example")
    # Only for who has the list.
    world.change("device_prefs", {"id": "device:full", "lists_off": ["adblock"]})
    _pinned(world, "s3.test.example", "full")
    world.change("device_prefs", {"id": "device:full"})
    assert not world.passes("s3.test.example", "full")


@pytest.mark.parametrize("host", ["dns.google", "cloudflare-ech.com"])
def test_never_what_hides_other_names(world, host):
    """Undecrypted, queries to a resolver and hidden names would not be seen (P3, P15)."""
    world.dns.names[host] = [SITE]
    assert _never(world, host, "passing")


def test_http_in_connect_is_judged_under_a_name_that_passes(world):
    """P1: what is no TLS takes the normal path; a page's ws: and a plain request came to nothing."""
    _pinned(world, "b8.test.example")
    done = world.curl("--proxytunnel", "http://b8.test.example/")
    assert done.returncode == 0, done.stderr


def test_the_end_of_a_temporary_unblock_ends_it_and_what_is_open(world):
    host = "blocked.example"
    override = {"id": "b9", "device": "internet", "pattern": host, "match": "exact", "action": "allow"}
    world.change("site_overrides", {**override, "until": int(time.time() * 1000) + 600000})
    _pinned(world, host)
    with world.secure_to(host, ca=world.dir / "internet.pem") as c:
        assert c.ask("GET", "/", host).status == 200
        world.change("site_overrides", {**override, "until": int(time.time() * 1000) + 500})
        assert c.is_closed()
    assert world.get_secure(f"https://{host}/").status == 451


@pytest.mark.parametrize("change", [{"images": "hide"}, {"active": False}])
def test_a_change_of_the_device_ends_it_and_what_is_open(world, change):
    host = "b1%d.test.example" % len(change.get("images", ""))
    _pinned(world, host, "full")
    with world.secure_to(host, "full", ca=world.dir / "internet.pem") as c:
        assert c.ask("GET", "/", host).status == 200
        world.change("devices", {**world.device("full"), **change})
        assert c.is_closed()
    world.change("devices", world.device("full"))
    assert world.passes(host, "full")


@pytest.mark.parametrize("target,sni", [("B20.Test.EXAMPLE.:443", "b20.test.example"),
                                        ("b20.test.example:443", "B20.TEST.example")])
def test_a_name_is_the_same_however_it_is_written(world, target, sni):
    if "b20.test.example@internet" not in world.pins():
        _pinned(world, "b20.test.example")
    c, _ = world.tunnel(target)
    context = ssl.create_default_context(cafile=str(world.dir / "internet.pem"))
    with context.wrap_socket(c.socket, server_hostname=sni) as s:
        assert s.version()
