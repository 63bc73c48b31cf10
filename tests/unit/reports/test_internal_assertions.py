"""An assertion fails a requirement only where a suite made it; elsewhere the instrument is broken."""

from __future__ import annotations

import pytest

from tests.unit.reports.small_suites import SmallSuites

pytest_plugins = ["pytester"]

MACHINERY = """
from fixtures.evidence.waiting import eventually
from fixtures.probes.blocked import Leaked


def internal(value):
    assert value is not None


def leaks():
    raise Leaked("u1 reached u2")


def never():
    eventually(lambda: 0, lambda value: value, within_s=0, what="the count")


def calls(check):
    check()
"""
"""Machinery that suites call; it lies outside suites."""


@pytest.mark.parametrize(
    ("body", "verdict", "status", "reason"),
    [
        ("machinery.internal(None)", ("error", 3), "error", "machinery.py:7: an assertion of the instrument failed"),
        ("machinery.leaks()", ("not-conformant", 1), "fail", "u1 reached u2"),
        ("machinery.never()", ("not-conformant", 1), "fail", "the count: not within 0 s"),
        ("machinery.calls(claim)", ("not-conformant", 1), "fail", "the claim"),
        ("machinery.calls(lambda: pytest.fail('the claim'))", ("not-conformant", 1), "fail", "the claim"),
    ],
)
def test_only_a_claim_of_a_suite_fails_a_requirement(
    suites: SmallSuites, body: str, verdict: tuple[str, int], status: str, reason: str
) -> None:
    suites.write("machinery.py", MACHINERY)
    head = f"import sys\nsys.path.insert(0, {str(suites.folder)!r})\nimport machinery"
    claim = 'def claim():\n    assert False, "the claim"'
    suites.suite("one", one=f"ONE-1:\n{head}\n{claim}\n{body}")
    done = suites.run()
    assert (done.verdict, done.statuses["ONE-1"]) == (verdict, status), done.output
    assert reason in done.reason("ONE-1")
    (result,) = (done.folder / "reports/out/latest/allure-results").glob("*-result.json")
    assert f'"status": "{"broken" if status == "error" else "failed"}"' in result.read_text()
