"""What a service of a test insists on before it compares answers: instances that pass, and an answer with addresses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.containers.fleet import Container
from fixtures.control_plane.observation import InstanceState, Observation
from fixtures.control_plane.registry import Registry
from fixtures.dns import services
from fixtures.dns.messages import ADDRESSES, Answer, DnsTransport
from fixtures.dns.services import Instance, Service
from fixtures.evidence import waiting
from lab.inventory import Family
from reports.model import NotProved

ADDRESS, OTHER = "10.32.0.4", "10.32.0.5"
UP, DOWN = InstanceState(True, (7,)), InstanceState(False, (9,))


class Consul:
    """A registry that lists what it is told to, one state after the other; the last one stays."""

    settings = SimpleNamespace(domain="consul")
    patience = 1.0

    def __init__(self, states: Sequence[InstanceState]) -> None:
        self.states = list(states)

    def observe(self, service: str, without: Sequence[object] = ()) -> Observation:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        view = {"web-1": state, "web-2": state}
        now = time.monotonic()
        return Observation(now, now, {"u1": view, "u2": view}, view)


def service(*states: InstanceState) -> Service:
    made = Service(cast(Registry, Consul(states)), "web", ())
    for number, address in enumerate((ADDRESS, OTHER), 1):
        instance = Instance(f"web-{number}", cast(Container, None), address, 80)
        made.instances[instance.id] = instance
        made._addresses[instance.id] = address
    return made


def answer(*records: str, rcode: str = "NOERROR") -> Answer:
    return Answer("u1", "127.0.0.1", "web.service.consul", "A", DnsTransport.UDP, rcode, records)


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PATIENCE_S", -1.0)
    monkeypatch.setattr(services, "HEALTH_CHANGE_S", 9.0)
    monkeypatch.setattr(waiting, "LATE_FACTOR", 0.0)


def test_no_address_where_none_is_owed_proves_nothing() -> None:
    with pytest.raises(NotProved, match="web: no instance passes, so answers without addresses prove nothing: u1 ask"):
        service(DOWN).ask_until_certain(lambda: [answer(rcode="NXDOMAIN")])
    with pytest.raises(NotProved, match="prove nothing"):
        service(UP).ask_until_certain(list)


def test_an_address_where_none_is_owed_is_wrong() -> None:
    (wrong,) = service(DOWN).ask_until_certain(lambda: [answer(ADDRESS)]).wrong
    assert wrong.startswith(f"u1 gets addresses without a passing instance: {ADDRESS}: ")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "no answer (ETIMEDOUT)", "unreadable (it is empty)"])
def test_an_answer_that_says_nothing_is_wrong_even_where_no_address_is_owed(rcode: str) -> None:
    (wrong,) = service(DOWN).ask_until_certain(lambda: [answer(rcode=rcode)]).wrong
    assert wrong.startswith("u1 gets no answer that says what the name leads to: ")


def test_a_right_answer_is_compared() -> None:
    judged = service(UP).ask_until_certain(lambda: [answer(ADDRESS, OTHER)])
    assert not judged.wrong and not judged.vacuous


def test_a_partial_answer_is_asked_for_until_it_is_certain_what_is_right() -> None:
    changing = (DOWN, UP, UP)
    with pytest.raises(NotProved, match="kept changing"):
        service(*changing).ask_until_certain(lambda: [answer()], partial=True)
    judged = service(UP).ask_until_certain(lambda: [answer(ADDRESS)], partial=True)
    assert judged.expectation.exact and not judged.faults_even_if_partial


def test_instances_that_do_not_pass_are_told_and_not_passed_over() -> None:
    service(UP).wait_until_passing()
    with pytest.raises(NotProved, match=r"^not every instance of web passes: all servers list web-1"):
        service(DOWN).wait_until_passing()
    without = service(UP)
    without.instances.clear()
    with pytest.raises(NotProved, match="web has no instance"):
        without.wait_until_passing()


@pytest.mark.parametrize(("family", "address"), [(Family.V4, ADDRESS), (Family.V6, "fd00:10:32::4")])
def test_instances_are_registered_with_their_address_of_that_family(family: Family, address: str) -> None:
    registered: list[dict[str, Any]] = []
    client = SimpleNamespace(
        agent=SimpleNamespace(
            service=SimpleNamespace(register=lambda name, **words: registered.append(words)),
            check=SimpleNamespace(ttl_pass=lambda *words: None),
        )
    )
    registry = SimpleNamespace(
        meta={}, call_nearest=lambda node, do: do(client), call=lambda agent, do: do(client), patience=1.0
    )
    addresses = {Family.V4: ADDRESS, Family.V6: "fd00:10:32::4"}
    container = SimpleNamespace(id="1", name="web", node="u1", port=80, address=ADDRESS, address_in=addresses.get)
    made = Service(cast(Registry, registry), "web", ())
    assert made.follow([cast(Container, container)], checked=False, family=family)
    assert made.addresses() == {address} and [words["address"] for words in registered] == [address]


def test_records_of_a_family() -> None:
    assert ADDRESSES == {Family.V4: "A", Family.V6: "AAAA"}
