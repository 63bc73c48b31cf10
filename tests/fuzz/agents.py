"""Surfaces: what probe agents send, and the packets that they recorded. Both may be the work of an attacker."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from fixtures.control_plane.limit_judging import read_limits
from fixtures.existing import reading, shakes
from fixtures.no_nat import stream_judging, takeover_judging
from fixtures.path import idle_judging, transfers
from fixtures.probes import wire
from fixtures.probes.agent.formats import (
    IDLE,
    IDLE_MAGIC,
    MESSAGE,
    OUTGOING,
    RECORD,
    SYN_RESULT,
    TO_HOST,
    USE,
    answer_payload,
    request_payload,
)  # fmt: skip
from fixtures.probes.assessment import assess
from fixtures.probes.client import AgentClient, Query
from fixtures.probes.pcap import ETHERNET
from fixtures.probes.plan import plan
from fixtures.probes.sightings import Sightings
from fixtures.probes.sweep import read_out
from fixtures.probes.trail import Hop, Trail
from lab.errors import HarnessError
from reports.model import NotProved
from tests.unit.control_plane import test_limit_judging as limits
from tests.unit.existing import test_netlink as netlink
from tests.unit.existing import test_shakes as handshakes
from tests.unit.no_nat import test_stream_judging as streams
from tests.unit.path import test_idle_judging as idle
from tests.unit.path import test_transfers as flows
from tests.unit.probes import test_assessment as meshes
from tests.unit.probes import test_sweep as sweeps
from tests.unit.probes.canned import MESH, PORT, SECRETS, A, B

from .mutations import change_bytes, change_json, change_within
from .surface import Surface

REFUSALS = (HarnessError, NotProved)
Answer = tuple[dict[str, Any], bytes]


def change_answer(random: Random, answer: Any) -> Any:
    """(JSON, bytes), one of them changed."""
    words, data = answer
    change = change_within if "spaces" in words else change_json
    return (words, change_bytes(random, data)) if random.random() < 0.5 else (change(random, words), data)


def _change_answers(random: Random, answers: Any) -> Any:
    """A list of answers, one of them changed."""
    made = list(answers)
    place = random.randrange(len(made))
    made[place] = change_answer(random, made[place])
    return made


class _Replies:
    """A channel whose other end says `data` and then ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def sendall(self, data: bytes, /) -> None:
        """Nobody reads it."""

    def recv(self, size: int, /) -> bytes:
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    def settimeout(self, seconds: float | None, /) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def message(words: Any, blob: bytes = b"") -> bytes:
    """A message as an agent sends it."""
    text = json.dumps(words).encode()
    return MESSAGE.pack(len(text), len(blob)) + text + blob


def _change_message(random: Random, data: bytes) -> bytes:
    """The bytes of a message changed, or the values in it."""
    if random.random() < 0.5:
        return change_bytes(random, data)
    size, _ = MESSAGE.unpack_from(data)
    words = json.loads(data[MESSAGE.size : MESSAGE.size + size])
    return message(change_json(random, words), data[MESSAGE.size + size :])


def _queries(data: bytes) -> None:
    client = AgentClient(_Replies(data), "u1")
    asked = [Query(None, "udp", "10.0.0.1", 53, b"x")] * 2
    assert len(client.queries(asked)) == 2


def _ip_json(data: bytes) -> None:
    (links,), _ = AgentClient(_Replies(data), "u1").ip_json([None, "/proc/1/ns/net"], ["address show"])
    assert all(isinstance(link, dict) for link in links)


def _mesh(answers: list[Answer]) -> None:
    (delivery,), _ = assess(MESH, [meshes.EDGE], plan([meshes.EDGE], {}), answers, PORT, SECRETS, (0, 0))
    "\n".join([str(delivery), delivery.detail, repr(delivery.edge)]).encode()


def _tables(answer: Answer) -> None:
    """Two round trips: the list of namespaces, and their tables."""
    words, blob = answer

    def call(operation: str, *_: object, **__: object) -> Answer:
        said = words["spaces"] if operation == "namespaces" else words
        if not isinstance(said, dict):
            raise HarnessError("node u1: its reply is garbled")  # as AgentClient.call does
        return said, blob

    agent = SimpleNamespace(call=call)
    node: Any = SimpleNamespace(name="u1", agent=agent)
    spaces = reading.find_namespaces(node, [7])
    places = [(inode, str(path), "u1") for inode, path in spaces.found.items()]
    for found in reading.read_tables(node, places):
        repr(found).encode()


