"""Runs on a lab's node, between those who ask for names and Consul, and spoils the answers.

names.py MODE PORT NODE_ADDRESS; the modes are the keys of SPOIL.
The packet filter redirects questions to PORT. What this program asks Consul itself carries MARK, and is
not redirected. dnspython comes with it (see Site.daemon).
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Collection
from ipaddress import IPv6Address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rdtypes.IN.SRV
import dns.rrset

MARK = 0xFA17
SO_MARK = 36
IP_PKTINFO = 8
DELAY_S = 2.0
CACHE_S = 300
CONSUL_HTTP = "http://127.0.0.1:8500"
Server = tuple[str, int]
Message = dns.message.Message
Ancillary = list[tuple[int, int, bytes]]
"""What the kernel says about a datagram (IP_PKTINFO)."""


def leave_one_out(answer: Message) -> bool:
    """Remove the last A record, if there are several."""
    addresses = [entry for entry in answer.answer if entry.rdtype == dns.rdatatype.A]
    if len(addresses) < 2:
        return False
    answer.answer.remove(addresses[-1])
    return True


def add_critical(answer: Message) -> bool:
    """Add the addresses of instances whose check fails."""
    question = answer.question[0]
    labels = [label.decode("latin-1").lower() for label in question.name.labels]
    if question.rdtype != dns.rdatatype.A or labels[1:2] != ["service"]:
        return False
    return add_addresses(answer, registered_addresses(labels[0]))


def add_addresses(answer: Message, addresses: Collection[str]) -> bool:
    """Add A records for those of the addresses that are not in the answer; it is NOERROR then."""
    question = answer.question[0]
    known = {entry[0].to_text() for entry in answer.answer if entry.rdtype == dns.rdatatype.A}
    missing = sorted(set(addresses) - known)
    answer.answer += [dns.rrset.from_text(question.name, 0, "IN", "A", address) for address in missing]
    if missing:
        answer.set_rcode(dns.rcode.NOERROR)
    return bool(missing)


def registered_addresses(service: str) -> set[str]:
    """Addresses of all instances of a service, according to the node's Consul, whether their checks pass or not."""
    with urllib.request.urlopen(f"{CONSUL_HTTP}/v1/health/service/{service}?stale", timeout=2) as reply:
        return {entry["Service"]["Address"] for entry in json.load(reply)} - {""}


def answer_garbage(answer: Message) -> bool:
    """Answer any question for AAAA with a random address."""
    question = answer.question[0]
    if question.rdtype != dns.rdatatype.AAAA:
        return False
    address = IPv6Address(b"\xfd\x00" + random.getrandbits(112).to_bytes(14, "big"))
    answer.answer = [dns.rrset.from_text(question.name, 0, "IN", "AAAA", str(address))]
    answer.authority, answer.additional = [], []
    answer.set_rcode(dns.rcode.NOERROR)
    return True


def shift_port(answer: Message) -> bool:
    """Make SRV records name the port after the right one."""
    changed = False
    for index, entry in enumerate(answer.answer):
        record = entry[0]
        if isinstance(record, dns.rdtypes.IN.SRV.SRV):
            answer.answer[index] = dns.rrset.from_rdata(entry.name, entry.ttl, record.replace(port=record.port + 1))
            changed = True
    return changed


def delay(answer: Message) -> bool:
    """Change nothing, but take DELAY_S for it."""
    time.sleep(DELAY_S)
    return False


def deny_capitals(answer: Message) -> bool:
    """Say that a name with a capital letter does not exist."""
    name = answer.question[0].name.to_text()
    if name == name.lower():
        return False
    return deny(answer)


def deny_addresses(answer: Message) -> bool:
    """Say that no address has a name."""
    return answer.question[0].rdtype == dns.rdatatype.PTR and deny(answer)


def deny(answer: Message) -> bool:
    """Make an answer NXDOMAIN."""
    answer.answer, answer.authority, answer.additional = [], [], []
    answer.set_rcode(dns.rcode.NXDOMAIN)
    return True


def prolong(answer: Message) -> bool:
    """Add CACHE_S to every TTL."""
    for entry in answer.answer:
        entry.ttl += CACHE_S
    return bool(answer.answer)


