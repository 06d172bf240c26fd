# SPDX-License-Identifier: GPL-3.0-or-later
"""`make up` and `make down` (O2, DESIGN 9), on a machine in a namespace."""
import json
import os
import re
import shlex
import shutil

import pytest

from lablib import TOP
from support.wait import wait_until
from uplib import KEPT, MACHINE, Machine, Phone


def readme():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as src:
        return src.read()


COMMANDS = re.findall(r"^    (make (?:up|down))$", readme(), re.M)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    one = Machine(tmp_path_factory.mktemp("machine"))
    yield one
    one.close()


class Up:
    """What make up printed."""

    def __init__(self, machine):
        self.before = machine.forwarding()
        done = machine.run(*shlex.split(COMMANDS[0]))
        assert done.returncode == 0, done.stdout
        self.text = done.stdout
        self.rows = dict(re.findall(r"^  (\S.{0,16}?) {2,}(\S.*)$", done.stdout, re.M))
        self.config = self.rows["Sample device"].split()[0]


@pytest.fixture(scope="module")
def up(machine):
    return Up(machine)


@pytest.fixture(scope="module")
def phone(machine, up):
    return Phone(machine, up.config)


def one_line(done):
    return [line for line in done.stdout.splitlines() if not line.startswith("make: ***")]


# ---- before there is a gateway ----

def test_readme_needs_two_commands():
    assert COMMANDS == ["make up", "make down"]


def test_down_without_a_gateway_says_so(machine):
    done = machine.make("down")
    assert (done.returncode, done.stdout) == (0, "culvert: not up\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_without_root_one_line_says_so(machine, command):
    done = machine.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--",
                       *shlex.split(command))
    assert done.returncode != 0
    assert re.fullmatch(r"[^\n]*\*\*\* %s needs root[^\n]*\n" % command, done.stdout)


def test_launcher_without_root_one_line_says_so(machine):
    """From where anybody may read: this clone may lie below a private directory."""
    copy = machine.land.in_run("readable", "launcher")
    shutil.copytree(os.path.join(TOP, "deploy", "launcher"), copy)
    done = machine.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--",
                       "/usr/bin/python3", copy, "up")
    assert (done.returncode, done.stdout) == (1, "culvert: needs root\n")


def test_without_a_default_route_the_lab_is_offered(machine):
    machine.set_uplink(False)
    try:
        done = machine.make("up")
    finally:
        machine.set_uplink(True)
    assert done.returncode != 0
    assert len(one_line(done)) == 1 and "no uplink" in done.stdout and "tests/lab up" in done.stdout
    assert machine.traces() == []


def test_without_internet_the_lab_is_offered_and_all_is_removed(machine):
    machine.run("ip", "route", "add", "prohibit", "1.1.1.1")
    machine.run("ip", "route", "add", "prohibit", "1.0.0.1")
    before = machine.forwarding()
    try:
        done = machine.make("up")
    finally:
        machine.run("ip", "route", "del", "prohibit", "1.1.1.1")
        machine.run("ip", "route", "del", "prohibit", "1.0.0.1")
    assert done.returncode != 0
    assert "no Internet" in done.stdout and "tests/lab up" in done.stdout, done.stdout
    assert machine.traces() == []
    assert machine.forwarding() == before


def test_a_firewall_of_the_machine_that_drops_what_is_forwarded_is_named(machine):
    machine.host.run(["nft", "-f", "-"], text="table ip other {\n chain f {\n type filter hook "
                     "forward priority 1; policy drop;\n }\n}\n")
    try:
        done = machine.make("up")
    finally:
        machine.run("nft", "delete", "table", "ip", "other")
    assert done.returncode != 0 and "another firewall" in done.stdout, done.stdout
    assert machine.traces() == []


def test_a_host_that_is_none_is_refused(machine):
    done = machine.make("up", "HOST=a b")
    assert done.returncode != 0 and "is no host name" in done.stdout, done.stdout
    assert machine.traces() == []


def test_a_table_of_that_name_is_refused_and_left(machine):
    machine.run("nft", "add", "table", "inet", "culvert_up")
    done = machine.make("up")
    assert done.returncode != 0 and len(one_line(done)) == 1
    assert "table inet culvert_up already" in done.stdout
    assert machine.traces() == ["table inet culvert_up"]
    assert machine.make("down").returncode == 0
    assert machine.traces() == []


def test_a_port_in_use_is_named(machine):
    other = machine.host.popen(["nc", "-u", "-l", "-p", "51820"], stdin=-1)
    try:
        wait_until(lambda: ":51820 " in machine.run("ss", "-Hlun").stdout)
        done = machine.make("up")
    finally:
        other.kill()
        other.wait()
    assert done.returncode != 0 and "UDP port 51820 is in use" in done.stdout
    assert machine.traces() == []


# ---- the gateway ----

