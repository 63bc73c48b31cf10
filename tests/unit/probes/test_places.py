"""The place that failed edges have in common."""

from __future__ import annotations

import pytest

from fixtures.probes.places import Ends, common_place
from tests.unit.probes.canned import A, B, C

ALL = [(A, B), (B, A), (A, C), (C, A), (B, C), (C, B), (A, A), (B, B)]


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        ([], ""),
        ([(A, B), (C, B)], ", all with an end on u2"),
        ([(A, B), (B, B), (B, C)], ", all with an end on u2"),
        ([(B, B)], ", all with an end on u2"),
        ([(A, B)], ", all between u1 and u2"),
        ([(A, B), (B, A)], ", all between u1 and u2"),
        ([(A, B), (B, C), (C, A)], ""),
        (ALL, ""),
    ],
)
def test_the_node_that_all_failed_edges_touch_is_named(failed: list[Ends], text: str) -> None:
    assert common_place(failed, ALL) == text


def test_what_every_edge_has_in_common_is_not_worth_telling() -> None:
    assert common_place([(A, B)], [(A, B), (B, A)]) == ""
    assert common_place([(A, B)], [(A, B), (A, C)]) == ", all between u1 and u2"
    assert common_place([(A, B), (A, C)], [(A, B), (A, C)]) == ""
