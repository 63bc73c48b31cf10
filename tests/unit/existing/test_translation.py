"""DNAT rules, in what iptables and nft print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.existing.translation import MOST_ADDRESSES, find, from_nft, from_save

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.32.0.5:80
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT -d 127.0.0.11/32 -p udp -j DNAT --to-destination 127.0.0.11:4242
-A POSTROUTING -j MASQUERADE
-A PREROUTING -j DNAT --to-destination 10.32.0.5-10.32.0.7:80-90
-A PREROUTING -d 10.9.0.0/24 -j NETMAP --to 10.32.0.0/24
COMMIT
"""


def test_rules_of_iptables() -> None:
    found = from_save("u1", SAVED)
    assert [rule.addresses for rule in found] == [
        ("10.32.0.5",), ("127.0.0.11",), ("10.32.0.5", "10.32.0.6", "10.32.0.7"), (),
    ]  # fmt: skip
    assert found[0].rule.startswith("-A PREROUTING -p tcp") and found[0].namespace == "u1"


@pytest.mark.parametrize(("last", "count"), [(MOST_ADDRESSES, MOST_ADDRESSES), (MOST_ADDRESSES + 1, 0), (0, 0)])
def test_a_range_that_is_too_large_or_backwards_is_not_understood(last: int, count: int) -> None:
    [rule] = from_save("u1", f"-A X -j DNAT --to-destination 10.32.0.1-10.32.0.{last}")
    assert len(rule.addresses) == count


def ruleset(*expressions: dict[str, Any], family: str = "ip", maps: dict[str, Any] | None = None) -> dict[str, Any]:
    entries = [
        {"map": {"family": family, "table": "t", "name": name, "elem": elem}} for name, elem in (maps or {}).items()
    ]
    rules = [{"rule": {"family": family, "table": "t", "chain": "c", "expr": [one]}} for one in expressions]
    return {"nftables": [{"metainfo": {}}, {"table": {"family": family, "name": "t"}}, *entries, *rules]}


MAP = {"map": {"key": {"payload": {}}, "data": {"set": [[81, "10.32.0.5"], [82, "10.32.0.6"]]}}}
NAMED = {"map": {"key": {"payload": {}}, "data": "@m"}}


@pytest.mark.parametrize(
    ("target", "addresses"),
    [
        ({"addr": "10.32.0.5", "port": 80}, ("10.32.0.5",)),
        ({"addr": {"range": ["10.32.0.5", "10.32.0.6"]}}, ("10.32.0.5", "10.32.0.6")),
        ({"addr": MAP}, ("10.32.0.5", "10.32.0.6")),
        ({"addr": NAMED}, ("10.32.0.7", "10.32.0.8")),
        ({"addr": {"map": {"data": "@unknown"}}}, ()),
        ({"addr": {"numgen": {}}}, ()),
        ({"addr": "host.example"}, ()),
        ({"addr": {"map": {"data": {"set": [[81, "10.32.0.5"], 7]}}}}, ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_rules_of_nft(target: Any, addresses: tuple[str, ...]) -> None:
    maps = {"m": [[81, {"concat": ["10.32.0.7", 80]}], [82, "10.32.0.8"]]}
    [rule] = from_nft("u1", ruleset({"dnat": target}, maps=maps), compatible=True)
    assert rule.addresses == addresses and rule.rule.startswith("nft ip t c ")


def test_rules_of_nft_that_lead_nowhere_else() -> None:
    quiet: list[dict[str, Any]] = [
        {"dnat": {"port": 80}},
        {"dnat": {"addr": "fd00::1", "family": "ip6"}},
        {"accept": None},
        {"dnat": {"addr": NAMED}},
    ]
    assert from_nft("u1", ruleset(*quiet, maps={"m": []}), compatible=True) == []
    assert from_nft("u1", ruleset({"dnat": {"addr": "10.32.0.5"}}, family="ip6"), compatible=True) == []


@pytest.mark.parametrize(
    ("extension", "compatible", "unknown"),
    [
        ({"type": "target", "name": "DNAT"}, False, True),
        ({"type": "target", "name": "DNAT"}, True, False),
        ({"type": "target", "name": "MASQUERADE"}, False, False),
        ({"type": "match", "name": "addrtype"}, False, False),
        (None, False, True),
    ],
)
def test_rules_that_only_iptables_can_show(extension: Any, compatible: bool, unknown: bool) -> None:
    found = from_nft("u1", ruleset({"xt": extension}), compatible=compatible)
    assert [rule.addresses for rule in found] == ([()] if unknown else [])


def test_what_no_program_shows_is_not_understood() -> None:
    assert [rule.addresses for rule in find("u1", {"legacy": None})] == [()]
    assert [rule.addresses for rule in find("u1", {"nft": None, "iptables-nft": None})] == [()]
    assert find("u1", {}) == [] and find("u1", {"legacy": "*nat\n"}) == []


def test_both_back_ends_are_read_once() -> None:
    text = json.dumps(ruleset({"dnat": {"addr": "10.32.0.5"}}))
    found = find("u1", {"legacy": SAVED, "iptables-nft": SAVED, "nft": text})
    assert len(found) == 5 and find("u1", {"nft": None, "iptables-nft": SAVED}) == from_save("u1", SAVED)
    with pytest.raises(ValueError, match="Expecting value"):
        find("u1", {"nft": "not JSON"})
