"""The command that runs just what failed again."""

from __future__ import annotations

import pytest

from reports.terminal import MOST_AGAIN, again_command

FAILED = ["suites/no_nat/test_ports.py::test_every_port[a]", "suites/no_nat/test_ports.py::test_every_port[b]"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], ""),
        (["--overlay", "swarm", "--fault", "masquerade@u1"], " --overlay swarm --fault masquerade@u1"),
        (["--gate", "--seed", "7"], " --seed 7"),
        (["--baseline", "earlier", "--history=nights", "--history-keep", "9", "-x"], " -x"),
    ],
)
def test_what_makes_a_whole_run_is_left_out(options: list[str], kept: str) -> None:
    """A part of a run is not a gate, and not a night of the history."""
    assert again_command(FAILED, options) == f"./run suites/no_nat/test_ports.py::test_every_port{kept}"


def test_many_functions_are_told_as_their_folders() -> None:
    many = [f"suites/dns/test_a.py::test_{number}" for number in range(MOST_AGAIN + 1)]
    assert again_command([*many, FAILED[0]], []) == "./run suites/dns suites/no_nat"
