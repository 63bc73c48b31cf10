"""The report plugin with several workers: the same verdict, and a worker that dies is an error."""

from __future__ import annotations

from tests.unit.reports.small_suites import SmallSuites, without_times

pytest_plugins = ["pytester"]

FAILS = 'ONE-1: assert 1 == 2, "one is two"'
PASSES = "ONE-1: assert True"


def test_two_workers_give_the_same_verdict(suites: SmallSuites) -> None:
    suites.suite("one", one=FAILS, two="ONE-2: assert True", skipped='ONE-2: pytest.skip("no")', error="ONE-2: {}[1]")
    suites.suite("two", one='TWO-1: raise NotProved("no control")', more="TWO-1: assert True")
    alone = suites.run("suites", "-k", "not more")
    alone_results = list((alone.folder / "reports/out/latest/allure-results").glob("*-result.json"))
    both = suites.run("suites", "-k", "not more", "-n", "2", apart=True)
    assert alone.verdict == both.verdict == ("not-conformant", 1)
    assert without_times(both.document) == without_times(alone.document)
    assert (
        len(list((both.folder / "reports/out/latest/allure-results").glob("*-result.json"))) == len(alone_results) == 5
    )
    assert both.last_line.split(" · ")[0] == alone.last_line.split(" · ")[0]


def test_a_crashed_worker_is_an_error(suites: SmallSuites) -> None:
    tests = {f"good_{number}": "ONE-2: assert True" for number in range(4)}
    suites.suite("one", dies="ONE-1: os._exit(0)", **tests)
    done = suites.run("suites", "-n", "2", apart=True)
    assert done.verdict == ("error", 3)
    assert done.statuses == {"ONE-1": "error", "ONE-2": "pass"}
    assert done.reason("ONE-1") == "the process that ran it was lost"


def test_workers_that_all_die_prove_nothing(suites: SmallSuites) -> None:
    suites.suite("one", dies="ONE-1: os._exit(0)", good="ONE-2: assert True")
    done = suites.run("suites", "-n", "1", "--max-worker-restart", "0", apart=True)
    assert done.code == 3 and done.document["verdict"] == "error"
    assert done.statuses == {"ONE-1": "error", "ONE-2": "not-proved"}
