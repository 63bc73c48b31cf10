"""A lost port is tried again until loss cannot explain any more that it never arrives."""

from __future__ import annotations

import random

from fixtures.probes.ports import bits, ports_of
from fixtures.probes.retrying import AGAIN, MOST, SAMPLE, Tries

ALL = bits(range(1, 1001))


def test_what_arrives_at_once_is_not_tried_again() -> None:
    tries = Tries(ALL)
    tries.note(0, ALL)
    assert (tries.again, tries.passes, tries.late) == (0, 1, 0)


def test_a_port_that_never_arrives_is_tried_three_times_more() -> None:
    tries, port = Tries(ALL), bits([443])
    asked = 0
    tries.note(port, ALL & ~port)
    while tries.again:
        assert tries.again == port
        asked += 1
        tries.note(port, ALL & ~port)
    assert asked == AGAIN == 3 and tries.passes == 4 and tries.late == 0


def test_a_port_that_arrives_the_second_time_was_lost_once() -> None:
    tries, lost, blocked = Tries(ALL), bits([5]), bits([443])
    tries.note(lost | blocked, ALL & ~lost & ~blocked)
    assert tries.again == lost | blocked
    tries.note(blocked, ALL & ~blocked)
    assert (tries.late, tries.again) == (lost, blocked)


def test_what_is_done_stays_done() -> None:
    tries = Tries(ALL)
    tries.note(0, ALL)
    tries.note(bits([7]), ALL)
    assert (tries.again, tries.passes) == (0, 1), "other lanes are still tried, this one is not"


def test_where_nothing_arrives_a_part_is_tried_again() -> None:
    tries = Tries(ALL)
    tries.note(ALL, 0)
    assert SAMPLE <= tries.again.bit_count() <= SAMPLE + 2 and tries.again & 2
    tries.note(ALL & ~bits([1]), bits([1]))
    assert tries.again == ALL & ~bits([1]), "something does arrive, so all are tried"


def test_a_few_lost_ports_are_all_tried_again_where_nothing_arrives() -> None:
    tries, few = Tries(bits([1, 2, 3])), bits([1, 2, 3])
    tries.note(few, 0)
    assert tries.again == few


def test_loss_is_not_taken_for_a_block() -> None:
    """With one packet in three lost, four losses in a row are common; twelve ports in a thousand see them."""
    for seed in range(20):
        chance, tries, missing = random.Random(seed), Tries(ALL), ALL
        while True:
            missing = bits(port for port in range(1, 1001) if missing >> port & 1 and chance.random() < 0.33)
            tries.note(missing, ALL & ~missing)
            if not tries.again:
                break
        assert not missing and AGAIN < tries.passes <= MOST


def test_a_blocked_port_in_a_lossy_lane_is_given_up_in_the_end() -> None:
    tries, blocked = Tries(ALL), bits([443])
    lost = bits(range(1, 1001, 2)) | blocked
    while True:
        tries.note(lost, ALL & ~lost)
        if not tries.again:
            break
        lost = bits(list(ports_of(lost & ~blocked))[1::2]) | blocked
    assert lost == blocked and AGAIN < tries.passes <= MOST + 1