REMEMBERED: dict[str, set[str]] = {}
"""{service: addresses that its answers have had}"""


def add_deregistered(answer: Message) -> bool:
    """Add the addresses that a service had earlier and that nothing is registered at any more."""
    question = answer.question[0]
    labels = [label.decode("latin-1").lower() for label in question.name.labels]
    if question.rdtype != dns.rdatatype.A or labels[1:2] != ["service"]:
        return False
    known = REMEMBERED.setdefault(labels[0], set())
    known |= {entry[0].to_text() for entry in answer.answer if entry.rdtype == dns.rdatatype.A}
    return add_addresses(answer, known - registered_addresses(labels[0]))


Spoil = Callable[[Message], bool]
"""Changes an answer whose record sets hold one record each; returns whether it did."""
SPOIL: dict[str, Spoil] = {
    "delay": delay,
    "missing": leave_one_out,
    "critical": add_critical,
    "garbage": answer_garbage,
    "port": shift_port,
    "capitals": deny_capitals,
    "addresses": deny_addresses,
    "ttl": prolong,
    "remembered": add_deregistered,
}


def spoiled(spoil: Spoil, wire: bytes) -> bytes:
    """An answer from Consul as it is passed on; byte by byte the same when nothing of it was changed."""
    # One record a set: dnspython mixes the records of a set when it writes them.
    answer = dns.message.from_wire(wire, one_rr_per_rrset=True, ignore_trailing=True)
    return answer.to_wire() if answer.question and spoil(answer) else wire


def server_failure(wire: bytes) -> bytes:
    """SERVFAIL to a question: Consul does not run, and the asker goes on to its next server."""
    answer = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
    answer.set_rcode(dns.rcode.SERVFAIL)
    return answer.to_wire()


def marked(kind: socket.SocketKind, server: Server) -> socket.socket:
    """A socket to Consul itself."""
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
    made.settimeout(5)
    made.connect(server)
    return made


def exactly(stream: socket.socket, size: int) -> bytes:
    """Read that many bytes; EOFError when there are fewer."""
    data = b""
    while len(data) < size:
        piece = stream.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def answer_datagram(
    spoil: Spoil, listener: socket.socket, server: Server, question: bytes, ancillary: Ancillary, asker: Server
) -> None:
    """Answer from the address that was asked: the asker's kernel drops what comes from another one."""
    with marked(socket.SOCK_DGRAM, server) as consul:
        try:
            consul.send(question)
            answer = spoiled(spoil, consul.recv(65535))
        except ConnectionRefusedError:
            answer = server_failure(question)
        # in_pktinfo is (ifindex, spec_dst, addr)
        own = [(level, kind, struct.pack("i4s4s", 0, value[8:12], bytes(4))) for level, kind, value in ancillary]
        listener.sendmsg([answer], own, 0, asker)


def answer_connection(spoil: Spoil, server: Server, client: socket.socket) -> None:
    """Answer the questions of a TCP connection, each preceded by its length (RFC 1035 §4.2.2)."""
    with contextlib.suppress(EOFError, OSError), client, marked(socket.SOCK_STREAM, server) as consul:
        while True:
            size = exactly(client, 2)
            consul.sendall(size + exactly(client, struct.unpack("!H", size)[0]))
            answer = spoiled(spoil, exactly(consul, struct.unpack("!H", exactly(consul, 2))[0]))
            client.sendall(struct.pack("!H", len(answer)) + answer)


def main() -> None:
    """Answer until killed."""
    spoil, number, server = SPOIL[sys.argv[1]], int(sys.argv[2]), (sys.argv[3], 53)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("0.0.0.0", number))
    datagrams.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    streams.bind(("0.0.0.0", number))
    streams.listen(64)
    print("ready", flush=True)
    while True:
        for ready in select.select([datagrams, streams], [], [])[0]:
            if ready is datagrams:
                question, ancillary, _, asker = datagrams.recvmsg(65535, 256)
                arguments = (spoil, datagrams, server, question, ancillary, asker)
                threading.Thread(target=answer_datagram, args=arguments, daemon=True).start()
            else:
                connection = (spoil, server, streams.accept()[0])
                threading.Thread(target=answer_connection, args=connection, daemon=True).start()


if __name__ == "__main__":
    main()
