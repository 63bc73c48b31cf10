"""How large a run's report is, and how soon it can be read: `python -m benchmarks.report RUN...`.

Each RUN is a folder of reports/out, or one with an index.html. Prints for each the size of its page, the seconds until
the overview is there, until the tests are unpacked, and until a test's page is; the median of ROUNDS browsers, each
new, without a cache and without a network.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from .browser import BrowserError, Page, browser, missing

ROUNDS = 3


def measured(window: Page, page: Path) -> tuple[float, float, float]:
    """Seconds from opening the page until its overview, the list of its tests, and the first test are there."""
    began = "performance.timeOrigin"
    window.size(1440, 900)
    window.open(page)
    window.wait("document.body?.dataset.view && document.readyState !== 'loading'")
    overview = window.ask("performance.getEntriesByType('navigation')[0].domInteractive") / 1000
    window.wait("document.querySelector('#app')?.textContent.includes('Results')")
    tests = window.ask(f"(Date.now() - {began}) / 1000")
    link = "document.querySelector('a.evidence') ?? document.querySelector('ul.tests a')"
    window.ask(f"window.flatnetClicked = Date.now(); ({link}).click()")
    window.wait("document.querySelector('#app').textContent.includes('Test body')")
    return overview, tests, window.ask("(Date.now() - window.flatnetClicked) / 1000")


def main() -> int:
    """Print the table; 1 when no browser can be started or a page does not open."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description="size and load time of reports")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    if absent := missing():
        print(f"benchmarks.report: {absent}; install chromium", file=sys.stderr)
        return 1
    print(f"{'run':<32} {'MB':>6} {'overview':>9} {'all tests':>10} {'one test':>9}   seconds")
    for run in parser.parse_args().runs:
        page = run / "index.html"
        rounds = []
        for _ in range(ROUNDS):
            with browser() as window:
                try:
                    rounds.append(measured(window, page))
                except BrowserError as error:
                    print(f"{page}: {error}", file=sys.stderr)
                    return 1
        overview, tests, one = (statistics.median(each) for each in zip(*rounds, strict=True))
        megabytes = page.stat().st_size / 1e6
        print(f"{run.resolve().name:<32} {megabytes:>6.2f} {overview:>9.2f} {tests:>10.2f} {one:>9.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
