# SPDX-License-Identifier: GPL-3.0-or-later
"""The Internet's DNS in a namespace: nN.… has the address 198.18.0.10 + N (AAAA 2001:db8:1818::10 + N); other names
stand in NAME=ADDRESS arguments. Arguments: port, then those. Prints "ready"."""
import ipaddress
import re
import socket
import sys

import dns.message
import dns.rrset

V4, V6 = ipaddress.ip_address("198.18.0.10"), ipaddress.ip_address("2001:db8:1818::10")
SOA = "ns.test. host.test. 1 3600 600 86400 30"


def main():
    table = dict(word.split("=") for word in sys.argv[2:])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        wire, peer = sock.recvfrom(4096)
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().lower().rstrip(".")
        response = dns.message.make_response(query, recursion_available=True)
        number = re.match(r"n(\d+)\.", name)
        address = None
        if number:
            address = {1: str(V4 + int(number[1])), 28: str(V6 + int(number[1]))}.get(int(question.rdtype))
        elif question.rdtype == 1:
            address = table.get(name)
        if address:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", question.rdtype, address))
        else:
            response.authority.append(dns.rrset.from_text(".", 30, "IN", "SOA", SOA))
        sock.sendto(response.to_wire(), peer)


if __name__ == "__main__":
    main()
