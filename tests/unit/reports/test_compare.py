"""What is new since an earlier run: each change of a requirement and of an edge, and the five lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.compare import Change, Comparison, compare, lines, summarized
from reports.earlier import Earlier
from reports.model import Status
from tests.unit.reports.runs import LAB, document, edge, entry

NEW, FIXED, STILL, NOT_PROVED = Change


def compared(
    now: dict[str, str],
    before: dict[str, str],
    edges: list[dict[str, Any]] | None = None,
    edges_before: list[dict[str, Any]] | None = None,
) -> Comparison:
    earlier = Earlier("20261126-021731", document(before), edges_before)
    return compare(document(now, verdict="not-conformant", day=27), edges, earlier)


CHANGES: dict[tuple[str | None, str], Change | None] = {
    ("pass", "pass"): None,
    ("pass", "fail"): NEW,
    ("pass", "known-issue"): NEW,
    ("pass", "error"): NOT_PROVED,
    ("pass", "not-proved"): NOT_PROVED,
    ("pass", "not-applicable"): NOT_PROVED,
    ("fail", "pass"): FIXED,
    ("fail", "fail"): STILL,
    ("fail", "known-issue"): STILL,
    ("fail", "error"): NOT_PROVED,
    ("fail", "not-proved"): NOT_PROVED,
    ("fail", "not-applicable"): NOT_PROVED,
    ("known-issue", "pass"): FIXED,
    ("known-issue", "fail"): STILL,
    ("known-issue", "not-proved"): NOT_PROVED,
    ("error", "pass"): None,
    ("error", "fail"): NEW,
    ("error", "error"): None,
    ("not-proved", "pass"): None,
    ("not-proved", "fail"): NEW,
    ("not-proved", "not-proved"): None,
    ("not-applicable", "pass"): None,
    ("not-applicable", "fail"): NEW,
    ("not-applicable", "not-proved"): None,
    (None, "pass"): None,
    (None, "fail"): NEW,
    (None, "not-proved"): None,
}


@pytest.mark.parametrize(("before", "now"), CHANGES)
def test_a_requirement(before: str | None, now: str) -> None:
    found = compared({"NET-1": now}, {} if before is None else {"NET-1": before}).requirements
    wanted = CHANGES[before, now]
    assert {change: [moved.name for moved in several] for change, several in found.items()} == {
        change: ["NET-1"] if change is wanted else [] for change in Change
    }


@given(st.dictionaries(st.sampled_from(["NET-1", "NET-2"]), st.sampled_from([status.value for status in Status])))
def test_a_run_beside_itself_has_nothing_new(statuses: dict[str, str]) -> None:
    found = compared(statuses, statuses).requirements
    assert not found[NEW] and not found[FIXED] and not found[NOT_PROVED]
    assert {moved.name for moved in found[STILL]} == {
        name for name, status in statuses.items() if status in ("fail", "known-issue")
    }


EDGES: dict[tuple[bool | str | None, bool | None], Change | None] = {
    (True, True): None,
    (True, False): NEW,
    (True, None): NOT_PROVED,
    (False, True): FIXED,
    (False, False): STILL,
    (False, None): NOT_PROVED,
    (None, True): None,
    (None, False): NEW,
    (None, None): None,
    ("not there", True): None,
    ("not there", False): NEW,
    ("not there", None): None,
}


@pytest.mark.parametrize(("before", "now"), EDGES)
def test_an_edge(before: bool | str | None, now: bool | None) -> None:
    earlier = [] if isinstance(before, str) else [edge(before)]
    found = compared({}, {}, [edge(now)], earlier).edges
    assert found is not None
    assert [change for change, several in found.items() if several] == [
        change for change in Change if change is EDGES[before, now]
    ]


def test_an_edge_that_is_not_probed_again_is_not_told() -> None:
    found = compared({}, {}, [], [edge(True), edge(False, what="udp 4711")]).edges
    assert found is not None and not any(found.values()), "sweeps draw other ports each time"


@pytest.mark.parametrize("worst", [False, None])
def test_of_equal_edges_the_worst_counts(worst: bool | None) -> None:
    for several in ([edge(True), edge(worst, "lost")], [edge(worst, "lost"), edge(True)]):
        found = compared({}, {}, several, [edge(True)]).edges
        assert found is not None
        moved = found[NEW if worst is False else NOT_PROVED][0]
        assert (moved.name, moved.before, moved.now) == ("u1/a1 → u2/a2 icmp", "answered", "lost")


def test_of_equal_edges_with_the_same_outcome_the_first_is_told() -> None:
    found = compared({}, {}, [edge(False, "lost"), edge(False, "refused")], []).edges
    assert found is not None and found[NEW][0].now == "lost"


@pytest.mark.parametrize(("now", "before"), [(None, None), ([edge(True)], None), (None, [edge(True)])])
def test_without_edges_of_both_runs_none_are_compared(now: Any, before: Any) -> None:
    assert compared({}, {}, now, before).edges is None


def test_edges_differ_by_what_is_expected_of_them() -> None:
    found = compared({}, {}, [{**edge(False), "expected": "blocked"}], [edge(True)]).edges
    assert found is not None and found[NEW][0].before == "not probed"


def test_five_lines_suffice() -> None:
    edges = [edge(False, "rewritten", to=f"u{number}/a1") for number in (2, 3)]
    edges_before = [edge(True, to=f"u{number}/a1") for number in (2, 3)] + [edge(False, "lost", what="tcp 443")]
    found = compared(
        {"NET-1": "fail", "NET-2": "fail", "PATH-4": "fail", "DNS-1": "pass", "DNS-2": "error"},
        {"NET-1": "pass", "NET-2": "not-proved", "PATH-4": "fail", "DNS-1": "fail", "DNS-2": "pass"},
        [*edges, edge(True, what="tcp 443")],
        edges_before,
    )
    assert lines(found) == [
        "since 20261126-021731 (2026-11-26 02:17 UTC, Flatnet 2fa19c2): conformant → not-conformant",
        "new:              2 requirements: NET-1, NET-2 (not-proved → fail); 2 edges, all from u1, such as "
        "u1/a1 → u2/a1 icmp (answered → rewritten)",
        "fixed:            1 requirement: DNS-1; 1 edge, u1/a1 → u2/a2 tcp 443 (lost → answered)",
        "still:            1 requirement: PATH-4; no edges",
        "newly not proved: 1 requirement: DNS-2; no edges",
    ]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([("u1/a1", "u2/a1"), ("u1/b1", "u3/a1")], ", all from u1, "),
        ([("u2/a1", "u1/a1"), ("u3", "u1/b1")], ", all to u1, "),
        ([("u2/a1", "u1/a1"), ("u1/a1", "u3/a1")], ", all from or to u1, "),
        ([("u2/a1", "u1/a1"), ("u3/a1", "u4/a1")], "2 edges, such as "),
        ([("u2/a1", "u1/a1"), ("u1/a1", "u2/a1")], "2 edges, such as "),
    ],
)
def test_the_node_that_edges_share_is_named(ends: list[tuple[str, str]], said: str) -> None:
    found = compared({}, {}, [edge(False, source=source, to=to) for source, to in ends], [])
    assert said in lines(found)[1]


def test_many_requirements_are_counted() -> None:
    names = [f"NET-{number}" for number in range(1, 12)]
    line = lines(compared(dict.fromkeys(names, "fail"), dict.fromkeys(names, "pass")))[1]
    assert line == (
        "new:              11 requirements: NET-1, NET-2, NET-3, NET-4, NET-5, NET-6, NET-7, NET-8 and 3 more; "
        "edges were not recorded in both runs"
    )
    assert lines(compared({}, {}))[1].startswith("new:              no requirements; ")
    assert "NET-8; " in lines(compared(dict.fromkeys(names[:8], "fail"), dict.fromkeys(names[:8], "pass")))[1]
    assert "DNS-1 (not judged → fail); " in lines(compared({"DNS-1": "fail"}, {}))[1]


def test_a_run_without_a_revision_has_none_in_its_line() -> None:
    earlier = Earlier("x", document(revision=None))
    assert lines(compare(document(), None, earlier))[0] == "since x (2026-11-26 02:17 UTC): conformant → conformant"


def test_a_catalogue_that_asks_for_less_is_told() -> None:
    before = document({"ISO-1": "pass", "ISO-2": "pass", "NET-1": "pass"})
    now = document({"ISO-1": "pass"})
    now["requirements"]["ISO-1"] = entry("pass", "should")
    found = compare(now, None, Earlier("x", before), ["ISO-1", "NET-1"])
    assert found.catalogue == ["ISO-1 was a must and is a should", "ISO-2 is no longer in the catalogue"]
    assert lines(found)[5:] == [f"catalogue:        {sentence}" for sentence in found.catalogue]
    assert compare(before, None, Earlier("x", now), ["ISO-1", "ISO-2", "NET-1"]).catalogue == []


def test_a_cluster_that_changed_is_told() -> None:
    versions = {"u1": "Docker 26.1", "u3": "Docker 20.10"}
    now = document(cluster={**LAB, "nodes": {"u1": "192.168.56.3", "u3": "192.168.56.5"}, "versions": versions})
    said = lines(compare(now, None, Earlier("x", document())))[5:]
    assert said == ["cluster:          u3 is new; u2 is gone; u1 had Docker 20.10, has Docker 26.1"]


def test_the_document_has_ids_and_numbers() -> None:
    found = compared({"NET-1": "fail"}, {"NET-1": "pass"}, [edge(False)], [edge(True)])
    assert summarized(found) == {
        "run": "20261126-021731",
        "started": "2026-11-26T02:17:31+00:00",
        "revision": "2fa19c2",
        "verdict": "conformant",
        "requirements": {"new": ["NET-1"], "fixed": [], "still": [], "newly not proved": []},
        "edges": {"new": 1, "fixed": 0, "still": 0, "newly not proved": 0},
        "catalogue": [],
    }
    assert summarized(compared({}, {}))["edges"] is None
