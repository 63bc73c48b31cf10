"""How the agent reads tables, on this machine's own network namespace."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fixtures.existing import netlink
from fixtures.existing.netlink import ADDRESSES, FDBS, LINKS, NEIGHBOURS
from fixtures.probes.agent import tables
from fixtures.probes.agent.kernel import Refusal


class Here:
    """Namespaces of which there is only this one."""

    current = None

    def enter(self, path: object) -> None:
        assert path is None


def own() -> tuple[int, str]:
    return os.stat("/proc/self/ns/net").st_ino, "/proc/self/ns/net"


def read(netns: list[list[Any]], **more: bool) -> tuple[list[Any], list[bytes]]:
    dumps = [[*words, []] for words in (LINKS, ADDRESSES, NEIGHBOURS, FDBS)]
    answers, pieces = tables.read(Here(), {"netns": netns, "dumps": dumps, **more})
    return answers, pieces


def test_the_kernels_tables_are_those_that_the_runner_parses() -> None:
    [answer], pieces = read([list(own())], listeners=True)
    assert answer["sizes"] == [len(piece) for piece in pieces]
    loopback = netlink.links(pieces[0])[0]
    assert (loopback.name, loopback.index) == ("lo", 1)
    assert {entry.index for entry in netlink.addresses(pieces[1])} <= {link.index for link in netlink.links(pieces[0])}
    assert isinstance(netlink.listening(answer["listeners"]), set)
    netlink.neighbours(pieces[2]), netlink.fdb_entries(pieces[3])


def test_a_namespace_that_has_gone_is_answered_by_none() -> None:
    answers, pieces = read([[1, "/proc/0/ns/net"], [1, f"/proc/{os.getpid()}/ns/net"], list(own())])
    assert answers[:2] == [None, None] and answers[2] is not None and len(pieces) == 4


def test_every_namespace_is_found_once() -> None:
    found, names, pids = tables.every_namespace([os.getpid(), 2**22 + 1])
    inode, path = own()
    assert found[inode] == path and names["own"] == inode
    assert pids == {os.getpid(): inode, 2**22 + 1: None}


def test_a_dump_that_is_refused_is_an_error() -> None:
    with pytest.raises(OSError) as error:  # the number is what matters
        tables.dump(0, 9999, bytes(16))
    assert error.value.errno == errno.EOPNOTSUPP


def test_a_table_that_changes_all_the_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(tables, "_dump_once", lambda *words: tried.append(1))
    with pytest.raises(Refusal, match="changes faster than it can be read"):
        tables.dump(0, 18, b"")
    assert len(tried) == tables.MOST_TRIES


def test_only_messages_with_a_needle_are_kept() -> None:
    whole = tables.dump(*LINKS[:2], bytes.fromhex(LINKS[2]))
    some = tables.dump(*LINKS[:2], bytes.fromhex(LINKS[2]), [b"lo\0"])
    assert [link.name for link in netlink.links(some)] == ["lo"] and len(some) <= len(whole)


def test_a_program_that_fails_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "broken-save"
    program.write_text("#!/bin/sh\necho 'no table' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Refusal, match="`broken-save -t nat`: no table"):
        tables._printed("broken-save", "-t", "nat")
    assert tables._printed("no-such-program") is None


@pytest.mark.parametrize(
    ("legacy", "nft", "printed", "found"),
    [
        ([], False, {}, {}),
        (["filter"], False, {}, {}),
        (["nat"], False, {"iptables-legacy-save": "L"}, {"legacy": "L"}),
        (["nat"], False, {"iptables-save": "S"}, {"legacy": "S"}),
        (["nat"], False, {}, {"legacy": None}),
        ([], True, {"nft": "{}"}, {"nft": "{}"}),
        ([], True, {"nft": '"xt"', "iptables-nft-save": "N"}, {"nft": '"xt"', "iptables-nft": "N"}),
        ([], True, {"iptables-nft-save": "N"}, {"nft": None, "iptables-nft": "N"}),
        ([], True, {}, {"nft": None, "iptables-nft": None}),
    ],
)
def test_which_programs_are_asked(
    monkeypatch: pytest.MonkeyPatch, legacy: list[str], nft: bool, printed: dict[str, str], found: dict[str, Any]
) -> None:
    """Only those of back ends that are in use: others would load their modules."""
    monkeypatch.setattr(tables, "_legacy_tables", lambda: legacy)
    monkeypatch.setattr(tables, "_has_nft_tables", lambda: nft)
    monkeypatch.setattr(tables, "_printed", lambda program, *words: printed.get(program))
    assert tables.translations() == found


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_BYTES", 10)
    with pytest.raises(Refusal, match="the tables of 1 namespaces are larger than 10 bytes"):
        read([list(own())])
