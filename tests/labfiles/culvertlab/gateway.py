# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's gateway has of its own: settings from LAB_* variables, and when it serves."""
import json
import os
import socket

from launcher import gateway
from launcher.gateway import (Daemon, admin_ca, await_policy, copy_binary, enrolment_link,  # noqa: F401
                              make_owner, provision, provision_device, start_wireguard_go,
                              stop_daemons)
from launcher.process import PATIENCE, wait_until

from .places import DAEMONS, GATEWAY, PATH, LabError
from .scenery import site_addresses


def wanted_daemons():
    """The daemons to start, in the order of DAEMONS; LAB_DAEMONS narrows them."""
    text = os.environ.get("LAB_DAEMONS")
    if text is None:
        return list(DAEMONS)
    words = text.replace(",", " ").split()
    for word in words:
        if word not in DAEMONS:
            raise LabError("LAB_DAEMONS: %s is no daemon" % word)
    return [name for name in DAEMONS if name in words]


def write_config(places):
    """culvert.conf: the launcher's, the lab's, LAB_CONF_EXTRA (text or @FILE), the last wins."""
    with open(os.path.join(places.files, "culvert.conf.in"), encoding="utf-8") as src:
        lab = src.read()
    extra = os.environ.get("LAB_CONF_EXTRA", "")
    if extra.startswith("@"):
        with open(extra[1:], encoding="utf-8") as src:
            extra = src.read()
    gateway.write_config(places, ("tests/labfiles/culvert.conf.in", lab),
                         ("LAB_CONF_EXTRA", extra))


def install(places, names):
    """Directories, binaries, seed and lists."""
    seed = os.environ.get("LAB_SEED") or os.path.join(places.files, "seed.json")
    with open(seed, encoding="utf-8") as src:
        gateway.install(places, names, os.path.join(places.files, "lists"), json.load(src))


def wireguard_kind(host):
    """kernel or go, by LAB_WG or by what this kernel can do."""
    kind = os.environ.get("LAB_WG", "auto")
    if kind not in ("auto", "kernel", "go"):
        raise LabError("LAB_WG is auto, kernel or go")
    return gateway.wireguard_kind(host, kind)


def with_path(names):
    """LAB_PATH=yes: with proxyd --path, as an installed gateway has it."""
    has_it = {"fwd", "proxyd"} <= set(names) and os.environ.get("LAB_PATH") == "yes"
    return [*names, PATH] if has_it else names


def start_daemons(places, host, names):
    if "proxyd" in names:
        gateway.init_ca(places, host, os.path.join(places.lab_dir, "culvert-ca.pem"))
    gateway.start_daemons(places, host, with_path(names))


def _is_inline(places):
    """Where no line of its configuration is against it."""
    conf = places.in_run("etc", "culvert.conf")
    with open(conf, encoding="utf-8") as src:
        config = gateway.read_config(src.read(), conf)
    return all(config.get("fwd", key, fallback="yes") == "yes" for key in ("path", "intercept"))


def _judges_inline(host):
    return "@prove4" in host.run(["nft", "list", "chain", "inet", "culvert", "redirect_port"])


def _connects(address, port):
    with socket.socket() as probe:
        probe.settimeout(PATIENCE)
        return probe.connect_ex((address, port)) == 0


def _resolves(host, name, want):
    text = host.run(["dig", "+short", "+tries=1", "+time=%d" % max(1, PATIENCE), "@" + GATEWAY[0], name, "A"],
                    check=False)
    return want in text.split()


def await_service(places, hosts, names):
    """Waits until a device gets what the policy says, for what the daemons at hand can give."""
    if names:
        await_policy(places, hosts["gw"])
    if not {"wgd", "fwd", "apid"} <= set(names):
        return
    phone = hosts["phone"]
    if "dnsd" in names:
        wait_until("phone: DNS answers", lambda: _resolves(
            phone, "allowed.example", site_addresses("allowed.example")[0]), 30,
            places.log("dnsd"))
        if "syncd" in names:
            wait_until("phone: list adblock in force", lambda: _resolves(
                phone, "ads.listed.example", "0.0.0.0"), 30, places.log("dnsd"))
    if "proxyd" in names:
        wait_until("phone: proxy accepts", lambda: phone.call(_connects, GATEWAY[0], 8080), 30,
                   places.log("proxyd"))
    if Daemon(hosts["gw"], PATH).pid() is not None and _is_inline(places):
        wait_until("HTTPS judged in the path", lambda: _judges_inline(hosts["gw"]), 30, places.log(PATH))
