"""The report plugin on small suites: exit codes, statuses and files of DESIGN §8."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.reports.small_suites import KEYS, REQUIREMENT_KEYS, SmallSuites

pytest_plugins = ["pytester"]

PASSES = "ONE-1: assert True"
FAILS = 'ONE-1: assert 1 == 2, "one is two"'
BOTH = {"one": PASSES, "two": "ONE-2: assert True"}


def test_all_pass(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    done = suites.run()
    assert done.verdict == ("conformant", 0)
    assert done.statuses == {"ONE-1": "pass", "ONE-2": "pass"}
    assert done.last_line.startswith("verdict: conformant (2 pass) · reports/out/")


def test_the_keys_of_the_document_are_those_of_the_design(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    document = suites.run().document
    assert set(document) == KEYS
    assert {frozenset(entry) for entry in document["requirements"].values()} == {frozenset(REQUIREMENT_KEYS)}
    assert document["requirements"]["ONE-1"] == {
        "level": "must",
        "status": "pass",
        "planned": 1,
        "passed": 1,
        "failed": 0,
        "errors": 0,
        "reason": "",
        "tests": ["suites/one/test_it.py::test_one"],
    }
    assert document["probes"] == {"sent": 0}


def test_the_folder_of_a_run_holds_every_format(suites: SmallSuites) -> None:
    suites.suite("one", one=FAILS)
    done = suites.run()
    latest = done.folder / "reports/out/latest"
    assert latest.is_symlink() and latest.resolve().parent == done.folder / "reports/out"
    made = {place.name for place in latest.iterdir()}
    assert {"verdict.json", "summary.md", "junit.xml", "allure-results", "index.html"} <= made
    assert "one is two" in (latest / "summary.md").read_text() and "one is two" in (latest / "index.html").read_text()
    assert "note: index.html is the plain one: node or" in done.output
    results = [place.read_text() for place in (latest / "allure-results").glob("*-result.json")]
    assert len(results) == 1 and '"ONE-1"' in results[0] and "A promise." in results[0]


VERDICTS: dict[str, tuple[dict[str, str], tuple[str, int], dict[str, str], str]] = {
    "a failure": ({"one": FAILS, "two": "ONE-2: assert True"}, ("not-conformant", 1), {"ONE-1": "fail"}, "one is two"),
    "pytest.fail": ({"one": 'ONE-1: pytest.fail("broken")'}, ("not-conformant", 1), {"ONE-1": "fail"}, "broken"),
    "a failure and an error": (
        {"one": FAILS, "two": 'ONE-2: raise HarnessError("node u1: lost")'},
        ("not-conformant", 1),
        {"ONE-1": "fail", "ONE-2": "error"},
        "one is two",
    ),
    "an instrument that fails": (
        {"one": 'ONE-1: raise HarnessError("node u1: lost")'},
        ("error", 3),
        {"ONE-1": "error"},
        "node u1: lost",
    ),
    "any other exception": ({"one": "ONE-1: {}[1]"}, ("error", 3), {"ONE-1": "error"}, "1"),
    "not proved": (
        {"one": 'ONE-1: raise NotProved("no control")', "two": "ONE-2: assert True"},
        ("not-proved", 0),
        {"ONE-1": "not-proved", "ONE-2": "pass"},
        "no control",
    ),
    "a should that is not proved": (
        {"one": PASSES, "two": 'ONE-2: raise NotProved("no control")'},
        ("conformant", 0),
        {"ONE-1": "pass", "ONE-2": "not-proved"},
        "",
    ),
    "not proved beside a pass": (
        {"one": PASSES, "more": 'ONE-1: raise NotProved("no control")', "two": "ONE-2: assert True"},
        ("not-proved", 0),
        {"ONE-1": "not-proved"},
        "no control",
    ),
    "all skipped": (
        {"one": 'ONE-1: pytest.skip("no second node")', "two": 'ONE-2: pytest.skip("x")'},
        ("not-proved", 6),
        {"ONE-1": "not-proved"},
        "no second node",
    ),
    "one skipped of two": (
        {"one": PASSES, "two": 'ONE-1: pytest.skip("x")', "more": "ONE-2: assert True"},
        ("not-proved", 0),
        {"ONE-1": "not-proved", "ONE-2": "pass"},
        "skipped, although it applies: x",
    ),
    "expected to fail": (
        {"one": PASSES, "more": 'ONE-1: pytest.xfail("we know")'},
        ("not-proved", 6),
        {"ONE-1": "not-proved"},
        "--known-issues is the place",
    ),
    "no test for it": (
        {"two": "ONE-2: assert True"},
        ("not-proved", 0),
        {"ONE-1": "not-proved"},
        "no test was collected",
    ),
    "a requirement of another folder fails": (
        {"one": PASSES, "two": "TWO-1: assert False"},
        ("not-conformant", 1),
        {"ONE-1": "pass"},
        "",
    ),
    "an unknown requirement": ({"one": PASSES, "two": "ONE-9: assert True"}, ("error", 3), {"ONE-1": "pass"}, ""),
    "a failure without a requirement": ({"one": PASSES, "two": ": assert False"}, ("not-conformant", 1), {}, ""),
    "an error without a requirement": ({"one": PASSES, "two": ": {}[1]"}, ("error", 3), {}, ""),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_of(suites: SmallSuites, case: str) -> None:
    tests, verdict, statuses, reason = VERDICTS[case]
    suites.suite("one", **tests)
    done = suites.run()
    assert done.verdict == verdict, done.output
    assert done.statuses.items() >= statuses.items()
    assert reason in done.reason("ONE-1") and bool(reason) is bool(done.reason("ONE-1"))


def fixture_test(body: str) -> str:
    return (
        "import pytest\nfrom fixtures.session.marks import NotProved, requirement\n\n"
        f"@pytest.fixture\ndef thing():\n{body}\n\n"
        '@requirement("ONE-1")\ndef test_it(thing):\n    """A promise."""\n    assert True\n'
    )


@pytest.mark.parametrize(
    ("body", "verdict", "status"),
    [
        ("    assert False, 'set-up'", ("error", 3), "error"),
        ("    yield\n    assert False, 'tear-down'", ("error", 3), "error"),
        ("    yield\n    raise OSError('tear-down')", ("error", 3), "error"),
        ("    raise NotProved('set-up')", ("not-proved", 6), "not-proved"),
        ("    pytest.skip('set-up')", ("not-proved", 6), "not-proved"),
        ("    yield\n    raise NotProved('tear-down')", ("not-proved", 6), "not-proved"),
    ],
)
def test_trouble_around_a_test(suites: SmallSuites, body: str, verdict: tuple[str, int], status: str) -> None:
    suites.write("suites/one/test_it.py", fixture_test(body))
    done = suites.run()
    assert (done.verdict, done.statuses["ONE-1"]) == (verdict, status), done.output


def test_a_failure_outweighs_an_error_of_the_teardown(suites: SmallSuites) -> None:
    text = fixture_test("    yield\n    raise OSError('tear-down')").replace("assert True", "assert False")
    suites.write("suites/one/test_it.py", text)
    assert suites.run().verdict == ("not-conformant", 1)


RERUN = """
import pytest
from _pytest.runner import runtestprotocol

