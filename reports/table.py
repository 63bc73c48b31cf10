"""The catalogue as a table of docs/requirements: `python -m reports.table` writes it."""

from __future__ import annotations

from pathlib import Path

from .requirements import load

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "docs" / "requirements" / "README.md"
_HEAD = """# Requirements

Made from `suites/catalogue.yaml` by `python -m reports.table`. A `must` that was not proved fails the gate
(`--gate`); *applies* is asked of the inventory, and what disturbs the cluster is left out by `--no-disruptive`.

| id | level | requirement | applies | source |
|---|---|---|---|---|
"""


def table() -> str:
    """docs/requirements/README.md as it has to be."""
    lines = []
    for entry in load(ROOT / "suites" / "catalogue.yaml").values():
        conditions = [f"`{one}`" for one in entry.applies] + (["disturbs"] if entry.disruptive else [])
        link = f"[{entry.id}]({entry.suite}.md#{entry.id.lower()})"
        lines.append(f"| {link} | {entry.level} | {entry.statement} | {', '.join(conditions)} | {entry.source} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PLACE.write_text(table())
