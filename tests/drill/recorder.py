"""Keeps what a run's tests handed over, beside its verdict, for the tests of the causes.

    pytest -p tests.drill.recorder suites --fault masquerade@u1

writes findings.json.xz into the run's folder: what the tests judged, edge by edge, with the clues. Every run of the
drill does so.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

FILE = "findings.json.xz"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write the findings of a run that came to its verdict."""
    # Not sooner: a plugin that is imported before pytest registers it cannot have its assertions rewritten.
    from reports.edges import pack
    from reports.plugin import REPORT

    run = config.stash.get(REPORT, None)
    if run is not None and run.finished is not None:
        write(run.folder / FILE, pack(run.finished.findings))


def write(place: Path, packed: object) -> None:
    """Write packed findings."""
    place.write_bytes(lzma.compress(json.dumps(packed, separators=(",", ":")).encode(), preset=6))
