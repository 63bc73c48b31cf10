"""`python -m lab root`, labs whose nodes have root file systems of their own, and `python -m lab upgrade`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.embedded import roots
from lab.embedded.roots import Root
from lab.programs import find_program
from tests.lab.conftest import ROOT, Place, Result
from tests.lab.test_bad_input import NOBODY
from tests.lab.traces import STARTED, descendants, machine, wait_gone, wait_until

RELEASES = ("bookworm", "trixie", "sid")
"""In the order of their engines: 20.10, 26.1 and 28.5 in November 2026."""


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without roots; this machine's addresses are not asked for by way of a proxy."""
    consul = find_program("consul")
    assert consul is not None
    (tmp_path / "cache" / "bin").mkdir(parents=True)
    (tmp_path / "cache" / "bin" / "consul").symlink_to(consul)
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


def left(empty: Path) -> list[str]:
    """What lies where roots are kept, but locks and logs."""
    folder = empty / "roots"
    return sorted(path.name for path in folder.glob("*") if path.suffix not in (".lock", ".log"))


def test_a_mirror_that_does_not_answer_is_one_line(place: Place, empty: Path, closed_mirror: str) -> None:
    done = place.lab("root", "make", "trixie", "--mirror", closed_mirror)
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"lab: {closed_mirror} has no suite trixie, or does not answer: "), done.stderr
    assert left(empty) == []