def test_up_prints_where_everything_is(machine, up):
    assert machine.setting("endpoint") == MACHINE
    assert up.rows["Tunnel"].startswith(MACHINE + ", UDP port 51820")
    assert up.rows["Explicit proxy"].startswith("http://10.9.0.1:8080")
    assert up.rows["Stop"] == "make down"
    for row in ("CA to install", "API key file", "Policy", "Logs"):
        assert machine.run("test", "-r", up.rows[row]).returncode == 0, row
    assert "\u2588" in up.text  # the QR code
    traces = machine.traces()
    assert {"table inet culvert_up", "culvert-up"} <= set(traces) and len(traces) > 10, traces


def test_secrets_are_not_printed_and_not_readable(machine, up):
    private = re.search(r"PrivateKey = (\S+)", machine.host.run(["cat", up.config])).group(1)
    key = machine.host.run(["cat", up.rows["API key file"]]).strip()
    assert private not in up.text and key not in up.text
    for path in (up.config, up.rows["API key file"]):
        assert machine.host.run(["stat", "-c", "%a", path]).strip() in ("400", "600")


def test_up_twice_is_refused(machine, up):
    done = machine.make("up")
    assert done.returncode != 0 and one_line(done) == ["culvert: already up. make down stops it"]
    assert machine.run("pgrep", "-f", "/run/culvert-up/bin/dnsd").returncode == 0


def test_https_is_judged_in_the_path(machine, up):
    """P20: where it can be it is."""
    wait_until(lambda: "reading queue=" in machine.host.run(["cat", up.rows["Logs"] + "/path.log"]), "the reader", 30)


def test_the_sample_device_has_a_tunnel(phone):
    wait_until(phone.has_handshake, "handshake", 30)


def test_the_sample_device_resolves(machine, phone):
    """D1: over DNS over TLS, with the CAs that the machine has. D13: no IPv6 uplink, no AAAA."""
    wait_until(lambda: phone.resolve("example.com") == ["93.184.216.40"], "an answer", 60)
    assert phone.resolve("example.com", "AAAA") == []
    with open(machine.land.log("inet-dns"), encoding="ascii") as src:
        queries = [json.loads(line) for line in src]
    assert {(q["src"], q["transport"]) for q in queries if q["name"] == "example.com"} == {
        (MACHINE, "dot")}


def test_a_listed_name_is_blocked(phone):
    assert wait_until(lambda: phone.resolve("example.net") == ["0.0.0.0"], "list in force", 60)


def test_the_sample_device_reaches_the_internet(phone):
    assert phone.curl("http://example.com/", "--noproxy", "*")[:2] == (0, 200)
    assert phone.curl("http://unknown.example/", "--noproxy", "*")[:2] == (0, 200)


def test_the_explicit_proxy_loads_and_blocks(machine, up, phone):
    """P1, P5, P7: an allowed category loads, a blocked one shows its page under Culvert's CA, a site
    that nobody has reviewed passes as the sample policy says."""
    proxy = up.rows["Explicit proxy"].split()[0]
    ca = machine.land.in_run("culvert-ca.pem")
    with open(ca, "w", encoding="ascii") as out:
        out.write(machine.host.run(["cat", up.rows["CA to install"]]))
        with open(machine.land.in_run("etc", "internet-ca.pem"), encoding="ascii") as src:
            out.write(src.read())
    options = ("--proxy", proxy, "--cacert", ca)
    for scheme in ("http", "https"):
        exit_status, status, body = phone.curl(scheme + "://example.com/", *options)
        assert (exit_status, status) == (0, 200) and "example.com" in body, body
        exit_status, status, body = phone.curl(scheme + "://example.org/", *options)
        assert (exit_status, status) == (0, 451) and "Gambling" in body, body
        assert phone.curl(scheme + "://unknown.example/", *options)[:2] == (0, 200)


def test_the_set_up_page_is_served_in_its_languages(up, phone):
    """P8, P19."""
    page = up.rows["Set-up page"].split()[0]
    for language, title in (("en", "Set Up This Device"), ("de-DE", "Dieses Gerät einrichten")):
        exit_status, status, body = phone.curl(page, "-H", "Accept-Language: " + language)
        assert (exit_status, status) == (0, 200) and "<h1>%s</h1>" % title in body, body


def test_the_provisioning_api_serves_the_machine_and_nobody_else(machine, up, phone):
    url = up.rows["Provisioning API"].split()[0]
    done = machine.run("curl", "-sS", "--noproxy", "*", url)
    assert '"ok"' in done.stdout, done.stdout
    assert phone.curl(url, "--noproxy", "*", "--max-time", "3")[1] == 0
    inside = re.search(r"//([\d.]+):", url).group(1)
    machine.inet.run(["ip", "route", "add", inside, "via", MACHINE])
    try:
        done = machine.inet.run(["curl", "-sS", "--noproxy", "*", "--max-time", "3", url],
                                check=False)
    finally:
        machine.inet.run(["ip", "route", "del", inside])
    assert done == ""