def _idle(answer: Answer) -> None:
    report, data = answer
    segments = idle_judging.read_segments(data, idle.NONCE)
    str(idle_judging.judge(idle.ONE, report, {"u1/a1": segments, "u2/a2": segments})).encode()


def _streams(answers: dict[str, Any]) -> None:
    counts = stream_judging.read_counts(
        [streams.THERE, streams.BACK], {"u1": ["u1/a1"], "u2": ["u2/a2"]}, answers
    ).counts
    conditions = {
        node: stream_judging.read_condition([f"{node}/a{node[1]}"], answer, (0, 0), by_program=True)
        for node, answer in answers.items()
    }
    repr((counts, stream_judging.find_void(counts, conditions))).encode()


def _flows(answer: list[Any]) -> None:
    reply, record, condition = answer
    transfer = transfers.read_transfer(flows.STREAM, reply, [record])
    found = transfers.read_condition(condition, (0, 0))
    repr((str(transfer), found.impairment, transfer.judged())).encode()


def _shakes(parts: list[bytes]) -> None:
    sent, seen = parts
    records = [record for place in (handshakes.WEB, handshakes.DB) for record in shakes.records(place, seen, ["eth0"])]
    [found] = shakes.judge(handshakes.PLAN, records, shakes.results(sent))
    str(found).encode()


def _packet(data: bytes) -> None:
    """One packet, as each reader of recorded packets reads it. None of them may fail: anybody can send any packet."""
    found = wire.read(data)
    if found is not None:
        wire.rest(data)
    record = RECORD.pack(1.0, 0, TO_HOST, len(data)) + data
    sightings = Sightings(MESH, [meshes.EDGE])
    for kind in (TO_HOST, OUTGOING):
        sightings.add(B.name, ["eth0"], RECORD.pack(1.0, 0, kind, len(data)) + data)
    sightings.assign_untagged()
    hop = Hop("u1", "bridge a", "br")
    trail = Trail({hop: record}, {A.name: record})
    delivery = meshes.assessed(meshes.lost())
    trail.describe(replace(delivery, arrived=None), [hop])
    trail.pcap(record, ETHERNET)
    idle_judging.read_segments(record, idle.NONCE)
    shakes.judge(handshakes.PLAN, list(shakes.records(handshakes.WEB, record, ["eth0"])), {})


def _packets() -> list[bytes]:
    asked = request_payload(MESH, 0)
    udp = IP(src=A.address, dst=B.address) / UDP(sport=41234, dport=PORT) / asked
    layers = [
        udp,
        IP(src=A.address, dst=B.address, options=[])
        / TCP(sport=41234, dport=PORT, flags="PA", options=[("MSS", 1400)])
        / asked,
        IP(src=A.address, dst=B.address) / ICMP() / asked,
        IP(src=A.address, dst=B.address) / UDP() / answer_payload(asked, SECRETS[B.name]),
        IP(src=B.address, dst=A.address) / ICMP(type=3, code=3) / udp,
        IP(src=A.address, dst=B.address) / TCP(flags="R", ack=1),
        IPv6(src="fe80::1", dst="fe80::2") / ICMPv6EchoRequest(data=asked),
    ]
    return [bytes(layer) for layer in layers]


def _one(change: Callable[[Random, bytes], bytes]) -> Callable[[Random, list[bytes]], list[bytes]]:
    def changed(random: Random, parts: list[bytes]) -> list[bytes]:
        place = random.randrange(len(parts))
        return [change(random, part) if number == place else part for number, part in enumerate(parts)]

    return changed