def test_without_mmdebstrap_it_is_one_line(place: Place, empty: Path, tmp_path: Path) -> None:
    done = place.lab("root", "make", "trixie", PATH=str(tmp_path))
    assert done.returncode == 3, done.stderr
    assert done.stderr == "lab: root file systems are made by mmdebstrap, and there is none; install mmdebstrap\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("root", "make", "../trixie"), 4, "release '../trixie': not a name of a Debian release"),
        (("root", "remove", "trixie"), 3, "root file system trixie: is not made (made: none)"),
        (("up", "--root", "trixie"), 3, "root file system trixie: is not made; run `python -m lab root make trixie`"),
        (("up", "--root", "u7=trixie"), 4, "--root u7=trixie: no node 'u7'; there are: u1, u2, u3"),
        (("upgrade", "u1", "--root", "trixie"), 3, "lab 'lab' is not up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_one_line(place: Place, empty: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = place.lab(*words)
    assert done.returncode == code and done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr and left(empty) == []


def test_a_run_with_a_root_that_is_not_made_makes_nothing(place: Place, empty: Path) -> None:
    done = place.pytest("suites/no_nat", "--root", "trixie")
    assert done.returncode == 3, done.stdout
    assert "root file system trixie: is not made; run `python -m lab root make trixie`" in done.stdout + done.stderr
    assert place.left() == []


def test_only_root_makes_and_removes(place: Place, empty: Path) -> None:
    for words in (("make", "trixie"), ("remove", "trixie")):
        done = subprocess.run(
            [*NOBODY, sys.executable, "-m", "lab", "root", *words], cwd=ROOT, env=place.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 3 and "do this as root" in done.stderr, done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_command_that_is_ended_leaves_nothing_that_is_used(
    place: Place, empty: Path, silent_mirror: str, number: signal.Signals
) -> None:
    before, others = machine(), descendants()
    words = ["env", "--default-signal=INT", sys.executable, "-m", "lab", "root", "make", "trixie"]
    process = subprocess.Popen(
        [*words, "--mirror", silent_mirror], cwd=ROOT, env=place.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    STARTED.append(process)
    fetching = "/usr/lib/apt/methods/http"
    seen = wait_until(descendants, lambda all_: any(fetching in words for words in all_.values()))
    mine = {pid: words for pid, words in seen.items() if pid not in others}
    process.send_signal(number)
    assert process.wait(30) == (-signal.SIGKILL if number == signal.SIGKILL else 2)
    assert wait_gone(mine) == {} and before.difference(machine()) == []
    assert place.lab("root", "list").stdout == ""


# -- with real releases ----------------------------------------------------


@pytest.fixture(scope="module")
def made() -> dict[str, Root]:
    """The roots of all releases, made from the mirror where the cache does not have them."""
    return {release: roots.make(release, print) for release in RELEASES}


@pytest.fixture
def mixed(place: Place, made: dict[str, Root]) -> Iterator[Place]:
    """A place with a lab that has a node of each release."""
    chosen = ",".join(f"u{index}={release}" for index, release in enumerate(made, start=1))
    up = place.lab("up", "--root", chosen, "--no-nomad")
    assert up.returncode == 0, up.stdout + up.stderr
    yield place
    place.lab("down")


def on(place: Place, node: str, script: str) -> str:
    done: Result = place.lab("exec", node, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.nightly
def test_a_release_that_debian_does_not_have_is_one_line(place: Place, empty: Path) -> None:
    done = place.lab("root", "make", "trixy")
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
    assert "has no suite trixy, or does not answer: " in done.stderr and left(empty) == []


@pytest.mark.nightly
def test_a_root_is_made_once(place: Place, made: dict[str, Root]) -> None:
    done = place.lab("root", "make", "trixie")
    assert done.returncode == 0 and f"{made['trixie'].tree}: made in " in done.stdout, done.stderr
    listed = place.lab("root", "list").stdout
    assert [line.partition(":")[0] for line in listed.splitlines()] == sorted(RELEASES)


@pytest.mark.nightly
def test_each_node_has_its_own_programs_and_none_of_the_machines_files(mixed: Place, made: dict[str, Root]) -> None:
    for index, root in enumerate(made.values(), start=1):
        engine = on(mixed, f"u{index}", "docker version --format '{{.Server.Version}}'")
        assert engine.startswith(".".join(map(str, root.docker))), engine
        assert root.release in on(mixed, f"u{index}", ". /etc/os-release; echo $PRETTY_NAME")
        assert on(mixed, f"u{index}", f"ls -d {ROOT} 2>/dev/null || echo none") == "none"
        assert on(mixed, f"u{index}", "consul version | head -1").startswith("Consul v")


@pytest.mark.nightly
def test_what_a_node_writes_stays_its_own(mixed: Place, made: dict[str, Root]) -> None:
    on(mixed, "u1", "touch /usr/bin/of-u1 /etc/of-u1 /var/lib/of-u1")
    assert on(mixed, "u2", "ls /usr/bin/of-u1 /etc/of-u1 /var/lib/of-u1 2>/dev/null | wc -l") == "0"
    assert not list(made["bookworm"].tree.rglob("of-u1"))


@pytest.mark.nightly
def test_a_root_that_a_lab_uses_stays(mixed: Place) -> None:
    done = mixed.lab("root", "remove", "trixie")
    assert done.returncode == 3 and "trixie: a lab uses it; end that first" in done.stderr, done.stderr


CONTAINER = "docker run -d --name kept --restart always --network flatnet-a --label keep=1 flatnet/demo:1.1"
ADDRESS = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}} {{.State.Running}}' kept"


@pytest.mark.nightly
def test_an_upgrade_keeps_containers_their_addresses_and_the_nodes_disk(place: Place, made: dict[str, Root]) -> None:
    up = place.lab("up", "--nodes", "2", "--root", RELEASES[0], "--no-nomad")
    assert up.returncode == 0, up.stdout + up.stderr
    on(place, "u1", CONTAINER)
    on(place, "u1", "echo mine > /var/lib/mine")
    before = on(place, "u1", ADDRESS)
    for release in RELEASES[1:]:
        done = place.lab("upgrade", "u1", "--root", release)
        assert done.returncode == 0, done.stdout + done.stderr
        engine = on(place, "u1", "docker version --format '{{.Server.Version}}'")
        assert engine.startswith(".".join(map(str, made[release].docker))), engine
        assert on(place, "u1", ADDRESS) == before and before.endswith(" true")
        assert on(place, "u1", "cat /var/lib/mine") == "mine"
        assert on(place, "u1", "ip -4 -o address show dev fn-a") == "", "a node that was hidden is hidden again"
    assert f"u1 ({RELEASES[-1]}), u2 ({RELEASES[0]})" in place.lab("list").stdout


@pytest.mark.nightly
@pytest.mark.parametrize("root", [*RELEASES, "u1=bookworm,u2=trixie,u3=sid"])
def test_the_suites_hold_on_every_engine(place: Place, made: dict[str, Root], root: str) -> None:
    done = place.pytest("suites/no_nat", "suites/isolation", "suites/expose", "--root", root, "-q")
    verdict: dict[str, Any] = json.loads((place.out / "latest" / "verdict.json").read_text())
    bad = ("fail", "error")
    wrong = {name: found["status"] for name, found in verdict["requirements"].items() if found["status"] in bad}
    assert done.returncode == 0 and wrong == {}, done.stdout[-4000:]
    cluster = verdict["cluster"]
    assert all(version.startswith("Docker ") for version in cluster["versions"].values())
    assert all(system.startswith("Debian GNU/Linux") for system in cluster["systems"].values())
