"""A node that is down is told, and left out on request; the verdict names it."""

from __future__ import annotations

import json

from tests.lab.conftest import Place


def test_a_node_that_is_down_is_left_out(place: Place) -> None:
    assert place.lab("up", "--lab", "less", "--no-nomad").returncode == 0
    try:
        assert place.lab("power-off", "u3", "--lab", "less").returncode == 0
        chosen = ("suites/no_nat/test_reachability.py", "suites/control_plane", "--lab", "less")
        told = place.pytest(*chosen)
        assert told.returncode == 3, told.stdout
        assert "node u3: ssh" in told.stdout and "--without NODE leaves one out" in told.stdout
        done = place.pytest(*chosen, "--without", "u3")
        assert done.returncode == 0, done.stdout
        assert "left out: u3; nothing is said of it" in done.stdout
        assert "note: u3 left out (--without)" in done.stdout
        verdict = json.loads((place.out / "latest" / "verdict.json").read_text(encoding="utf-8"))
        assert list(verdict["cluster"]["nodes"]) == ["u1", "u2"] and verdict["cluster"]["left_out"] == ["u3"]
        held = {name: found["status"] for name, found in verdict["requirements"].items()}
        assert {held[name] for name in ("NET-1", "CP-1", "CP-2", "CP-4", "CP-5")} == {"pass"}
    finally:
        place.lab("down", "--lab", "less")