pytest_plugins = ["fixtures.session.options", "reports.plugin"]


def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            if attempt == 0 and report.outcome == "failed":
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if all(report.passed for report in reports):
            break
    return True
"""


@pytest.mark.parametrize(
    ("first", "verdict"), [("assert tries > 1", ("not-conformant", 1)), ("{1: 1}[tries - 1]", ("error", 3))]
)
def test_a_retry_does_not_turn_a_failure_into_a_pass(suites: SmallSuites, first: str, verdict: tuple[str, int]) -> None:
    suites.write("conftest.py", RERUN)
    body = f'ONE-1:\nwith open("tries", "a+") as file:\n    file.write("x")\n    tries = file.tell()\n{first}'
    suites.suite("one", one=body)
    done = suites.run()
    assert Path(suites.folder / "tries").read_text() == "xx"
    assert done.verdict == verdict, done.output


def test_nothing_collected(suites: SmallSuites) -> None:
    suites.write("suites/one/test_it.py", "")
    done = suites.run()
    assert done.verdict == ("not-proved", 5)


def test_nothing_selected(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    done = suites.run("suites", "-k", "nothing_like_it")
    assert done.verdict == ("not-proved", 5)
    assert done.reason("ONE-1") == "collected, but never run"


def test_what_was_left_out_is_not_proved(suites: SmallSuites) -> None:
    suites.suite("one", one=PASSES, more=PASSES, two="ONE-2: assert True")
    done = suites.run("suites", "-k", "not more")
    assert done.verdict == ("not-proved", 0)
    assert done.statuses == {"ONE-1": "not-proved", "ONE-2": "pass"}
    assert done.reason("ONE-1") == "1 of 2 tests were not run"


def test_a_run_that_stops_early_proves_no_more_than_it_ran(suites: SmallSuites) -> None:
    suites.suite("one", a='ONE-2: raise NotProved("x")', b=PASSES)
    done = suites.run("suites", "-x")
    assert done.verdict == ("not-proved", 6)
    assert done.reason("ONE-1") == "collected, but never run"


def test_without_a_value_for_a_parameter_nothing_is_proved(suites: SmallSuites) -> None:
    suites.suite("one", one=PASSES, two="ONE-2: assert True")
    text = '@requirement("ONE-1")\n@pytest.mark.parametrize("pair", [])\ndef test_pairs(pair):\n    assert False\n'
    place = suites.folder / "suites/one/test_it.py"
    place.write_text(f"{place.read_text()}\n\n{text}")
    done = suites.run()
    assert done.verdict == ("not-proved", 0)
    assert "skipped, although it applies: got empty parameter set" in done.reason("ONE-1")


def test_a_suite_that_cannot_be_imported_is_an_error(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    suites.write("suites/one/test_broken.py", "import nothing_like_it")
    assert suites.run().verdict == ("error", 2)
    assert suites.run("suites", "--continue-on-collection-errors").verdict == ("error", 3)


def test_a_test_without_a_requirement_that_fails_is_named(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    suites.write("suites/elsewhere/test_stray.py", "def test_stray():\n    raise OSError('no socket')")
    done = suites.run()
    assert done.verdict == ("error", 3)
    assert "test_stray proves no requirement that is judged here; error: no socket" in done.output


def test_interrupted(suites: SmallSuites) -> None:
    suites.suite("one", one=PASSES, two="ONE-2: raise KeyboardInterrupt")
    done = suites.run(apart=True)
    assert done.verdict == ("error", 2)
    assert done.statuses == {"ONE-1": "pass", "ONE-2": "error"}
    assert done.reason("ONE-2") == "it began and never ended"


def test_an_unusable_lab(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    suites.write(
        "conftest.py",
        """
        import pytest
        pytest_plugins = ["fixtures.session.options", "reports.plugin"]

        def pytest_runtestloop(session):
            pytest.exit("node u1: refuses", returncode=3)
        """,
    )
    done = suites.run()
    assert done.verdict == ("error", 3)
    assert done.statuses == {}
    assert "verdict: error (no requirement was judged) · reports/out/" in done.output


FACTS_KNOWN = """
import pytest
from reports.plugin import REPORT

