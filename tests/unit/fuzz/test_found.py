"""What fuzzing found, one test each: a traceback, a hang, two lines for one, or an answer that became a command."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.message
import dns.rrset
import pytest
import requests
from ruamel.yaml import YAML
from urllib3 import HTTPResponse

from fixtures.dns.messages import DnsTransport, decode, encode, read_resolv_conf
from fixtures.existing.contract import load_contract
from fixtures.existing.reading import read_tables
from fixtures.probes.client import AgentClient
from fixtures.probes.sweep import read_out
from lab.access import http, shell
from lab.discovery.cluster import interpret
from lab.discovery.writing import write
from lab.errors import HarnessError, InventoryError, UsageError
from lab.inventory import load
from reports.reading import read_yaml
from tests.fuzz.agents import _Replies, message
from tests.unit.lab.test_api_clients import NODE, NoShell
from tests.unit.lab.test_discovery import network, survey
from tests.unit.probes import test_sweep as sweeps

CLUSTER = {
    "name": "x",
    "ssh": {"key": "KEY", "known_hosts": "k"},
    "nodes": [{"name": "u1", "address": "192.168.56.3"}],
    "overlay": {"name": "vxlan", "subnets": {"a": "10.32.0.0/24"}},
}
BOMB = "a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def refused(tmp_path: Path, text: str) -> str:
    place = tmp_path / "cluster.yaml"
    place.write_text(text)
    (tmp_path / "k").touch()
    with pytest.raises(InventoryError) as caught:
        load(place)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{place}: ")


@pytest.mark.parametrize(
    ("key", "said"),
    [("x" * 5000, "File name too long; correct the path"), ("~nobody-here/x", "there is no such user; correct")],
)
def test_a_key_path_that_cannot_be(tmp_path: Path, key: str, said: str) -> None:
    text = refused(tmp_path, json.dumps(CLUSTER).replace("KEY", key))
    assert text.startswith("nodes.u1.ssh.key: ") and said in text and len(text) < 300


@pytest.mark.parametrize("text", ["[" * 3000, "{a: " * 3000, "- " * 3000])
def test_what_is_nested_too_deep(tmp_path: Path, text: str) -> None:
    assert "nested deeper than 40 levels" in refused(tmp_path, f"name: {text}" if text[0] != "-" else text)
    place = tmp_path / "contract.yaml"
    place.write_text(text)
    with pytest.raises(UsageError, match="nested deeper than 40 levels"):
        load_contract(place)
    with pytest.raises(ValueError, match="nested deeper than 40 levels"):
        read_yaml(place)


def test_aliases_that_grow_without_end(tmp_path: Path) -> None:
    assert "more than 100000 values, with aliases followed" in refused(tmp_path, BOMB)
    assert "more than 100000 values" in refused(tmp_path, "a: &a [*a]\n")
    (tmp_path / "x.yaml").write_text(BOMB)
    with pytest.raises(ValueError, match="more than 100000 values"):
        read_yaml(tmp_path / "x.yaml")


def test_a_file_without_end(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="has more than 4194304 characters"):
        load(Path("/dev/zero"))
    with pytest.raises(ValueError, match="has more than 4194304 characters"):
        read_yaml(Path("/dev/zero"))


def test_a_key_with_a_line_end_in_it(tmp_path: Path) -> None:
    said = refused(tmp_path, json.dumps({**CLUSTER, "a\n\x1b[31mb": 1}))
    assert "a\\n\\x1b[31mb: unknown key" in said


def test_many_wrong_keys_are_not_all_told(tmp_path: Path) -> None:
    said = refused(tmp_path, json.dumps({**CLUSTER, **{f"k{number}": 1 for number in range(50)}}))
    assert said.endswith("and 40 more wrong keys")


def test_an_answer_of_another_class_has_no_records() -> None:
    question = encode("web.service.consul", "SRV", DnsTransport.UDP)
    answer = dns.message.make_response(dns.message.from_wire(question.message))
    for section, line in ((answer.answer, r"\# 3 616263"), (answer.additional, r"\# 4 0a000007")):
        section.append(dns.rrset.from_text("web.service.consul.", 0, "CH", "SRV", line))
    read = decode("u1", "10.0.0.1", question, answer.to_wire(), None)
    assert (read.records, read.additional, read.targets, read.addresses) == ((), (), (), frozenset())


@pytest.mark.parametrize("line", ["search a..b", f"domain {'x' * 70}.example", "search \\999"])
def test_a_search_list_that_is_wrong_does_not_hide_the_servers(line: str) -> None:
    assert read_resolv_conf(f"{line}\nnameserver 10.0.0.1\n").servers == ("10.0.0.1",)


def test_a_name_server_that_is_none() -> None:
    with pytest.raises(ValueError, match="it cannot be read") as caught:
        read_resolv_conf(f"nameserver {'9' * 5000}\n")
    assert len(str(caught.value)) < 200


def test_an_answer_of_a_node_becomes_no_key_of_the_cluster_file() -> None:
    """`power` and `passphrase_command` are commands that the runner executes."""
    evil = "20.10\npower: {off: [touch, /tmp/owned], on: ['true']}\nssh: {passphrase_command: [id]}\n#"
    found = survey("u1", network("web\u2028power: x", "overlay"))
    assert found.engine is not None
    engine = replace(found.engine, info={"Name": "u1", "OperatingSystem": evil}, version={"Version": evil})
    text = write(interpret([replace(found, engine=engine)], name="x", command="c", ssh={}, common={}))
    data = YAML(typ="safe", pure=True).load(text)
    assert "power" not in data and "power" not in data["nodes"][0] and "passphrase_command" not in str(data)


def test_tables_that_are_cut_off_are_an_error_of_the_instrument() -> None:
    answer = {"tables": [{"sizes": [18, 0, 0, 0], "listeners": []}]}
    agent = SimpleNamespace(call=lambda *_, **__: (answer, b"\x12\0\0\0" + bytes(14)))
    node: Any = SimpleNamespace(name="u1", agent=agent)
    with pytest.raises(HarnessError, match="u1: its tables: its answer cannot be read"):
        read_tables(node, [(1, "/proc/1/ns/net", "u1")])


def test_bitmaps_that_unpack_to_far_more_are_refused() -> None:
    words, _ = sweeps.answer(sweeps.seen_of(0, {0: 3}))
    with pytest.raises(HarnessError, match="records of a sweep"):
        read_out(sweeps.made(), {"u1": (words, zlib.compress(bytes(100)))})
    bomb = zlib.compress(bytes(64 << 20))
    tracemalloc.start()
    read_out(sweeps.made(), {"u1": (words, bomb)})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("words", [[], "x", 7, None, [["refused", 1]]])
def test_a_reply_that_is_not_a_mapping_is_garbled(words: object) -> None:
    client = AgentClient(_Replies(message(words)), "u1")
    with pytest.raises(HarnessError, match="node u1: the probe agent did not do 'hello': its reply is garbled"):
        client.call("hello")
    assert not client.alive


class Endless:
    """A channel whose command prints without end."""

    def __init__(self, *, on_stderr: bool) -> None:
        self.on_stderr, self.closed = on_stderr, False

    def recv(self, size: int, /) -> bytes:
        return b"" if self.on_stderr or self.closed else bytes(size)

    def recv_stderr(self, size: int, /) -> bytes:
        return bytes(size) if self.on_stderr and not self.closed else b""

    def close(self) -> None:
        self.closed = True

    def settimeout(self, seconds: float | None, /) -> None:
        """It never waits."""

    def shutdown_write(self) -> None:
        """It reads nothing."""

    def recv_exit_status(self) -> int:
        return 0


@pytest.mark.parametrize("on_stderr", [False, True])
def test_a_command_that_prints_without_end(monkeypatch: pytest.MonkeyPatch, on_stderr: bool) -> None:
    monkeypatch.setattr(shell, "MOST_OUTPUT", 1 << 20)

    class Printing(NoShell):
        def channel(self, *_: Any, **__: Any) -> Any:
            return Endless(on_stderr=on_stderr)

    with pytest.raises(HarnessError, match="node u1: yes: it printed more than 1048576 bytes"):
        Printing(NODE).run("yes")


def test_a_body_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BODY", 1 << 20)

    class Body:
        closed = False

        def read(self, size: int = -1) -> bytes:
            return bytes(max(size, 1))

        def close(self) -> None:
            self.closed = True

    response = requests.Response()
    response.raw = HTTPResponse(Body(), preload_content=False)  # type: ignore[arg-type]  # it has what is used
    with pytest.raises(requests.ConnectionError, match="goes on after"):
        http._read_body(response)
