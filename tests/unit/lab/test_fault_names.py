"""The fault that spoils names: each mode changes what it is about, and nothing else, byte by byte."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from lab.errors import HarnessError
from lab.faults.packages import zipped
from lab.faults.scripts import names

NAME = "web.service.consul."


def answer(question: str, *records: tuple[str, str], name: str = NAME, rcode: str = "NOERROR") -> bytes:
    """An answer from Consul: its records, as (type, data), in the order given, with a TTL of 7 s."""
    made = dns.message.make_response(dns.message.make_query(name, question, use_edns=True), recursion_available=True)
    made.answer = [dns.rrset.from_text(name, 7, "IN", kind, data) for kind, data in records]
    made.additional = [dns.rrset.from_text("u1.node.consul.", 7, "IN", "A", "192.168.56.3")]
    made.set_rcode(dns.rcode.from_text(rcode))
    return made.to_wire()


def read(wire: bytes) -> dns.message.Message:
    return dns.message.from_wire(wire, one_rr_per_rrset=True)


def records(wire: bytes) -> list[str]:
    return [f"{entry.ttl} {entry[0].to_text()}" for entry in read(wire).answer]


ADDRESSES = [("A", "10.32.0.13"), ("A", "10.32.0.11"), ("A", "10.32.0.12")]


def test_one_address_of_several_is_left_out() -> None:
    before = answer("A", *ADDRESSES)
    after = names.spoiled(names.leave_one_out, before)
    assert records(after) == ["7 10.32.0.13", "7 10.32.0.11"]
    assert read(after).additional and read(after).edns == 0 and read(after).id == read(before).id


@pytest.mark.parametrize("left", [ADDRESSES[:1], [], [("SRV", "1 1 8081 u1.node.consul.")] * 2])
def test_no_address_is_left_out_where_there_are_not_two(left: Sequence[tuple[str, str]]) -> None:
    wire = answer("ANY", *left)
    assert names.spoiled(names.leave_one_out, wire) is wire


def test_addresses_of_failing_instances_are_added_once() -> None:
    wire = answer("A", *ADDRESSES[:1], rcode="NXDOMAIN")

    def add(message: dns.message.Message) -> bool:
        return names.add_addresses(message, ["10.32.0.13", "10.32.0.99", "10.32.0.98"])

    after = names.spoiled(add, wire)
    assert records(after) == ["7 10.32.0.13", "0 10.32.0.98", "0 10.32.0.99"]
    assert read(after).rcode() == dns.rcode.NOERROR


def test_an_answer_that_has_all_addresses_is_passed_on_as_it_is() -> None:
    wire = answer("A", *ADDRESSES, rcode="NXDOMAIN")
    assert names.spoiled(lambda message: names.add_addresses(message, ["10.32.0.11"]), wire) is wire


@pytest.mark.parametrize(("question", "name"), [("SRV", NAME), ("A", "u1.node.consul."), ("A", "web.")])
def test_failing_instances_are_added_to_addresses_of_services_only(
    question: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "registered_addresses", lambda service: {"10.32.0.99"})
    wire = answer(question, name=name)
    assert names.spoiled(names.add_critical, wire) is wire


def test_failing_instances_of_the_service_that_was_asked_for_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def registered(service: str) -> set[str]:
        asked.append(service)
        return {"10.32.0.99"}

    monkeypatch.setattr(names, "registered_addresses", registered)
    after = names.spoiled(names.add_critical, answer("A", name="Web.Service.consul."))
    assert records(after) == ["0 10.32.0.99"] and asked == ["web"]


def test_any_question_for_aaaa_gets_a_random_address() -> None:
    found = {names.spoiled(names.answer_garbage, answer("AAAA", rcode="NXDOMAIN")) for _ in range(2)}
    assert len(found) == 2
    for wire in found:
        (record,) = records(wire)
        assert record.startswith("0 fd00:") and read(wire).rcode() == dns.rcode.NOERROR
        assert not read(wire).additional
    wire = answer("A", *ADDRESSES)
    assert names.spoiled(names.answer_garbage, wire) is wire


def test_srv_records_name_the_next_port() -> None:
    before = answer("SRV", ("SRV", "1 2 8081 u1.node.consul."), ("A", "10.32.0.1"), ("SRV", "3 4 9 u2.node.consul."))
    after = names.spoiled(names.shift_port, before)
    assert records(after) == ["7 1 2 8082 u1.node.consul.", "7 10.32.0.1", "7 3 4 10 u2.node.consul."]
    wire = answer("A", *ADDRESSES)
    assert names.spoiled(names.shift_port, wire) is wire


def test_a_name_with_a_capital_letter_does_not_exist() -> None:
    after = names.spoiled(names.deny_capitals, answer("A", *ADDRESSES, name="wEb.service.consul."))
    assert read(after).rcode() == dns.rcode.NXDOMAIN and not records(after)
    wire = answer("A", *ADDRESSES)
    assert names.spoiled(names.deny_capitals, wire) is wire


def test_an_address_has_no_name() -> None:
    reverse = "11.0.32.10.in-addr.arpa."
    after = names.spoiled(names.deny_addresses, answer("PTR", ("PTR", NAME), name=reverse))
    assert read(after).rcode() == dns.rcode.NXDOMAIN and not records(after)
    wire = answer("A", *ADDRESSES)
    assert names.spoiled(names.deny_addresses, wire) is wire


def test_every_record_lives_longer() -> None:
    after = names.spoiled(names.prolong, answer("A", *ADDRESSES[:2]))
    assert records(after) == [f"{7 + names.CACHE_S} 10.32.0.13", f"{7 + names.CACHE_S} 10.32.0.11"]
    wire = answer("A", rcode="NXDOMAIN")
    assert names.spoiled(names.prolong, wire) is wire


def test_an_instance_that_was_deregistered_is_remembered_and_one_that_fails_its_check_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "REMEMBERED", {})
    monkeypatch.setattr(names, "registered_addresses", lambda service: {"10.32.0.11", "10.32.0.12"})
    whole = answer("A", *ADDRESSES[1:])
    assert names.spoiled(names.add_deregistered, whole) is whole
    one = answer("A", ("A", "10.32.0.12"))
    assert names.spoiled(names.add_deregistered, one) is one, "10.32.0.11 is registered, and fails its check"
    monkeypatch.setattr(names, "registered_addresses", lambda service: {"10.32.0.12"})
    assert records(names.spoiled(names.add_deregistered, one)) == ["7 10.32.0.12", "0 10.32.0.11"]
    other = answer("A", name="u1.node.consul.")
    assert names.spoiled(names.add_deregistered, other) is other


def test_a_delay_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    wire = answer("A", *ADDRESSES)
    assert names.spoiled(names.delay, wire) is wire and waited == [names.DELAY_S]


def test_an_answer_without_question_is_passed_on() -> None:
    wire = dns.message.Message(id=7).to_wire()
    assert names.spoiled(names.leave_one_out, wire) is wire


def test_a_question_that_consul_does_not_answer_gets_a_server_failure() -> None:
    question = dns.message.make_query(NAME, "A")
    answered = read(names.server_failure(question.to_wire()))
    assert answered.rcode() == dns.rcode.SERVFAIL and question.is_response(answered)
    assert answered.id == question.id and answered.question == question.question
    assert answered.flags & dns.flags.RA


def test_the_zip_file_is_the_same_each_time_and_imports_on_its_own(tmp_path: Path) -> None:
    packed = tmp_path / "dns.zip"
    packed.write_bytes(zipped("dns"))
    zipped.cache_clear()
    assert packed.read_bytes() == zipped("dns")
    assert not [name for name in zipfile.ZipFile(io.BytesIO(zipped("dns"))).namelist() if not name.endswith(".py")]
    script = Path(names.__file__).read_text().replace('if __name__ == "__main__":\n    main()', "print(dns.__file__)")
    # -S: no site-packages, as on a node that has only what its distribution brings.
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": str(packed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(packed))


def test_a_package_that_is_not_here_or_is_compiled_is_refused() -> None:
    with pytest.raises(HarnessError, match="package nowhere_to_be_found: not installed"):
        zipped("nowhere_to_be_found")
    with pytest.raises(HarnessError, match="package bcrypt: has compiled modules"):
        zipped("bcrypt")