pytest_plugins = ["fixtures.session.options", "reports.plugin", "fixtures.session.version"]


def pytest_runtestloop(session):
    session.config.stash[REPORT].facts = {"nodes": 3}
"""
"""A conftest that tells the facts of a cluster, as the session's life does once it is up."""


def test_an_error_outranks_not_applicable(suites: SmallSuites) -> None:
    suites.write("conftest.py", FACTS_KNOWN)
    suites.suite("one", **BOTH)
    suites.suite("two", one="TWO-2: assert True", two="TWO-1: assert True")
    assert suites.run().statuses["TWO-2"] == "not-applicable"
    suites.suite("two", one='TWO-2: raise HarnessError("node u1: lost")', two="TWO-1: assert True")
    done = suites.run()
    assert done.verdict == ("error", 3)
    assert (done.statuses["TWO-2"], done.reason("TWO-2")) == ("error", "node u1: lost")


def test_gate(suites: SmallSuites) -> None:
    suites.write("conftest.py", FACTS_KNOWN)
    suites.suite("one", **BOTH)
    done = suites.run("suites", "--gate")
    assert done.verdict == ("not-proved", 6)
    assert done.statuses == {"ONE-1": "pass", "ONE-2": "pass", "TWO-1": "not-proved", "TWO-2": "not-applicable"}
    assert done.reason("TWO-1") == "suites/two was not run"
    suites.suite("two", one="TWO-1: assert True")
    assert suites.run("suites", "--gate").verdict == ("conformant", 0)
    suites.suite("two", one="TWO-1: assert False")
    assert suites.run("suites", "--gate").verdict == ("not-conformant", 1)
    assert suites.run("suites/one/test_it.py::test_one", "--gate").code == 4


def test_one_folder_judges_its_own_requirements(suites: SmallSuites) -> None:
    suites.suite("one", **BOTH)
    suites.suite("two", one="TWO-1: assert False")
    assert suites.run("suites/one").statuses == {"ONE-1": "pass", "ONE-2": "pass"}
    assert suites.run("suites/two").verdict == ("not-conformant", 1)


def test_proofs_that_may_not_disturb_are_not_missed(suites: SmallSuites) -> None:
    suites.write(
        "conftest.py",
        """
        pytest_plugins = ["fixtures.session.options", "reports.plugin"]

        def pytest_collection_modifyitems(config, items):
            loud = [item for item in items if item.get_closest_marker("disruptive")]
            if config.option.disruptive is False:
                config.hook.pytest_deselected(items=loud)
                items[:] = [item for item in items if item not in loud]
        """,
    )
    suites.suite("one", one=PASSES, more="ONE-1 disruptive: assert True", two="ONE-2: assert True")
    suites.suite("two", one="TWO-1 disruptive: assert True")
    done = suites.run("suites", "--no-disruptive")
    assert done.statuses["ONE-1"] == "pass"
    assert done.reason("TWO-1") == "its proof disturbs the cluster; run with --disruptive"
    assert suites.run("suites").document["requirements"]["ONE-1"]["planned"] == 2


def test_a_bad_catalogue_is_a_usage_error(suites: SmallSuites) -> None:
    suites.suite("one", one=PASSES)
    suites.write("suites/catalogue.yaml", "- {id: ONE-1}")
    done = suites.run()
    assert done.code == 4 and "catalogue.yaml: ONE-1: suite: is missing" in done.output


def test_other_tests_come_to_no_verdict(suites: SmallSuites) -> None:
    suites.write("tests/test_x.py", "def test_x():\n    assert True\n")
    done = suites.run("tests")
    assert done.code == 0 and "verdict:" not in done.output and not (suites.folder / "reports").exists()
