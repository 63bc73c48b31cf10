"""What is disturbed is written down, and read by the run after one that was killed."""

from __future__ import annotations

from pathlib import Path

from fixtures.resilience.rollback import ROLLBACKS, read_pending, write_pending


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_pending(tmp_path, {("power", "u3"), ("cut", "u1")})
    assert read_pending(tmp_path) == [("cut", "u1"), ("power", "u3")]
    assert {what for what, _ in read_pending(tmp_path)} <= set(ROLLBACKS)


def test_a_run_that_disturbed_nothing_left_nothing(tmp_path: Path) -> None:
    assert read_pending(tmp_path) == []
    write_pending(tmp_path, ())
    assert read_pending(tmp_path) == []


def test_a_run_that_was_killed_while_it_wrote_left_nothing(tmp_path: Path) -> None:
    write_pending(tmp_path, ())
    (place,) = tmp_path.iterdir()
    place.write_text("")
    assert read_pending(tmp_path) == []