def surfaces() -> list[Surface]:
    """All of them."""
    reply = {"replies": [{"error": None, "length": 2, "source": ["10.0.0.2", 53]},
                         {"error": [110, "ETIMEDOUT", "late"], "length": 0, "source": None}]}  # fmt: skip
    shown = json.dumps([{"ifname": "eth0", "address": "02:42:0a:20:00:02", "addr_info": [{"local": "10.0.0.2"}]}])
    link = netlink.message(
        struct.pack("=BxHiII", 0, 1, 7, 0, 0) + netlink.attribute(3, b"vethx\0") + netlink.attribute(1, netlink.MAC)
    )
    address = netlink.message(struct.pack("=BBBBi", 2, 24, 0, 0, 7) + netlink.attribute(2, bytes([10, 32, 0, 2])))
    mac = netlink.attribute(2, netlink.MAC)
    neighbour = netlink.neighbour(2, 7, 2, netlink.attribute(1, bytes([10, 32, 0, 9])), mac)
    fdb = netlink.neighbour(7, 7, 2, mac)
    dumps = [link, address, neighbour, fdb]
    table = {"sizes": [len(dump) for dump in dumps], "listeners": ["0200200A:0050"]}
    tables = {"spaces": {"found": [[1, "/proc/1/ns/net"]], "names": {"own": 1}, "pids": [[7, 1]]}, "tables": [table]}
    said = IDLE.pack(IDLE_MAGIC, idle.NONCE, 7, USE)
    segment = bytes(IP(src="10.32.0.1", dst="10.32.0.2") / TCP(sport=40000, dport=20001, flags="PA") / said)
    recorded = RECORD.pack(1.5, 0, OUTGOING, len(segment)) + segment
    counts = {
        "u1": streams.answer(left=[{"stream": 0, "sent": 1990, "refused": 10, "error": 1, "left": 1980}],
                             receivers=[{"came": [[1, streams.tally()]], "overflows": 0}]),
        "u2": streams.answer(left=[{"stream": 1, "sent": 2000, "refused": 0, "error": None, "left": 2000}],
                             receivers=[{"came": [[0, streams.tally(gaps=[[5, 2]])]], "overflows": 0}]),
    }  # fmt: skip
    swept = sweeps.answer(sweeps.seen_of(0, {0: 3}, errno=1, errors=[["10.0.0.9", 3, 13, 443]]),
                          elsewhere=[[0, 1, True, 2, 443, "eth1"]], odd=[[0, 22, 2222]])  # fmt: skip
    shake = handshakes.packet(handshakes.SOURCE, handshakes.TARGET, number=handshakes.BASE)
    beats = {"number": 0, "sent_at": [100.0, 100.2, 104.0], "answers": [[0, "0a"], [1, "0b"]]}
    return [
        Surface("agent: messages", [message(reply, b"ok")], _change_message, _queries, REFUSALS, "node u1: "),
        Surface("agent: ip -json", [message({"found": [[shown], [shown]]})], _change_message, _ip_json, REFUSALS,
                "node u1: "),
        Surface("agent: mesh", [meshes.answers(), meshes.lost()], _change_answers, _mesh, REFUSALS),
        Surface("agent: sweep", [swept], change_answer,
                lambda answer: repr([seen.interface for seen in read_out(sweeps.made(), {"u1": answer})]), REFUSALS),
        Surface("agent: tables", [(tables, b"".join(dumps))], change_answer, _tables, REFUSALS),
        Surface("agent: idle connections", [(idle.report(), recorded)], change_answer, _idle, REFUSALS),
        Surface("agent: streams", [counts], change_within, _streams, REFUSALS),
        Surface("agent: flows", [[flows.reply(), flows.record(sent="s2"), {"full": [1, 1], "stood_still": 0.1}]],
                change_within, _flows, REFUSALS),
        Surface("agent: handshakes", [[SYN_RESULT.pack(0, 0, bytes([10, 32, 0, 2]), 7),
                                       RECORD.pack(1.0, 0, OUTGOING, len(shake)) + shake]],
                _one(change_bytes), _shakes, REFUSALS),
        Surface("agent: limits", [{"u1": limits.answer(), "u2": limits.answer()}], change_within,
                lambda answers: repr([*map(str, read_limits(answers, limits.ELSEWHERE).usages)]).encode(), REFUSALS),
        Surface("agent: beats", [beats], change_json,
                lambda flow: str(takeover_judging.judge("u1/a1", flow, "0b", takeover_judging.Moment(1, 100.2),
                                                        takeover_judging.Moment(3, 104.2))).encode(), REFUSALS),
        Surface("captured packets", _packets(), change_bytes, _packet, ()),
    ]  # fmt: skip
