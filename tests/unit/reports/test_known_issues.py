"""Accepted failures on small suites: which tests they cover, and when they no longer do."""

from __future__ import annotations

import pytest

from tests.unit.reports.small_suites import SmallSuites

pytest_plugins = ["pytester"]

FAILS = 'ONE-1: assert 1 == 2, "one is two"'
PASSES = "ONE-1: assert True"


ISSUE = """
- requirement: {requirement}
  tests: "{tests}"
  owner: jane
  expires: {expires}
  link: "#12"
  reason: the router is old
"""


def known(
    suites: SmallSuites, requirement: str = "ONE-1", tests: str = "*test_one", expires: str = "2999-12-31"
) -> str:
    text = ISSUE.format(requirement=requirement, tests=tests, expires=expires)
    return str(suites.write("known.yaml", text))


def test_a_known_issue(suites: SmallSuites) -> None:
    suites.suite("one", one=FAILS, two="ONE-2: assert True")
    done = suites.run("suites", "--known-issues", known(suites))
    assert done.verdict == ("conformant", 0)
    assert done.statuses["ONE-1"] == "known-issue" and "one is two" in done.reason("ONE-1")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ("ONE-1: assert False", "fail", 1),
        ('ONE-1: raise HarnessError("lost")', "error", 3),
        ('ONE-1: raise NotProved("lost")', "not-proved", 6),
    ],
)
def test_a_known_issue_covers_no_other_test(suites: SmallSuites, more: str, status: str, code: int) -> None:
    suites.suite("one", one=FAILS, more=more)
    done = suites.run("suites", "--known-issues", known(suites))
    assert (done.statuses["ONE-1"], done.code) == (status, code)


def test_a_known_issue_without_a_failure_is_an_error(suites: SmallSuites) -> None:
    suites.suite("one", one=PASSES)
    done = suites.run("suites", "--known-issues", known(suites))
    assert done.verdict == ("error", 3)
    assert "note: known issues: ONE-1 (*test_one): no failure matches it any more; remove it" in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ISSUE.format(requirement="ONE-1", tests="*", expires="2020-01-01"), "ONE-1: expired on 2020-01-01; jane must"),
        (ISSUE.format(requirement="ONE-1", tests="*", expires="soon"), "0.expires: "),
        ("- {requirement: ONE-1}", "0.owner: is missing; write it"),
        ("- {requirement: ONE-1, owner: jane, owner: joe}", "line 1: the key 'owner' is there twice"),
        ("[", "known.yaml: "),
    ],
)
def test_a_bad_file_of_known_issues_is_a_usage_error(suites: SmallSuites, text: str, words: str) -> None:
    suites.suite("one", one=FAILS)
    place = suites.write("known.yaml", text)
    done = suites.run("suites", "--known-issues", str(place))
    assert done.code == 4 and words in done.output and "known.yaml" in done.output
    assert not (suites.folder / "reports").exists()
