"""Failed tests on the terminal: each message once, the first failures whole, a line for each of the rest."""

from __future__ import annotations

import pytest

from fixtures.evidence.failures import SHOWN, group, without_dump
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u1/a1->u2/a2: lost\n  never seen\nassert [1] == [2]\n  At index 0", "u1/a1->u2/a2: lost\n  never seen"),
        ("said: assert it\nassert x", "said: assert it"),
        ("assert 1 == 2\n +  where 1 = f()", "assert 1 == 2\n +  where 1 = f()"),
        ("raised by hand", "raised by hand"),
    ],
)
def test_the_message_stands_alone(text: str, message: str) -> None:
    assert without_dump(text) == message


def test_failures_are_grouped_by_test_function() -> None:
    ids = ["x.py::f[1]", "x.py::g", "x.py::f[2]", "x.py::f[3[a]]", "y.py::f[1]", "x.py::f[4]"]
    whole, rest = group(ids, shown=2)
    assert whole == ["x.py::f[1]", "x.py::g", "x.py::f[2]", "y.py::f[1]"]
    assert rest == {"x.py::f": ["x.py::f[3[a]]", "x.py::f[4]"]}


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
