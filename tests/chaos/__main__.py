"""`python -m tests.chaos`: kills at random moments, and a line on what each left. Needs what the lab needs."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.driver import Chaos, hear_signals
from tests.chaos.plan import draw
from tests.lab import traces


def main() -> int:
    """0 when nothing was left and nobody else was touched; 1 when something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="default: drawn from the clock, and printed")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="K", help="begin with the Kth kill")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    kills = draw(seed, options.kills)[options.first - 1 :]
    print(f"seed {seed}, {len(kills)} kills; --seed {seed} draws the same again", flush=True)
    hear_signals()
    traces.adopt_orphans()
    bad, swept, missed, codes = 0, 0, 0, Counter[int | None]()
    with tempfile.TemporaryDirectory(prefix="fx") as top:
        chaos = Chaos(Path(top))
        with chaos.standing():
            chaos.measure(list(dict.fromkeys(kill.phase for kill in kills)))
            for number, kill in enumerate(kills, options.first):
                outcome = chaos.strike(kill)
                codes[outcome.code] += 1
                bad += bool(outcome.wrong)
                missed += not outcome.hit
                swept += bool(outcome.swept)
                end = "hung" if outcome.code is None else f"exit {outcome.code}"
                print(f"{number:>4} {kill}; hit {outcome.hit or 'nothing'}; {end}", flush=True)
                for line in (*(f"swept by the next start: {what}" for what in outcome.swept), *outcome.wrong):
                    print(f"       {line}", flush=True)
            wrong = chaos.run_whole()
        traces.end_started()
    print("\n".join(wrong) or "the run after all kills: exit code 0, nothing left")
    shown = ", ".join(f"{count} x {'hung' if code is None else code}" for code, count in codes.most_common())
    print(f"{len(kills) - missed} kills, {bad} with something wrong, {swept} swept by the next start; exits: {shown}")
    return int(bool(bad or wrong))


if __name__ == "__main__":
    sys.exit(main())