def test_the_setup_link_makes_the_first_account(machine, up):
    url, ca = re.fullmatch(r"(https://\S+) \(certificate: (\S+)\)", up.rows["Administration"]).groups()
    link = up.rows["Setup link"].split()[0]
    assert link.startswith(url + "/setup/cvs_") and url == "https://%s:8443" % MACHINE
    ask = ["curl", "-sS", "--noproxy", "*", "--cacert", ca]
    assert "<form" in machine.host.run([*ask, "-H", "Accept: text/html", link])
    ask += ["-H", "Content-Type: application/json", "-d",
            json.dumps({"user": "anna", "password": "correct horse battery"}), link]
    assert json.loads(machine.host.run(ask))["role"] == "owner"
    assert json.loads(machine.host.run(ask))["status"] == 410


def test_the_administration_is_reached_from_elsewhere_under_the_printed_address(machine, up):
    url, ca = re.match(r"(\S+) \(certificate: (\S+)\)", up.rows["Administration"]).groups()
    copy = machine.land.in_run("admin-ca.pem")
    with open(copy, "w", encoding="ascii") as out:
        out.write(machine.host.run(["cat", ca]))
    assert json.loads(machine.inet.run(["curl", "-sS", "--noproxy", "*", "--cacert", copy, url + "/auth/me"]))[
        "status"] == 401


def test_the_gateway_does_not_reach_into_the_machine(machine, up):
    server = machine.host.popen(["nc", "-l", "-p", "7777"], stdin=-1)
    try:
        wait_until(lambda: ":7777 " in machine.run("ss", "-Hltn").stdout)
        outside = re.search(r"via ([\d.]+)", machine.run(
            "python3", "deploy/launcher", "exec", "ip", "route", "show", "default").stdout)
        for address in (outside.group(1), MACHINE):
            done = machine.run("python3", "deploy/launcher", "exec", "nc", "-z", "-w", "2",
                               address, "7777")
            assert done.returncode != 0, address
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()


def test_the_machine_forwards_nothing_else(machine, up):
    """ip_forward is on for the gateway alone: the phone's other packets are not routed."""
    assert machine.run("sysctl", "-n", "net.ipv4.ip_forward").stdout == "1\n"
    machine.host.run(["ip", "link", "add", "other", "type", "veth", "peer", "name", "end"])
    try:
        ip = ["ip", "-batch", "-"]
        machine.host.run(ip, text="address add 10.55.0.1/24 dev other\nlink set other up\n"
                         "link set end up\n")
        machine.inet.run(["ip", "route", "add", "10.55.0.0/24", "via", MACHINE])
        machine.inet.run(["ping", "-c1", "-W5", "10.55.0.1"])
        machine.inet.run(["ping", "-c1", "-W1", "10.55.0.77"], check=False)
        rules = machine.run("nft", "list", "chain", "inet", "culvert_up", "forward").stdout
        assert "meta nfproto ipv4 drop" in rules
        neighbours = machine.run("ip", "neigh", "show", "dev", "other").stdout
        assert "10.55.0.77" not in neighbours
    finally:
        machine.inet.run(["ip", "route", "del", "10.55.0.0/24"], check=False)
        machine.host.run(["ip", "link", "del", "other"])


def test_down_leaves_no_trace_and_up_finds_all_again(machine, up, phone):
    """The device that scanned the code, the CA and the API key outlive down; HOST is the endpoint."""
    def kept():
        return [machine.host.run(["cat", path]) for path in (
            up.config, up.rows["CA to install"], up.rows["API key file"])]
    before = kept()
    done = machine.run(*shlex.split(COMMANDS[1]))
    assert done.returncode == 0 and "ended with status" not in done.stdout, done.stdout
    assert KEPT in done.stdout
    assert machine.traces() == []
    assert machine.forwarding() == up.before
    done = machine.make("up", "HOST=gateway.example")
    assert done.returncode == 0, done.stdout
    assert "gateway.example, UDP port 51820" in done.stdout
    url, ca = re.search(r"Administration +(\S+) \(certificate: (\S+)\)", done.stdout).groups()
    assert url == "https://gateway.example:8443"
    assert json.loads(machine.host.run([
        "curl", "-sS", "--noproxy", "*", "--cacert", ca, "--resolve", "gateway.example:8443:" + MACHINE,
        url + "/auth/me"]))["status"] == 401
    assert machine.setting("endpoint") == "gateway.example"
    after = kept()
    assert after[1:] == before[1:]
    assert after[0] == before[0].replace("Endpoint = %s:" % MACHINE, "Endpoint = gateway.example:")
    phone.reconnect()
    assert wait_until(lambda: phone.resolve("example.com") == ["93.184.216.40"], "tunnel again", 60)
    assert machine.make("down").returncode == 0
    assert machine.traces() == []


def test_a_daemon_that_cannot_start_is_told_and_all_is_removed(machine, up):
    """Comes after down: the state of before is there."""
    path = KEPT + "/policy/culvert.conf"
    text = machine.host.run(["cat", path])
    machine.host.run(["tee", path], text="[dnsd]\nno_such_key = 1\n")
    before = machine.forwarding()
    done = machine.make("up")
    machine.host.run(["tee", path], text=text)
    assert done.returncode != 0
    assert "dnsd ended with status 1" in done.stdout and "no_such_key" in done.stdout, done.stdout
    assert machine.traces() == []
    assert machine.forwarding() == before
