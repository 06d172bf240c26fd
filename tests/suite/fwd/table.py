# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of what each device may reach: who, where to, on which ports; and what SPEC F2 to
F14 say about it, worked out here from the requirements and not from any rule of the firewall."""
import dataclasses
import ipaddress

from support.network import GATEWAY, LAN, LAN_GATEWAY, QUAD9, SITE, UPLINK_PEER

# ---- who ----


@dataclasses.dataclass(frozen=True)
class Who:
    """A device: the last number of its addresses, and what is set for it."""
    number: int
    profile: str = "full"
    known: bool = True
    entitled: bool = True
    v6: bool = True
    strict: bool = False
    egress: str = "off"
    offline_vpn: bool = False
    offline_browser: bool = False
    lists_off: tuple = ()


WHO = {
    "full": Who(2), "internet": Who(3, "internet"), "intranet": Who(4, "intranet"),
    "walled": Who(5, "walled"), "offline_vpn": Who(6, offline_vpn=True),
    "offline_browser": Who(7, offline_browser=True),
    "both": Who(8, offline_vpn=True, offline_browser=True), "custom": Who(9, "custom"),
    "nosuch": Who(10, "nosuch"), "no_v6": Who(11, v6=False), "expired": Who(12, entitled=False),
    "inactive": Who(13, entitled=False), "strict": Who(14, strict=True),
    "deny_tunnels": Who(15, egress="deny_tunnels"), "web": Who(16, egress="web"),
    "list_off": Who(17, lists_off=("ads",)), "strict_internet": Who(18, "internet", strict=True),
    "intranet_web": Who(19, "intranet", egress="web"), "stranger": Who(66, known=False),
}

# An admin's profile, in the order of its rules: (allow, what it matches).
CUSTOM = [
    {"action": "block", "ports": ["1500"]},
    {"action": "allow", "prefixes": [SITE[4] + "/32", SITE[6] + "/128"], "protocols": ["tcp"],
     "ports": ["1200-1600"]},
    {"action": "allow", "prefixes": ["10.77.0.0/24"], "protocols": ["udp"]},
]

# ---- where to ----


@dataclasses.dataclass(frozen=True)
class Where:
    address: dict  # family → address
    host: str = "inet"  # whose answer comes, "" = nobody is there
    lan: bool = False
    doh: bool = False
    lists: tuple = ()  # by-address lists that hold it
    fed: bool = False  # dnsd answered it to the strict devices
    renewal: bool = False
    kind: str = "outside"  # outside, device, gateway (the tunnel's address), ours (another one)
    hidden: bool = False  # an IPv6 form of a private IPv4 address: for nobody


def _inet(number, **facts):
    return Where({4: "198.51.100.%d" % number, 6: "2001:db8:100::%x" % number}, **facts)


WHERE = {
    "site": Where(SITE),
    "lan": Where(LAN, "lan", lan=True),
    "uplink_net": Where(UPLINK_PEER, lan=True),  # the network of the gateway's own interface
    "device": Where({4: "10.9.0.200", 6: "fd09::200"}, "", kind="device"),
    "gateway": Where(GATEWAY, "gw", kind="gateway"),
    "gateway_lan": Where(LAN_GATEWAY, "gw", kind="ours"),
    "doh": Where(QUAD9, doh=True),
    "listed": _inet(20, lists=("ads",)),
    "listed_twice": _inet(21, lists=("ads", "games")),
    "listed_for_nobody": _inet(22, lists=("spare",)),
    "fed": _inet(30, fed=True),
    "fed_listed": _inet(31, fed=True, lists=("ads",)),
    "renewal": _inet(40, renewal=True),
}
LISTS = {"ads": {"default_on": True}, "games": {"default_on": True}, "spare": {"default_on": False}}
# The same hosts by their NAT64 form: no way round what holds for the address inside.
NAT64 = {"site": False, "doh": False, "listed": False, "listed_for_nobody": False, "lan": True,
         "device": True}
for _name, _private in NAT64.items():
    _v4 = int(ipaddress.ip_address(WHERE[_name].address[4]))
    _v6 = ipaddress.ip_address(int(ipaddress.ip_address("64:ff9b::")) + _v4)
    WHERE["nat64_" + _name] = dataclasses.replace(
        WHERE[_name], host="inet", lan=False, kind="outside", hidden=_private, address={6: str(_v6)})

# ---- with what ----

OUTSIDE = {"tcp": (53, 80, 443, 853, 1194, 1234, 1500, 5228, 8080, 9001, 51820),
           "udp": (53, 80, 123, 443, 853, 1194, 1234, 4500, 51820), "icmp": (0,)}
INSIDE = {"tcp": (22, 53, 80, 443, 853, 1234, 3128, 3129, 8080, 8443, 8444),
          "udp": (53, 443, 853, 1234, 8080), "icmp": (0,)}
INET_PORTS = sorted(set(OUTSIDE["tcp"] + OUTSIDE["udp"]))
GATEWAY_PORTS = INSIDE["tcp"]

# F13's defaults: ports of tunnels and Tor; what `web` leaves open.
TUNNEL_PORTS = {"tcp": {1194, 9001}, "udp": {1194, 4500, 51820}}
WEB_PORTS = {"tcp": {80, 443, 5228}, "udp": {123}}

SILENCE, REFUSED = "silence", "refused"


def answer(host, port):
    return "%s %d" % (host, port)


def _custom(where, family, protocol, port):
    """CUSTOM, by hand. A prefix of IPv4 addresses holds for their NAT64 forms, too."""
    if port == 1500:
        return False
    address = where.address[family]
    if address in (SITE[4], SITE[6], WHERE["nat64_site"].address[6]) and protocol == "tcp":
        return 1200 <= port <= 1600
    return address == LAN[4] and protocol == "udp"


def profile_of(who, family):
    """F2, W4; D13: IPv6 that a device may not have is refused, not black-holed."""
    if not who.entitled or (family == 6 and not who.v6) or (who.offline_vpn and who.offline_browser):
        return "walled"
    return who.profile if who.profile in ("full", "internet", "intranet", "custom") else "walled"


def _profile_allows(profile, where, family, protocol, port):
    if profile == "custom":
        return _custom(where, family, protocol, port)
    return {"full": True, "internet": not where.lan, "intranet": where.lan}.get(profile, False)


def _egress_allows(who, where, protocol, port):
    """F13: what leaves for the Internet."""
    if who.egress == "off" or where.lan:
        return True
    if who.egress == "deny_tunnels":
        return port not in TUNNEL_PORTS.get(protocol, ())
    return port in WEB_PORTS.get(protocol, ())


def _gateway(who, where, protocol, port, offline_vpn):
    """F5, F7: what a device reaches on the gateway."""
    if where.kind == "ours":
        return REFUSED
    if (protocol, port) == ("tcp", 8080):
        return answer("gw", port)
    if offline_vpn:
        return REFUSED
    if protocol == "icmp":
        return answer("gw", 0)
    return answer("gw", port) if protocol == "tcp" and port in (80, 443, 8444) else REFUSED


def expected(who, where, family, protocol, port, intercept):
    """What comes of it: an answer by whom on which port, refused (at once), or silence."""
    who, where = WHO[who], WHERE[where]
    if not who.known:
        return SILENCE
    profile = profile_of(who, family)
    offline_vpn = who.offline_vpn and not who.offline_browser
    if port == 53:  # F3: wherever it is sent to
        return REFUSED if offline_vpn else answer("gw", 53)
    if where.kind in ("gateway", "ours"):
        return _gateway(who, where, protocol, port, offline_vpn)
    if offline_vpn or where.kind == "device" or port == 853:
        return REFUSED
    if where.hidden and not (intercept and protocol == "tcp" and port in (80, 443)):
        return REFUSED  # (proxyd refuses it, too)
    if (protocol, port) == ("udp", 443) or (where.doh and (protocol, port) == ("tcp", 443)):
        return REFUSED
    if who.offline_browser and profile != "walled" and (protocol, port) == ("tcp", 80):
        return REFUSED
    if where.renewal and profile == "walled" and protocol == "tcp" and port in (80, 443):
        # F5; many websites may share the address
        return answer("gw", 3128 if port == 80 else 3129) if intercept and not where.lan else answer(where.host, port)
    if intercept and not where.lan and protocol == "tcp" and port in (80, 443) and \
            profile in ("full", "internet", "custom"):
        return answer("gw", 3128 if port == 80 else 3129)  # F5; the name decides there
    if not _profile_allows(profile, where, family, protocol, port):
        return REFUSED
    if set(where.lists) - {"spare"} - set(who.lists_off):
        return REFUSED  # F6
    if who.strict and not where.fed:
        return REFUSED  # F10
    if not _egress_allows(who, where, protocol, port):
        return REFUSED
    return answer(where.host, port) if where.host else REFUSED


def cells(intercept, who=WHO, where=WHERE):
    """Every cell: ((who, address, protocol, port), expected, name to print)."""
    for device in who:
        for name in where:
            ports = OUTSIDE if WHERE[name].kind in ("outside", "device") else INSIDE
            for family, address in WHERE[name].address.items():
                for protocol, numbers in ports.items():
                    for port in numbers:
                        want = expected(device, name, family, protocol, port, intercept)
                        yield ((device, address, protocol, port), want,
                               "%s → %s v%d %s %d" % (device, name, family, protocol, port))
