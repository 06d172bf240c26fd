#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Internet's public resolvers: UDP, TCP, DoT, and DoH behind nginx; and what its web
sites have at /echo, which answers with the body of the request.

resolver.py CERTIFICATES QUERY_LOG
Every query becomes one JSON line in the log: t src dst transport name type.
"""
import asyncio
import base64
import json
import os
import signal
import ssl
import sys
import time
import urllib.parse

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from culvertlab.scenery import DNS_ADDRESSES, DOH_UPSTREAM_PORT, RESOLVERS, zone_text  # noqa: E402

SLOW_S = 1.0
NEGATIVE_TTL_S = 30
SOA = ". %d IN SOA ns.example. admin.example. 1 3600 600 86400 %d" % (
    NEGATIVE_TTL_S, NEGATIVE_TTL_S)
SECURE = dns.name.from_text("allowed.example.")


class Resolver:
    def __init__(self, log):
        self.zone = dns.zone.from_text(zone_text(), origin=".", relativize=False,
                                       check_origin=False)
        self.log = log

    def note(self, query, source, destination, transport):
        question = query.question[0] if query.question else None
        self.log.write(json.dumps({
            "t": time.time(), "src": source, "dst": destination, "transport": transport,
            "name": question.name.to_text(True).lower() if question is not None else "",
            "type": dns.rdatatype.to_text(question.rdtype) if question is not None else ""}) + "\n")
        self.log.flush()

    def _exists(self, name):
        return any(other.is_subdomain(name) for other in self.zone.nodes)

    def _source(self, name):
        """Whose records name has: its own or those of the wildcard above it (RFC 4592)."""
        if self._exists(name) or len(name) < 2:
            return name
        star = dns.name.Name((b"*",) + name.parent().labels)
        return star if star in self.zone.nodes else name

    def _fill(self, answer, name, kind):
        for _ in range(8):
            source = self._source(name)
            found = self.zone.get_rdataset(source, kind)
            alias = self.zone.get_rdataset(source, dns.rdatatype.CNAME)
            rdataset = found or alias
            if rdataset is None:
                break
            answer.answer.append(dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset)))
            if found:
                return
            name = alias[0].target
        if not self._exists(self._source(name)):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        soa = SOA.split()
        answer.authority.append(dns.rrset.from_text(
            dns.name.root, NEGATIVE_TTL_S, "IN", "SOA", " ".join(soa[4:])))

    async def answer(self, wire, source, destination, transport):
        """The answer's wire form, or None for silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        self.note(query, source, destination, transport)
        answer = dns.message.make_response(query, recursion_available=True, our_payload=1232)
        question = query.question[0]
        first = question.name.labels[0].lower()
        if question.name.is_subdomain(dns.name.from_text("drop.example.")):
            return None
        if first == b"slow":
            await asyncio.sleep(SLOW_S)
        if question.name.is_subdomain(dns.name.from_text("servfail.example.")):
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(answer, question.name, question.rdtype)
        wants_ad = query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO
        if wants_ad and question.name == SECURE:
            answer.flags |= dns.flags.AD
        limit = 65535
        if transport == "udp":
            limit = max(512, query.payload) if query.edns >= 0 else 512
        try:
            return answer.to_wire(max_size=limit)
        except dns.exception.TooBig:
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            return short.to_wire()


class Udp(asyncio.DatagramProtocol):
    def __init__(self, resolver, address):
        self.resolver = resolver
        self.address = address
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        asyncio.ensure_future(self.reply(data, addr))

    async def reply(self, data, addr):
        wire = await self.resolver.answer(data, addr[0], self.address, "udp")
        if wire is not None:
            self.transport.sendto(wire, addr)


def stream_handler(resolver, transport):
    async def one(reader, writer, lock, wire):
        source, here = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        answer = await resolver.answer(wire, source[0], here[0], transport)
        if answer is not None:
            async with lock:
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()

    async def serve(reader, writer):
        lock = asyncio.Lock()
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                wire = await reader.readexactly(length)
                asyncio.ensure_future(one(reader, writer, lock, wire))
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        finally:
            writer.close()
    return serve


def doh_handler(resolver):
    async def serve(reader, writer):
        try:
            while await one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass
        finally:
            writer.close()

    async def one(reader, writer):
        line = (await reader.readline()).decode()
        if not line:
            return False
        method, target, _ = line.split()
        headers = {}
        while True:
            header = (await reader.readline()).decode().strip()
            if not header:
                break
            key, _, value = header.partition(":")
            headers[key.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if target == "/echo":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            return True
        if method == "GET":
            text = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("dns", [""])[0]
            body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        answer = await resolver.answer(body, headers.get("x-source", ""),
                                       headers.get("x-destination", ""), "doh")
        status = "200 OK" if answer else "400 Bad Request"
        answer = answer or b""
        writer.write(("HTTP/1.1 %s\r\nContent-Type: application/dns-message\r\n"
                      "Content-Length: %d\r\n\r\n" % (status, len(answer))).encode() + answer)
        await writer.drain()
        return True
    return serve


async def serve(certs, log):
    resolver = Resolver(log)
    loop = asyncio.get_running_loop()
    for name, addresses in RESOLVERS.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(certs, name + ".pem"),
                                os.path.join(certs, "server.key"))
        for address in addresses:
            await asyncio.start_server(stream_handler(resolver, "dot"), address, 853, ssl=context)
    for address in DNS_ADDRESSES:
        await loop.create_datagram_endpoint(lambda a=address: Udp(resolver, a), (address, 53))
        await asyncio.start_server(stream_handler(resolver, "tcp"), address, 53)
    await asyncio.start_server(doh_handler(resolver), "127.0.0.1", DOH_UPSTREAM_PORT)
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()


def main():
    with open(sys.argv[2], "a", encoding="ascii") as log:
        asyncio.run(serve(sys.argv[1], log))


if __name__ == "__main__":
    main()
