"""Failed tests on the terminal: each message once, the first failures whole, a line for each of the rest."""

from __future__ import annotations

import pytest

from fixtures.evidence.failures import reason
from fixtures.evidence.shown_failures import SHOWN
from reports.results import PHASE
from tests.unit.reports.small_suites import ROOT, SmallSuites

pytest_plugins = ["pytester"]

MANY = """
import pytest
from fixtures.session.marks import requirement

LONG = "x" * 3000

@requirement("ONE-1")
@pytest.mark.parametrize("pair", ["a->b", "a->c", "b->a", "b->c"])
def test_pairs(pair):
    \"\"\"A promise.\"\"\"
    assert [pair] == [LONG], f"{pair}: lost\\n  seen leaving a\\n  never seen at b"

@requirement("ONE-2")
def test_alone():
    \"\"\"A promise.\"\"\"
    assert 1 == 2
"""


@pytest.fixture
def suites(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> SmallSuites:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(pytester.path))
    made = SmallSuites(pytester)
    plugins = ["fixtures.session.options", "reports.plugin", "fixtures.evidence.failures"]
    made.write("conftest.py", f"pytest_plugins = {plugins}")
    made.write("suites/one/test_it.py", MANY)
    return made


def test_a_run_prints_each_fact_once(suites: SmallSuites) -> None:
    done = suites.run()
    assert done.verdict == ("not-conformant", 1)
    assert done.output.count("E       never seen at b") == SHOWN
    assert "xxx" not in done.output
    assert "2 more of suites/one/test_it.py::test_pairs" in done.output
    assert "\nb->a: lost\nb->c: lost\n" in done.output
    assert "assert 1 == 2" in done.output  # it has no message, so the values are all there is
    assert "5 failed" in done.output and done.output.count("FAILED suites/") == 5


def test_the_report_has_every_failure_whole(suites: SmallSuites) -> None:
    latest = suites.run().folder / "reports/out/latest"
    assert (latest / "junit.xml").read_text().count("never seen at b") >= 4
    traces = [place.read_text() for place in (latest / "allure-results").glob("*-result.json")]
    assert sum("never seen at b" in text for text in traces) == 4


def test_verbose_prints_all_of_them(suites: SmallSuites) -> None:
    assert suites.run("suites", "-v").output.count("E       never seen at b") == 4


def test_the_reason_is_that_of_the_phase_else_there_is_none() -> None:
    properties = [(PHASE, {"when": "setup", "reason": "no node"}), (PHASE, {"when": "call", "reason": "lost"})]
    for when, expected in (("setup", "no node"), ("call", "lost"), ("teardown", "")):
        report = pytest.TestReport("x.py::f", ("x.py", 1, "f"), {}, "failed", None, when, user_properties=properties)  # type: ignore[arg-type]
        assert reason(report) == expected
