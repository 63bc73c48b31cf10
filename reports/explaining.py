"""Has the causes found; whatever becomes of that, the verdict is the same."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .causes import Explanation, find_causes
from .edges import Findings
from .known_issues import KnownIssue, match_failures


def explain(findings: Findings, nodes: Sequence[str], known: Sequence[KnownIssue]) -> tuple[Explanation, list[str]]:
    """(the causes of what failed and is not a known issue, a note when they could not be found)."""
    accepted, _ = match_failures(known, [test.result for test in findings.tests])
    ids = {nodeid for nodeids in accepted.values() for nodeid in nodeids}
    with ThreadPoolExecutor(max_workers=1) as executor:
        task = executor.submit(find_causes, findings, nodes, ids)
    error = task.exception()
    if error is None:
        return task.result(), []
    words = (str(error).splitlines() or [""])[0]
    return Explanation(), [f"the causes of what failed could not be found: {type(error).__name__}: {words}"]
