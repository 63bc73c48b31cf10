"""Labs for Flatnet's own tests, reached from a child process.

A test process must not join a lab's namespace for good: the next test has another lab.
So everything here drives `python -m lab` and `pytest` as a user does.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import traces
from tests.lab.warm import Warm, warm

ROOT = Path(__file__).resolve().parents[2]
COMMAND_TIMEOUT_S = 300.0
Result = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Running:
    """A pytest that runs."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def lab(self) -> str:
        """Name of the lab that it makes."""
        return f"run-{self.process.pid}"

    def wait_begun(self, *, within_s: float = COMMAND_TIMEOUT_S) -> None:
        """Wait until a test has passed, and others are running (`-v`)."""
        text = traces.wait_until(
            self.log.read_text,
            lambda seen: "PASSED" in seen or self.process.poll() is not None,
            within_s=within_s,
        )
        assert "PASSED" in text and self.process.poll() is None, text

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(COMMAND_TIMEOUT_S)


@dataclass(frozen=True)
class Place:
    """A user's machine as far as Flatnet writes to it: run directory, temporary files, state, reports."""

    top: Path

    @property
    def run(self) -> Path:
        """Where its labs keep their state; unix sockets in it need a short path."""
        return self.top / "run"

    @property
    def out(self) -> Path:
        return self.top / "out"

    @property
    def environment(self) -> dict[str, str]:
        (self.top / "tmp").mkdir(parents=True, exist_ok=True)
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return {
            **mine,
            "FLATNET_RUN": str(self.run),
            "TMPDIR": str(self.top / "tmp"),
            "XDG_STATE_HOME": str(self.top / "state"),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "300",
        }

    def left(self) -> list[str]:
        """What a command left there; reports, and the folders that pytest keeps of its last runs, apart."""
        temporary = (path for path in (self.top / "tmp").glob("*") if not path.name.startswith("pytest-of-"))
        return traces.files(self.run, self.top / "state" / "flatnet", *temporary)

    def lab(self, *words: str, timeout: float = COMMAND_TIMEOUT_S, **more: str) -> Result:
        """`python -m lab …`; `more` into its environment."""
        return self._run([sys.executable, "-m", "lab", *words], timeout, more)

    def pytest(
        self, *words: str, prefix: Sequence[str] = (), timeout: float = COMMAND_TIMEOUT_S, **more: str
    ) -> Result:
        """`pytest …` as typed in the checkout; `prefix` comes before it, `more` into its environment."""
        return self._run([*prefix, *self.pytest_words(*words)], timeout, more)

    def start(self, *words: str) -> Running:
        """`pytest …`, running."""
        log = self.top / f"log-{len(traces.STARTED)}"
        with log.open("w") as stream:
            process = subprocess.Popen(
                self.pytest_words(*words), cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=stream, stderr=stream,
            )  # fmt: skip
        traces.STARTED.append(process)
        return Running(process, log)

    def pytest_words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "pytest", "--out", str(self.out), *words]

    def _run(self, words: list[str], timeout: float, more: dict[str, str] | None = None) -> Result:
        return subprocess.run(
            words, cwd=ROOT, env={**self.environment, **(more or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
        )  # fmt: skip

    def facts(self, lab: str) -> dict[str, Any]:
        """Pids of a running lab: supervisor, manager, nodes."""
        found: dict[str, Any] = json.loads((self.run / lab / "state.json").read_text())
        return found


def lab_command(*words: str, run_dir: Path, timeout: float = COMMAND_TIMEOUT_S) -> Result:
    """`python -m lab …` with a run directory of its own."""
    place = Place(run_dir.parent / f"{run_dir.name}.place")
    return subprocess.run(
        [sys.executable, "-m", "lab", *words], cwd=ROOT, env={**place.environment, "FLATNET_RUN": str(run_dir)},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for: .ci/nightly does."""
    if "nightly" in config.option.markexpr:
        return
    named = {Path(argument.partition("::")[0]).name for argument in config.args}
    here = Path(__file__).parent
    left_out = [
        item
        for item in items
        if item.get_closest_marker("nightly") and here in item.path.parents and item.path.name not in named
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def _session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make orphans children of this process, and let commands share compiled modules."""
    traces.adopt_orphans()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "compiled"))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield
    traces.end_started()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place of the test's own; its labs are ended after it."""
    made = Place(tmp_path)
    yield made
    _end(made)


@contextlib.contextmanager
def place_with_lab(top: Path, *words: str) -> Iterator[Place]:
    """A place with a lab that `up` and these words make; it is ended after the block."""
    made = Place(top)
    try:
        up = made.lab("up", *words)
        assert up.returncode == 0, up.stdout + up.stderr
        yield made
    finally:
        _end(made)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with a lab of two nodes, `lab`, that the tests share and leave as it was."""
    with place_with_lab(tmp_path_factory.mktemp("kept"), "--nodes", "2", "--no-nomad") as made:
        yield made


@pytest.fixture(scope="session")
def ready() -> Iterator[Warm]:
    """A process in which pytest's commands start at once."""
    with warm(ROOT) as made:
        yield made


def _end(made: Place) -> None:
    for folder in made.run.iterdir() if made.run.is_dir() else ():
        made.lab("down", "--lab", folder.name)


@pytest.fixture
def run_dir(place: Place) -> Path:
    """Where this test's labs keep their state."""
    return place.run


@pytest.fixture
def lab(place: Place) -> Callable[..., Result]:
    """Run lab commands; every lab of the test is ended after it."""
    return place.lab


@pytest.fixture
def silent_mirror() -> Iterator[str]:
    """The address of a mirror on this machine that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/debian"


@pytest.fixture
def closed_mirror() -> Iterator[str]:
    """The address of a mirror on this machine at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/debian"
