"""A run with the drill's recorder keeps what its tests handed over."""

from __future__ import annotations

import json
import lzma

from reports.edges import unpack
from tests.unit.reports.small_suites import SmallSuites

pytest_plugins = ["pytester"]


def test_findings_are_kept_beside_the_verdict(suites: SmallSuites) -> None:
    suites.suite("one", holds="ONE-1: pass", fails='ONE-2: assert False, "first line\\nsecond line"')
    suites.run("suites", "-p", "tests.drill.recorder")
    place = suites.folder / "reports/out/latest/findings.json.xz"
    found = unpack(json.loads(lzma.decompress(place.read_bytes())))
    assert [(test.result.outcome, test.result.requirements) for test in found.tests] == [
        ("passed", ("ONE-1",)), ("failed", ("ONE-2",))
    ]  # fmt: skip
    assert [line.strip() for line in found.tests[1].lines[:2]] == ["first line", "second line"]
