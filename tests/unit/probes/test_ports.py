"""Which ports a sweep tries, sets of ports as bits, and how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.probes.ports import DRAWN, ENDS, SERVED, bits, chosen_ports, few_ports, ports_of, written


def test_a_seed_draws_the_same_ports_again_and_another_one_draws_others() -> None:
    assert chosen_ports(1) == chosen_ports(1) != chosen_ports(2)
    assert few_ports(1) == few_ports(1) != few_ports(2)


def test_ports_that_people_serve_and_the_ends_of_ranges_are_always_tried() -> None:
    fixed = {*map(int, SERVED.split()), *ENDS}
    for seed in range(5):
        chosen = chosen_ports(seed)
        assert fixed < set(chosen) and len(chosen) == len(set(chosen)) == len(fixed) + DRAWN
        assert list(chosen) == sorted(chosen) and chosen[0] == 1 and chosen[-1] == 65535
        assert set(few_ports(seed)) < set(chosen) and len(few_ports(seed)) == 12
    assert {22, 53, 80, 443, 3306, 5432, 6379, 8500, 4646, 2375, 4789, 10250} <= fixed


def test_all_ports_are_all() -> None:
    assert chosen_ports(1, thorough=True) == tuple(range(1, 65536))


@given(st.sets(st.integers(0, 65535), max_size=40))
def test_bits_and_ports_are_each_others_inverse(ports: set[int]) -> None:
    assert list(ports_of(bits(ports))) == sorted(ports)
    assert bits(ports).bit_count() == len(ports)


TRIED = bits([1, 443, 5432, 49152, 50000, 60000, 65535])


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ([], "none"),
        ([443], "443"),
        ([443, 5432], "443, 5432"),
        ([1, 5432], "1 and 5432"),
        ([1, 5432, 65535], "1, 5432 and 65535"),
        ([49152, 50000, 60000, 65535], "49152…65535 (4 tried)"),
        ([1, 49152, 50000, 60000], "1 and 49152…60000 (3 tried)"),
    ],
)
def test_how_ports_are_written(ports: list[int], text: str) -> None:
    assert written(bits(ports), TRIED) == text


def test_many_ports_are_cut() -> None:
    tried = bits(range(1, 101))
    assert written(bits(range(1, 101, 2)), tried, most=3) == "1, 3, 5 and 47 more"
    assert written(bits([1, 3, 5]), tried, most=3) == "1, 3 and 5"
