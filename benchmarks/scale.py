"""What a run costs as a cluster grows: `python -m benchmarks.scale --nodes 3 5 10` (root; each run makes a lab).

Each size is one `pytest suites --nodes N --no-disruptive`. Printed are its verdict, the tests, the probes, the seconds
of the whole command, the most memory that the runner had, and the exponents with which these grow from size to size.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "scale.json"


@dataclass(frozen=True)
class Cost:
    """One run: what it found, and what it took."""

    nodes: int
    verdict: str
    tests: int
    probes: int
    seconds: float
    """Of the whole command, from its start to its end, with the lab and the report."""
    memory_mb: int
    """The most that the process had which plans, judges and reports."""
    seed: int


def measure(nodes: int, options: list[str]) -> Cost:
    """Run the suites on a lab of so many nodes."""
    with tempfile.TemporaryDirectory(prefix="flatnet-scale-") as out:
        words = ["pytest", "suites", "--nodes", str(nodes), "--no-disruptive", "--out", out, "-q", *options]
        began = time.monotonic()
        with open(Path(out) / "output.txt", "wb") as output:
            process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=output, stderr=output)
            _, _, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        verdict = json.loads((Path(out) / "latest" / "verdict.json").read_text())
    return Cost(
        nodes=nodes,
        verdict=verdict["verdict"],
        tests=len({test for found in verdict["requirements"].values() for test in found["tests"]}),
        probes=verdict["probes"]["sent"],
        seconds=round(seconds, 1),
        memory_mb=usage.ru_maxrss >> 10,
        seed=verdict["seed"],
    )


def exponent(one: Cost, other: Cost, of: str) -> float:
    """The power of the number of nodes with which something grows from one run to the other."""
    return math.log(getattr(other, of) / getattr(one, of)) / math.log(other.nodes / one.nodes)


def main() -> int:
    """0 when every run was conformant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 5, 10, 20], metavar="N")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}")
    options, rest = parser.parse_known_args()
    print(f"{'nodes':>5}  {'verdict':<14} {'tests':>6} {'probes':>10} {'time':>8} {'memory':>8}", flush=True)
    made: list[Cost] = []
    for nodes in options.nodes:
        made.append(cost := measure(nodes, rest))
        print(
            f"{nodes:>5}  {cost.verdict:<14} {cost.tests:>6} {cost.probes:>10,} {cost.seconds:>6.1f} s "
            f"{cost.memory_mb:>5} MB  (seed {cost.seed})",
            flush=True,
        )
    for one, other in pairwise(made):
        powers = ", ".join(f"{of} {exponent(one, other, of):.2f}" for of in ("probes", "seconds", "memory_mb"))
        print(f"exponents from {one.nodes} to {other.nodes} nodes: {powers}")
    if options.save:
        RESULTS.write_text(json.dumps([asdict(cost) for cost in made], indent=1) + "\n")
    return 0 if all(cost.verdict == "conformant" for cost in made) else 1


if __name__ == "__main__":
    sys.exit(main())
