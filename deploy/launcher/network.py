# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses, routes and kernel switches of a host."""

# Forwarding is fwd's to switch on (F8).
SYSCTLS = (
    "net/ipv6/conf/all/disable_ipv6=0", "net/ipv6/conf/default/disable_ipv6=0",
    "net/ipv6/conf/all/accept_dad=0", "net/ipv6/conf/default/accept_dad=0",
    "net/ipv6/conf/default/accept_ra=0",
    "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
    "net/ipv4/ip_forward=0", "net/ipv6/conf/all/forwarding=0",
)


def read_sysctl(path):
    with open("/proc/sys/" + path, encoding="ascii") as src:
        return src.read().strip()


def write_sysctl(path, value):
    with open("/proc/sys/" + path, "w", encoding="ascii") as out:
        out.write(value)


def _set_sysctls(lines):
    for line in lines:
        write_sysctl(*line.split("="))


def set_sysctls(host, *lines):
    host.call(_set_sysctls, lines)


def ip_batch(host, lines):
    host.run(["ip", "-batch", "-"], text="\n".join(lines) + "\n")
