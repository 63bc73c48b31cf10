"""SIGKILL in the middle of a run: nothing of the lab is left, and the next run starts cleanly.

All runs of this module but the one on a kept lab have one place, so each is another's next run.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from lab.images import DEMO_IMAGE
from tests.lab.conftest import Place, Running
from tests.lab.traces import (
    Machine,
    cgroups,
    descendants,
    end_started,
    holders,
    machine,
    namespaces,
    wait_ended,
    wait_gone,
    wait_until,
)

SUITE = ("suites/no_nat/test_addresses.py", "-v", "--nodes", "2")
WORKER = "exec(eval(sys.stdin.readline()))"
"""How execnet, and so xdist, starts a worker."""
AGENT = "flatnet-agent"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def before() -> Iterator[tuple[Machine, dict[int, str]]]:
    """The machine and this process's descendants before a run; the machine has to be the same after it."""
    seen = machine()
    yield seen, descendants()
    end_started()
    assert seen.difference(machine()) == []


def begin(place: Place, before: tuple[Machine, dict[int, str]], *more: str) -> tuple[Running, dict[int, str]]:
    """A run in the middle of its tests, and everything that it started."""
    running = place.start(*SUITE, *more)
    running.wait_begun()
    assert before[0].difference(machine()) == []
    return running, {pid: words for pid, words in descendants().items() if pid not in before[1]}


def assert_all_gone(place: Place, running: Running, pids: dict[int, str], inside: dict[int, str]) -> None:
    assert wait_gone(pids) == {}
    assert len(inside) > 10, "the look at the running lab found who lives in its namespaces"
    assert wait_ended(inside) == {}
    assert wait_until(lambda: [*place.left(), *cgroups(running.lab)], lambda left: not left) == []


@pytest.mark.parametrize("victim", ["runner", "supervisor", "controller"])
def test_a_killed_run_leaves_nothing(place: Place, before: tuple[Machine, dict[int, str]], victim: str) -> None:
    running, pids = begin(place, before, *(("-n", "2") if victim == "controller" else ()))
    inside = holders(namespaces(pids))
    assert cgroups(running.lab)
    assert victim != "controller" or sum(WORKER in words for words in pids.values()) == 2
    supervisor = place.facts(running.lab)["supervisor"]
    assert supervisor in pids
    os.kill(supervisor if victim == "supervisor" else running.process.pid, signal.SIGKILL)
    code = running.wait()
    assert_all_gone(place, running, pids, inside)
    if victim == "supervisor":
        text = running.log.read_text()
        assert code == 3, text
        assert f"lab '{running.lab}' ended during the run" in text


def test_a_run_goes_on_without_a_killed_worker(place: Place, before: tuple[Machine, dict[int, str]]) -> None:
    running, pids = begin(place, before, "-n", "2")
    inside = holders(namespaces(pids))
    os.kill(next(pid for pid, words in pids.items() if WORKER in words), signal.SIGKILL)
    code = running.wait()
    assert_all_gone(place, running, pids, inside)
    verdict = json.loads((place.out / "latest" / "verdict.json").read_text())
    statuses = {name: entry["status"] for name, entry in verdict["requirements"].items()}
    assert (code, verdict["verdict"]) == (3, "error"), running.log.read_text()
    assert "error" in statuses.values() and "fail" not in statuses.values(), statuses
    assert sum(entry["passed"] for entry in verdict["requirements"].values()) > 1


def test_a_run_after_the_killed_ones_is_complete(place: Place, before: tuple[Machine, dict[int, str]]) -> None:
    running, pids = begin(place, before)
    inside = holders(namespaces(pids))
    code = running.wait()
    assert code == 0, running.log.read_text()
    assert_all_gone(place, running, pids, inside)


def test_what_a_killed_run_left_in_a_kept_lab_is_removed_by_the_next(kept: Place) -> None:
    runs = kept.run / "lab" / "runs"
    without_image = kept.lab("exec", "u1", "--", "docker", "image", "rm", DEMO_IMAGE)
    assert without_image.returncode == 0, without_image.stderr
    clean = _left_in(kept)
    running = kept.start("suites/dns/test_records.py", "-v", "--lab", "lab")
    running.wait_begun()
    agents = {pid: words for pid, words in descendants().items() if AGENT in words}
    assert agents
    running.process.kill()
    running.wait()
    assert wait_gone(agents) == {}
    left = _left_in(kept)
    assert all(left[what] != clean[what] for what in clean), left
    again = kept.pytest("suites/no_nat/test_addresses.py", "--lab", "lab")
    assert again.returncode == 0, again.stdout
    assert _left_in(kept) == clean
    assert not runs.exists()


def _left_in(kept: Place) -> dict[str, list[str]]:
    """What runs make in a cluster: containers, their image, services, routes of an exposed node."""

    def on_node(*words: str) -> list[str]:
        done = kept.lab("exec", "u1", "--", *words)
        assert done.returncode == 0, done.stderr
        return sorted(done.stdout.splitlines())

    return {
        "containers": on_node("docker", "ps", "--all", "--quiet", "--filter", "label=flatnet.run"),
        "images": on_node("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"),
        "services": on_node("consul", "catalog", "services"),
        "routes": on_node("ip", "-4", "route"),
    }
