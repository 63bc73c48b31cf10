"""`python -m tests.fuzz`: bad input for every surface, and a table of how it ended. .ci/nightly runs it."""

from __future__ import annotations

import argparse
import resource
import sys
import time

from tests.fuzz import SURFACES
from tests.fuzz.driver import drive
from tests.fuzz.surface import Surface, Tally

MOST_MEMORY = 2 << 30
"""Bytes of address space: an input that makes a reader take more ends as a crash (MemoryError)."""
MOST_SHOWN = 3


def main() -> int:
    """0 when no input crashed, hung or ended in an unclear message; 1 when one did; 2 for a surface that is unknown."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("surfaces", nargs="*", metavar="SURFACE", help=f"default: all of {', '.join(SURFACES)}")
    parser.add_argument(
        "--inputs", type=int, default=20_000, metavar="N", help="inputs for each (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="default: drawn from the clock, and printed")
    options = parser.parse_args()
    unknown = [name for name in options.surfaces if name not in SURFACES]
    if unknown:
        print(f"no surface {', '.join(unknown)}; there are: {', '.join(SURFACES)}", file=sys.stderr)
        return 2
    seed = time.time_ns() if options.seed is None else options.seed
    print(f"seed {seed}, {options.inputs} inputs for each surface; --seed {seed} tries the same again")
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    print(
        f"{'surface':<28}{'inputs':>8}{'read':>8}{'refused':>9}{'crashes':>9}{'hangs':>7}{'unclear':>9}{'slowest':>10}"
    )
    bad = [_show(SURFACES[name], options.inputs, seed) for name in options.surfaces or SURFACES]
    return int(any(bad))


def _show(surface: Surface, inputs: int, seed: int) -> bool:
    tally: Tally = drive(surface, inputs, seed)
    ends = tally.endings
    print(
        f"{surface.name:<28}{ends.total():>8}{ends['read']:>8}{ends['refused']:>9}{ends['crash']:>9}{ends['hang']:>7}"
        f"{ends['unclear']:>9}{tally.slowest_s:>8.2f} s",
        flush=True,
    )
    for text in tally.bad[:MOST_SHOWN]:
        print(text, file=sys.stderr)
    return bool(tally.bad)


if __name__ == "__main__":
    sys.exit(main())
