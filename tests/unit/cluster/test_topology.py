"""What tests are parametrized over: one thing a test on few nodes, many in one test on many."""

from __future__ import annotations

from fixtures.cluster.topology import Together, grouped

NAMES = ["u1/a1->u2/a2", "u2/a2->u1/a1"]


def test_on_few_nodes_each_is_a_test() -> None:
    assert grouped([1, 2], NAMES, apart=True, name="all") == [Together((1,), NAMES[0]), Together((2,), NAMES[1])]


def test_on_many_nodes_all_are_one_test() -> None:
    assert grouped([1, 2], NAMES, apart=False, name="all") == [Together((1, 2), "all")]


def test_one_alone_keeps_its_name_and_none_is_no_test() -> None:
    assert grouped([1], NAMES[:1], apart=False, name="all") == [Together((1,), NAMES[0])]
    assert grouped([], [], apart=False, name="all") == grouped([], [], apart=True, name="all") == []


def test_a_pair_reads_as_a_person_writes_it() -> None:
    assert str(Together((1,), NAMES[0])) == "u1/a1 → u2/a2"
