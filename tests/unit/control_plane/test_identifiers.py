"""An identifier that two nodes share is reported with its kind, its value and the nodes."""

import pytest

from fixtures.control_plane.identifiers import find_shared
from reports.model import NotProved


def test_a_shared_identifier_is_named_with_its_nodes() -> None:
    identifiers = {
        "u1": {"machine-id": "aa", "host name": "u1"},
        "u2": {"machine-id": "bb", "host name": "aa"},
        "u3": {"machine-id": "aa"},
    }
    assert find_shared(identifiers) == ["u1 and u3 share one machine-id: aa"]


def test_every_holder_is_named_and_the_kinds_are_sorted() -> None:
    clones = {name: {"machine-id": "aa", "SSH host key": "bb", "host name": name} for name in ("u1", "u2", "u3")}
    assert find_shared(clones) == [
        "u1, u2 and u3 share one SSH host key: bb",
        "u1, u2 and u3 share one machine-id: aa",
    ]


def test_identifiers_of_nodes_that_differ_are_not_reported() -> None:
    assert find_shared({"u1": {"machine-id": "aa"}, "u2": {"machine-id": "bb"}, "u3": {}}) == []


def test_identifiers_that_cannot_be_compared_prove_nothing() -> None:
    for alone in ({}, {"u1": {"machine-id": "aa"}}, {"u1": {"machine-id": "aa"}, "u2": {"host name": "u2"}}):
        with pytest.raises(NotProved, match="no identifier was read of two nodes"):
            find_shared(alone)
