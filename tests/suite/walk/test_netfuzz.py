# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input at every socket of every daemon, also with the sanitizers (asan-walk); tests/netfuzz does it for long."""
import os

from netfuzzlib import Fuzz

# What leaves no trace in a lab that others use after.
KINDS = ("dns_udp", "dns_tcp", "proxy", "tunnel", "decrypted", "web", "hello", "portal", "device_api", "websocket", "bus_request")


def test_wrong_input_at_every_socket_ends_no_daemon(lab):
    fuzz = Fuzz(lab, int(os.environ.get("NETFUZZ_SEED", "17")), KINDS)
    try:
        fuzz.run(0, tries=4)
    finally:
        fuzz.close()
