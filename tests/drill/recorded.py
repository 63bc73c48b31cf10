"""Puts the findings of a drill's runs where the tests of the causes read them.

    python -m tests.drill.recorded FOLDER

FOLDER has a folder for each fault (`masquerade`, or `masquerade+stale-instance` for two), and in it `latest`, the run
under this fault, with the findings.json.xz that tests/drill/recorder.py left. What a test judged twice is kept once.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path
from typing import Any

from .recorder import FILE, write

PLACE = Path(__file__).resolve().parents[1] / "unit" / "reports" / "recorded"
MOST_LINES = 12
"""Lines of a test's reason that are kept."""


def compact(packed: dict[str, Any]) -> dict[str, Any]:
    """Packed findings without what is there twice within a test."""
    for test in packed["tests"]:
        once = {json.dumps(edge): edge for edge in test["edges"]}
        test["edges"] = list(once.values())
        test["lines"] = test["lines"][:MOST_LINES]
    return packed


def main(folder: Path) -> None:
    """Record every run of the folder that has findings."""
    PLACE.mkdir(exist_ok=True)
    for place in sorted(folder.glob(f"*/latest/{FILE}")):
        name = place.relative_to(folder).parts[0]
        write(PLACE / f"{name}.json.xz", compact(json.loads(lzma.decompress(place.read_bytes()))))
        sys.stdout.write(f"{name}: {(PLACE / f'{name}.json.xz').stat().st_size} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
