"""What `--gate` refuses: whatever would make its exit code say less than it seems to. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .model import Requirement
from .released import differences

NO_RUN = {
    "collectonly": "--collect-only",
    "showfixtures": "--fixtures",
    "show_fixtures_per_test": "--fixtures-per-test",
    "markers": "--markers",
    "help": "--help",
    "version": "--version",
    "cacheshow": "--cache-show",
    "setuponly": "--setup-only",
    "setupplan": "--setup-plan",
}
"""Options of pytest with which it runs no test, and ends with 0."""
EDITED = "; restore it, or judge by it all the same with --edited, which the report then says"


def without_run(option: Any) -> str | None:
    """Why these options of pytest and `--gate` exclude each other, as one line; None when they do not."""
    for name, word in NO_RUN.items():
        if getattr(option, name, False):
            return f"--gate judges a run, and with {word} there is none; leave one of them out"
    return None


def refusal(
    option: Any,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    root: Path,
    requirements: Mapping[str, Requirement],
) -> str | None:
    """Why a gate does not begin, as one line; None when it may. `option` is pytest's namespace of options."""
    if added := environment.get("PYTEST_ADDOPTS", "").strip():
        return f"PYTEST_ADDOPTS={added!r}: --gate takes its options from the command line only; unset the variable"
    if any("::" in argument for argument in arguments):
        return "--gate judges every requirement; give it folders, not single tests"
    if option.edited:
        return None
    differing = differences(root, requirements)
    return None if differing is None else differing + EDITED
