"""No way to fool a gate ends with exit code 0: each of gate_cases.py, with the plugins of a real run and no lab."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.unit.reports.gate_cases import CONFTEST, HOOK_HEAD, PASSES, WAYS, one
from tests.unit.reports.small_suites import ROOT, Outcome, SmallSuites

pytest_plugins = ["pytester"]

PAGE = ROOT / "docs" / "gate.md"
Ready = Callable[..., SmallSuites]


@pytest.fixture
def ready(suites: SmallSuites, monkeypatch: pytest.MonkeyPatch) -> Ready:
    """Sound suites, all of whose requirements pass."""
    monkeypatch.setattr("fixtures.session.life.start", None)  # the conftest replaces it; afterwards it is itself again

    def make(revision: str = "2fa19c2", more: str = "") -> SmallSuites:
        text = HOOK_HEAD + CONFTEST.strip().replace("REVISION", repr(revision)) + more
        (suites.folder / "conftest.py").write_text(text + "\n")
        suites.suite("one", **PASSES)
        suites.suite("two", one="TWO-1 disruptive: assert True")
        return suites

    return make


def run_apart(suites: SmallSuites, *words: str) -> Outcome:
    """As a person runs it: a process of its own, with the conftest that is there."""
    command = [sys.executable, "-m", "pytest", *words, "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=suites.folder, capture_output=True, text=True, timeout=300, check=False)
    return Outcome(done.returncode, done.stdout + done.stderr, suites.folder)


def test_sound_suites_pass_the_gate(ready: Ready) -> None:
    done = ready().run("suites", "--gate")
    assert done.verdict == ("conformant", 0), done.output
    assert done.statuses == {"ONE-1": "pass", "ONE-2": "pass", "TWO-1": "pass", "TWO-2": "not-applicable"}
    assert done.document["gate"] is True and done.document["catalogue"]["released"] is True


@pytest.mark.parametrize("name", WAYS)
def test_the_gate_is_not_fooled(ready: Ready, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    way = WAYS[name]
    suites = ready(way.revision, way.conftest)
    way.prepare(suites)
    for variable, value in way.environment.items():
        monkeypatch.setenv(variable, value)
    words = () if any("::" in word for word in way.words) and "--deselect" not in way.words else ("suites",)
    run = run_apart if way.apart else SmallSuites.run
    done = run(suites, *words, "--gate", *way.words)
    assert done.code == way.code, done.output
    folder = suites.folder / "reports/out/latest/summary.md"
    said = done.output + (folder.read_text() if folder.exists() else "")
    assert way.line in said, said
    assert "Traceback" not in done.output and "INTERNALERROR" not in done.output, done.output
    if way.code == 4:
        assert not folder.exists(), "a run that did not begin leaves no verdict"
        assert len([line for line in done.output.splitlines() if way.line in line]) == 1
    elif way.statuses:
        assert done.statuses.items() >= way.statuses.items()


@pytest.mark.parametrize("word", ["--setup-only", "--setup-plan", "--fixtures", "--markers", "--help"])
def test_a_gate_that_runs_no_test_is_refused(ready: Ready, word: str) -> None:
    done = ready().run("suites", "--gate", word)
    assert done.code == 4 and f"--gate judges a run, and with {word} there is none" in done.output


def test_what_was_edited_is_judged_when_told(ready: Ready) -> None:
    suites = ready("2fa19c2-dirty")
    place = suites.folder / "suites/catalogue.yaml"
    place.write_text(place.read_text().replace("level: should", "level: must"))
    assert suites.run("suites", "--gate").code == 4
    done = suites.run("suites", "--gate", "--edited")
    assert done.verdict == ("conformant", 0) and done.document["catalogue"]["released"] is False
    assert suites.run("suites").code == 0, "without --gate nothing is refused"


def test_without_the_released_catalogue_nobody_can_tell(ready: Ready) -> None:
    suites = ready()
    (suites.folder / "suites/released.txt").unlink()
    done = suites.run("suites", "--gate")
    assert done.code == 4 and "released.txt: is missing or damaged" in done.output


def test_a_run_that_was_killed_leaves_no_stale_verdict(ready: Ready) -> None:
    """`latest` leads to a run from its beginning, so that yesterday's verdict is not taken for today's."""
    suites = ready()
    assert suites.run("suites", "--gate").code == 0
    one("os.kill(os.getpid(), 9)")(suites)
    done = run_apart(suites, "suites", "--gate")
    assert done.code == -signal.SIGKILL
    latest = suites.folder / "reports/out/latest"
    assert latest.exists() and not (latest / "verdict.json").exists()


def test_a_run_without_a_verdict_leaves_no_link_to_it(ready: Ready) -> None:
    suites = ready(more="\n\ndef pytest_sessionstart(session):\n    raise KeyboardInterrupt\n")
    run_apart(suites, "suites", "--gate")
    assert not (suites.folder / "reports/out/latest").is_symlink() or (suites.folder / "reports/out/latest").exists()


def table() -> dict[str, tuple[int, str]]:
    """{what somebody does: (exit code, line)} as docs/gate.md has it."""
    rows = re.findall(r"^\| (.+?) \| (\d) \| `` (.+?) `` \|$", PAGE.read_text(encoding="utf-8"), re.M)
    return {done: (int(code), line) for done, code, line in rows}


def test_the_page_lists_every_way() -> None:
    assert table() == {way.done: (way.code, way.line) for way in WAYS.values()}
    assert len(WAYS) >= 15 and 0 not in {way.code for way in WAYS.values()}
