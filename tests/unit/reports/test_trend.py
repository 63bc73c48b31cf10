"""The trend over several runs, and requirements that change by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from reports.trend import Trend, lines, trend
from tests.unit.reports.runs import LAB, document

WORDS = {"p": "pass", "f": "fail", "n": "not-proved", "e": "error", "a": "not-applicable", "k": "known-issue"}


def nights(statuses: str, **changed: Any) -> list[dict[str, Any]]:
    """A run for each letter, `DNS-3` having that status; NET-1 always passes."""
    return [
        document({"DNS-3": WORDS[letter], "NET-1": "pass"}, day=day, **changed)
        for day, letter in enumerate(statuses, 1)
    ]


@pytest.mark.parametrize(
    ("statuses", "changes"),
    [
        ("pp", None),
        ("pf", None),
        ("ppff", None),
        ("pfp", 2),
        ("fpf", 2),
        ("pep", 2),
        ("pnp", 2),
        ("pfpfp", 4),
        ("pap", None),
        ("pkp", None),
        ("pafap", 2),
    ],
)
def test_flaky_is_what_left_its_status_and_came_back(statuses: str, changes: int | None) -> None:
    found = trend(nights(statuses)).flaky
    assert [(flaky.requirement, flaky.changes) for flaky in found] == ([("DNS-3", changes)] if changes else [])


@pytest.mark.parametrize(
    "changed",
    [
        {"revision": "1111111"},
        {"cluster": {**LAB, "versions": {"u1": "Docker 26.1", "u2": "Docker 20.10"}}},
        {"cluster": {**LAB, "nodes": {"u1": "192.168.56.3"}}},
        {"cluster": {**LAB, "faults": ["masquerade@u1"]}},
    ],
)
def test_with_another_revision_cluster_or_fault_nothing_is_flaky(changed: dict[str, Any]) -> None:
    before, between, after = nights("pfp")
    assert trend([before, nights("f", **changed)[0], after]).flaky == ()
    assert len(trend([before, between, nights("p", **changed)[0], after]).flaky) == 1, "what lies between is left out"


@pytest.mark.parametrize("revision", [None, "2fa19c2-dirty"])
def test_of_an_edited_checkout_nobody_knows_what_changed(revision: str | None) -> None:
    assert trend(nights("pfp", revision=revision)).flaky == ()


def test_a_lab_of_another_name_is_the_same_lab() -> None:
    named = [nights("p", cluster={**LAB, "name": f"run-{n}"})[0] for n in range(2)]
    assert len(trend([named[0], nights("f")[0], named[1]]).flaky) == 1


def test_the_conditions_are_those_of_the_last_run() -> None:
    old = {"revision": "1111111"}
    documents = [*nights("pfp", **old), *nights("pp")]
    assert trend(documents).flaky == (), "an earlier revision was flaky, this one is not"


def test_a_requirement_that_was_not_judged_in_between_is_told_all_the_same() -> None:
    documents = nights("pffp")
    del documents[1]["requirements"]["DNS-3"]
    assert [len(flaky.statuses) for flaky in trend(documents).flaky] == [3]


def test_the_flakiest_come_first_and_few_are_listed() -> None:
    names = range(2, 10)

    def statuses(night: int) -> dict[str, str]:
        return {f"NET-{name}": "fail" if night % 2 and night < name else "pass" for name in names}

    documents = [document(statuses(night), day=night + 1) for night in range(10)]
    said = lines(trend(documents))
    assert said[0] == "10 runs since 2026-11-01: 10 conformant; the latest: ✓✓✓✓✓✓✓✓✓✓"
    assert said[1] == "flaky: NET-8 changed 8 times in 10 runs of the same revision and cluster: ✓✗✓✗✓✗✓✗✓✓"
    assert len(said) == 7 and said[6] == "flaky: 3 more requirements"
    for document_ in documents:
        for name in (7, 8, 9):
            del document_["requirements"][f"NET-{name}"]
    assert "more" not in lines(trend(documents))[-1] and len(lines(trend(documents))) == 6


def test_the_latest_runs_are_shown() -> None:
    found = Trend(("2026-11-01T",) * 16, ("not-conformant", "error", *["not-proved"] * 13, "conformant"), ())
    assert lines(found) == [
        "16 runs since 2026-11-01: 13 not-proved, 1 not-conformant, 1 error, 1 conformant; the latest: ?????????????✓"
    ]
    assert lines(trend(nights("pp"))) == ["2 runs since 2026-11-01: 2 conformant; the latest: ✓✓"]
    assert lines(trend(nights("p"))) == ["the first run of this cluster that is kept"]
    assert trend([]) == Trend((), (), ())
