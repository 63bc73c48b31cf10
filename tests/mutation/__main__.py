"""`python -m tests.mutation MODULE…`: how many of a module's mutants its unit tests notice."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ruamel.yaml import YAML

from tests.mutation.mutants import Mutant
from tests.mutation.runner import Report, Unusable, check, default_tests

EXPLAINED = Path(__file__).with_name("equivalent.yaml")
AT_LEAST = 95.0


def explained(module: str) -> dict[str, str]:
    """{change: why it changes nothing that anybody could see} of a module."""
    texts: dict[str, dict[str, str]] = YAML(typ="safe", pure=True).load(EXPLAINED) or {}
    return texts.get(module, {})


def describe(module: Path, mutant: Mutant) -> str:
    """A surviving mutant as a person wants to read it."""
    line = module.read_text().splitlines()[mutant.line - 1].strip()
    return f"  line {mutant.line}: {line}\n    {mutant.change}"


def show(module: Path, report: Report) -> bool:
    """Print what became of a module's mutants; whether enough of them were killed."""
    known = explained(report.module)
    alive = [*report.survived, *report.untested]
    equivalent = [mutant for mutant in alive if mutant.change in known]
    for title, several in (
        ("survived", [mutant for mutant in report.survived if mutant.change not in known]),
        ("survived, since no test runs their line", [one for one in report.untested if one.change not in known]),
        ("timed out", report.timed_out),
    ):
        if several:
            print(f"{title}:", *(describe(module, mutant) for mutant in several), sep="\n")
    if equivalent:
        print("survived, and explained in tests/mutation/equivalent.yaml:")
        print(*(f"{describe(module, mutant)}\n    ({known[mutant.change]})" for mutant in equivalent), sep="\n")
    print(
        f"{report.module}: {report.total} mutants, {len(report.killed)} killed, {len(report.timed_out)} timed out, "
        f"{len(alive)} survived ({len(equivalent)} of them explained): {report.rate:.1f} % killed"
    )
    return report.rate >= AT_LEAST


def main() -> int:
    """0 when at least 95 % of each module's mutants are killed, 1 when not, 2 when its tests cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="+", type=Path, metavar="MODULE")
    parser.add_argument(
        "--tests", nargs="+", metavar="PATH", help="default: tests/unit/<package>/test_<module>*.py, or that folder"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    enough = True
    for module in options.modules:
        try:
            report = check(module, options.tests or default_tests(module), options.jobs, _tell)
        except Unusable as error:
            print(f"{module}: {error}", file=sys.stderr)
            return 2
        print()
        enough &= show(module, report)
    return 0 if enough else 1


def _tell(sign: str) -> None:
    print(sign, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
