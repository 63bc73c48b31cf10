"""Writes docs/requirements/README.md, the table of all requirements, and the released catalogue.

Called by `python -m reports.table`.
"""

from __future__ import annotations

from pathlib import Path

from .released import RELEASED, released_text
from .requirements import CATALOGUE, load

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "docs" / "requirements" / "README.md"
_HEAD = """# Requirements

Made from `suites/catalogue.yaml` by `python -m reports.table`. `--gate` fails when a `must` that applies was not
proved. *Applies* holds conditions on the inventory; `--no-disruptive` leaves out what disturbs the cluster.

| id | level | requirement | applies | source |
|---|---|---|---|---|
"""


def table() -> str:
    """The text of docs/requirements/README.md."""
    rows = []
    for requirement in load(ROOT / CATALOGUE).values():
        conditions = [f"`{condition}`" for condition in requirement.applies]
        if requirement.disruptive:
            conditions.append("disturbs")
        rows.append(
            f"| [{requirement.id}]({requirement.suite}.md#{requirement.id.lower()}) | {requirement.level} "
            f"| {requirement.statement} | {', '.join(conditions)} | {requirement.source} |"
        )
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PLACE.write_text(table(), encoding="utf-8")
    (ROOT / RELEASED).write_text(released_text(load(ROOT / CATALOGUE)), encoding="utf-8")
