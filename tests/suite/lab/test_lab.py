# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself (DESIGN 8), without the daemons."""
import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from culvertlab import clients
from culvertlab.places import LabError
from launcher.network import set_sysctls
from lablib import LAB, TOP, Lab, site_addresses
from support.wait import wait_until

CF = "1.1.1.1"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A lab without daemons."""
    one = Lab(tmp_path_factory.mktemp("bare") / "lab", LAB_DAEMONS="")
    one.up()
    yield one
    one.down()


def traces(one):
    """What a lab has left on the machine."""
    found = [pid for pid in os.listdir("/proc") if pid.isdigit() and
             one.places.run in read("/proc/%s/cmdline" % pid) + read("/proc/%s/mountinfo" % pid)]
    if one.places.run in read("/proc/self/mountinfo"):
        found.append("mount")
    if os.path.exists(one.places.run):
        found.append(one.places.run)
    return found


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as src:
            return src.read()
    except OSError:
        return ""


def test_status_tells_up_from_down(bare, tmp_path):
    assert bare.command("status", check=False).returncode == 0
    other = Lab(tmp_path / "other")
    assert other.command("status", check=False).returncode == 1


def test_up_twice_is_harmless(bare):
    before = bare.hosts["gw"].pid()
    bare.up()
    assert bare.hosts["gw"].pid() == before


def test_exec_keeps_directory_environment_and_status(bare, tmp_path):
    done = subprocess.run(
        [sys.executable, LAB, "exec", "phone", "sh", "-c", "pwd; echo $MARK; cat; exit 7"],
        cwd=tmp_path, env=dict(bare.env, MARK="kept"), input="stdin\n", text=True,
        capture_output=True, check=False)
    assert done.stdout.splitlines() == [str(tmp_path), "kept", "stdin"]
    assert done.returncode == 7


def test_exec_of_a_missing_command_is_127(bare):
    assert bare.command("exec", "gw", "no-such-command", check=False).returncode == 127


def test_clients_resolve_by_the_gateway(bare):
    for host in ("phone", "laptop"):
        assert bare.run(host, "cat", "/etc/resolv.conf").stdout == "nameserver 10.9.0.1\n"


def test_hosts_have_their_own_wireguard_directory(bare):
    assert bare.run("gw", "stat", "-c", "%u %a", "/var/run/wireguard").stdout == "64101 700\n"


def test_gateway_does_not_forward_without_rules(bare):
    assert bare.run("gw", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"


def test_clients_reach_the_endpoint_over_the_mobile_network(bare):
    bare.run("phone", "ping", "-c1", "-W5", "203.0.113.2")


@pytest.mark.parametrize("options", [(), ("+tcp",)])
@pytest.mark.parametrize("kind,address", [("A", "93.184.216.10"), ("AAAA", "2606:2800:220:1::10")])
def test_internet_resolves(bare, kind, address, options):
    assert bare.dig("gw", "allowed.example", kind, *options, server=CF).addresses == [address]


def test_internet_denies_unknown_names(bare):
    assert bare.dig("gw", "nothing.example", server=CF).status == "NXDOMAIN"


def test_internet_truncates_over_udp(bare):
    answer = bare.dig("gw", "large.example", "TXT", "+ignore", server=CF)
    assert "tc" in answer.flags


def test_internet_answers_over_tls_with_the_checked_name(bare):
    done = bare.run("gw", "kdig", "+short", "@" + CF, "+tls-ca=" + bare.file("internet-ca.pem"),
                    "+tls-hostname=one.one.one.one", "plain.example")
    assert done.stdout == "93.184.216.17\n"
    assert [q["transport"] for q in bare.dns_queries("plain.example")][-1] == "dot"


@pytest.mark.parametrize("address,name", [(CF, "one.one.one.one"), ("8.8.8.8", "dns.google")])
def test_internet_answers_over_https(bare, address, name):
    done = bare.run("gw", "kdig", "+short", "@" + address, "+https", "+tls-hostname=" + name,
                    "+tls-ca=" + bare.file("internet-ca.pem"), "unknown.example")
    assert done.stdout == "93.184.216.15\n"


def test_query_log_names_source_and_resolver(bare):
    bare.dig("gw", "v4only.example", server="1.0.0.1")
    query = bare.dns_queries("v4only.example")[-1]
    assert (query["src"], query["dst"], query["transport"], query["type"]) == (
        "203.0.113.2", "1.0.0.1", "udp", "A")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", [
    "allowed.example", "words.example", "images.example", "big.example", "blocked.example",
    "unknown.example", "ads.listed.example", "plain.example"])
def test_origin_serves_its_name(bare, scheme, name):
    page = bare.curl("gw", "%s://%s/" % (scheme, name))
    assert page.status == 200 and name in page.text, page


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_origin_serves_both_families_with_http2(bare, family):
    page = bare.curl("gw", "https://allowed.example/", family)
    assert page.status == 200 and page.http == "2", page


def test_expired_certificate_is_refused(bare):
    assert bare.curl("gw", "https://bad-cert.example/").exit == 60
    assert bare.curl("gw", "https://bad-cert.example/", "-k").status == 200


@pytest.mark.parametrize("file,start", [
    ("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8"), ("a.gif", b"GIF8"), ("a.webp", b"RIFF")])
def test_images_are_served(bare, file, start):
    page = bare.curl("gw", "https://images.example/" + file)
    assert page.body.startswith(start) and page.headers["content-type"].startswith("image/")


def test_big_file_has_ten_mebibytes(bare):
    assert len(bare.curl("gw", "https://big.example/10m").body) == 10 * 1024 * 1024


@pytest.mark.parametrize("address", ["10.77.0.5", "[fd77::5]"])
def test_lan_serves(bare, address):
    assert bare.curl("gw", "http://%s/" % address).text.startswith("lan ")


def test_redis_and_mariadb_serve(bare):
    assert bare.redis("PING") == "PONG"
    assert bare.sql("SELECT 1") == "1"


@pytest.mark.parametrize("name", ["redis", "mariadb"])
def test_store_can_be_killed_and_started(bare, name):
    before = bare.daemon(name, "pid")
    bare.daemon(name, "kill")
    assert bare.command("daemon", name, "pid", check=False).returncode == 1
    bare.daemon(name, "start")
    assert bare.daemon(name, "pid") not in ("", before)


def test_secrets_belong_to_one_user_each(bare):
    folder = bare.places.in_run("secrets")
    for name in os.listdir(folder):
        info = os.stat(os.path.join(folder, name))
        assert stat.S_IMODE(info.st_mode) == 0o400, name
    assert os.stat(os.path.join(folder, "api-key")).st_uid == 64105
    assert os.stat(os.path.join(folder, "redis-dnsd")).st_uid == 64103


def test_missing_binary_is_named(tmp_path):
    one = Lab(tmp_path / "lab", LAB_DAEMONS="dnsd", B=str(tmp_path / "empty"))
    done = one.command("up", check=False)
    assert done.returncode == 1 and "bin/dnsd is not built" in done.stdout
    assert traces(one) == []


def test_failing_daemon_is_told_with_its_log_and_all_is_removed(tmp_path):
    build = tmp_path / "build"
    (build / "bin").mkdir(parents=True)
    program = build / "bin" / "dnsd"
    program.write_text("#!/bin/sh\necho '<3>dnsd: cannot go on' >&2\nexit 1\n")
    program.chmod(0o755)
    one = Lab(tmp_path / "lab", LAB_DAEMONS="dnsd", B=str(build))
    done = one.command("up", check=False)
    assert done.returncode == 1
    assert "dnsd ended with status 1" in done.stdout and "cannot go on" in done.stdout
    assert traces(one) == []


def test_daemon_is_started_stopped_and_killed(tmp_path):
    build = tmp_path / "build"
    (build / "bin").mkdir(parents=True)
    shutil.copy(os.path.join(os.path.dirname(__file__), "fake_daemon.py"), build / "bin/dnsd")
    (build / "bin" / "dnsd").chmod(0o755)
    one = Lab(tmp_path / "lab", LAB_DAEMONS="dnsd", B=str(build),
              LAB_CONF_EXTRA="[dnsd]\ncache_mib = 8\n[fwd]\nintercept = yes\n")
    one.up()
    try:
        config = read(one.places.in_run("etc", "culvert.conf"))
        assert "cache_mib = 8\n" in config and "intercept = yes\n" in config
        first = one.daemon("dnsd", "pid")
        one.daemon("dnsd", "stop")
        assert one.command("daemon", "dnsd", "pid", check=False).returncode == 1
        one.daemon("dnsd", "start")
        assert one.daemon("dnsd", "pid") not in ("", first)
        one.daemon("dnsd", "kill")
        one.daemon("dnsd", "start")
        one.settle()
        one.redis("HSET", "culvert:gens:apid", "devices", '{"gen":4,"wid":"x"}')
        with pytest.raises(LabError, match="dnsd has devices:apid at 3 of 4"):
            one.settle(0)
        one.redis("SET", "culvert:status:dnsd:1", '{"applied":{},"topics":{"devices:apid":{"gen":4}}}')
        with pytest.raises(LabError, match="dnsd has devices:apid at 0 of 4"):  # read, and not yet in force
            one.settle(0)
        with open(one.places.in_run("etc", "leak"), "w", encoding="ascii"):
            pass
        done = one.command("daemon", "dnsd", "stop", check=False)
        assert done.returncode == 1 and "ended with status 1" in done.stdout
    finally:
        one.down()


def test_two_labs_from_clones_below_private_directories(bare, tmp_path):
    """Another clone below a 0700 directory, at the same time; down leaves nothing of it."""
    tmp_path.chmod(0o700)
    for part in ("tests/labfiles", "deploy/launcher", "deploy/texts"):
        shutil.copytree(os.path.join(TOP, part), tmp_path / "c" / part,
                        ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(LAB, tmp_path / "c/tests/lab")
    script = str(tmp_path / "c/tests/lab")
    env = {k: v for k, v in bare.env.items() if k not in ("B", "LAB_DIR")}
    env["LAB_DAEMONS"] = ""
    one = Lab(tmp_path / "c/build/lab", LAB_DAEMONS="")
    subprocess.run([script, "up"], env=env, check=True)
    try:
        assert one.hosts["gw"].pid() is not None
        assert one.places.run != bare.places.run
        assert one.curl("gw", "https://allowed.example/").status == 200
        assert bare.curl("gw", "https://allowed.example/").status == 200
    finally:
        subprocess.run([script, "down"], env=env, check=True)
    assert traces(one) == []
    assert sorted(os.listdir(one.dir)) == [".lock", "logs"]
    assert bare.is_up()


def test_down_ends_what_tests_left_running(tmp_path):
    one = Lab(tmp_path / "lab", LAB_DAEMONS="")
    one.up()
    left = one.popen("phone", "sleep", "1000")
    os.kill(one.hosts["laptop"].pid(), 9)  # even a lab that lost a holder goes away whole
    one.down()
    wait_until(lambda: left.poll() is not None)
    assert traces(one) == []
    one.down()


def test_clients_reach_the_gateway_through_a_tunnel_set_by_hand(tmp_path):
    """What wgd and fwd do later, by wg and nft here: the clients' side and the routes are right."""
    one = Lab(tmp_path / "lab", LAB_DAEMONS="")
    one.up()
    try:
        gw, run = one.hosts["gw"], one.places.run
        if "wg0" not in one.run("gw", "ip", "-br", "link").stdout:
            one.run("gw", "ip", "link", "add", "wg0", "type", "wireguard")
        peers = ""
        for client in clients.CLIENTS:
            v4, v6 = clients.TUNNEL[client]
            peers += "[Peer]\nPublicKey = %s\nAllowedIPs = %s/32, %s/128\n" % (
                clients.public_key(one.places, client), v4, v6)
        with open(run + "/wg/gw.key", "w", encoding="ascii") as out:
            out.write(one.run("gw", "wg", "genkey").stdout)
        with open(run + "/wg/gw.peers", "w", encoding="ascii") as out:
            out.write(peers)
        one.run("gw", "wg", "set", "wg0", "listen-port", "51820", "private-key",
                run + "/wg/gw.key")
        one.run("gw", "wg", "addconf", "wg0", run + "/wg/gw.peers")
        one.run("gw", "ip", "-batch", "-", data="address add 10.9.0.1/24 dev wg0\n"
                "address add fd09::1/64 dev wg0 nodad\nlink set wg0 mtu 1420 up\n")
        one.run("gw", "nft", "-f", "-", data="table inet t { chain p { type nat hook postrouting "
                "priority 100; oifname \"uplink\" masquerade; }; }\n")
        set_sysctls(gw, "net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1")
        clients.connect_clients(one.places, one.hosts, False)
        for client in clients.CLIENTS:
            wait_until(lambda c=client: clients.has_handshake(one.hosts[c]), "handshake", 30)
            one.run(client, "ping", "-c1", "-W10", "10.9.0.1")
            one.run(client, "ping", "-c1", "-W10", "fd09::1")
        for address in site_addresses("big.example"):
            host = "[%s]" % address if ":" in address else address
            page = one.curl("phone", "http://%s/10m" % host)
            assert len(page.body) == 10 * 1024 * 1024, page
        assert one.curl("laptop", "http://10.77.0.5/").text.startswith("lan ")
        assert one.http_requests()[-1]["src"] == "2001:db8:1::2"
    finally:
        one.down()


def test_the_phone_has_its_tunnel_by_an_enrolment_link(lab):
    """A3: with the reference client; the key never left the phone, its token reads the document."""
    token = lab.run("phone", "cat", lab.places.in_run("wg", "phone.token")).stdout.strip()
    document = json.loads(lab.run(
        "phone", "curl", "-sS", "--noproxy", "*", "--cacert", os.path.join(lab.places.lab_dir, "admin-ca.pem"),
        "-H", "Authorization: Bearer " + token, "https://203.0.113.2:8443/device").stdout)
    assert document["wgPublicKey"] == lab.run("phone", "wg", "show", "wg-phone", "public-key").stdout.strip()
    assert document["wgAddresses"] == ["10.9.0.2", "fd09::2"] and document["entitled"] is True
