"""The formats of a run's report: each module of this folder writes one.

Such a module is named after its file (`summary_md` writes summary.md) and has a function

    def write(report: Report) -> None

that puts the file into `report.folder`. Adding a format means adding a module: the folder is listed. Each writer runs
in a thread of its own, while pytest ends. When a writer raises, the verdict and the other formats stay as they
are, and the exception becomes a note below the verdict. Without verdict.json, which gates read, no run is a success.
"""

from __future__ import annotations

import pkgutil
import traceback
from concurrent.futures import Future, ThreadPoolExecutor

from reports.report import Report, WriterError


class Writers:
    """The writers at work on a report; they start when this is made."""

    def __init__(self, report: Report) -> None:
        names = sorted(module.name for module in pkgutil.iter_modules(__path__))
        self._executor = ThreadPoolExecutor(max_workers=len(names), thread_name_prefix="flatnet-writer")
        self._tasks = {name: self._executor.submit(_write, name, report) for name in names}

    def finish(self) -> list[str]:
        """Wait until all have written; a note for each that failed."""
        self._executor.shutdown(wait=True)
        return [note for name, task in self._tasks.items() if (note := _note(name, task)) is not None]


def _write(name: str, report: Report) -> None:
    # The module is imported here, in its thread, so that one which cannot be imported fails alone.
    pkgutil.resolve_name(f"{__name__}.{name}:write")(report)


def _note(name: str, task: Future[None]) -> str | None:
    error = task.exception()
    if error is None:
        return None
    if isinstance(error, WriterError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = (str(error).strip().splitlines() or [""])[0]
    return f"reports/writers/{name}.py failed: {type(error).__name__}: {what} ({last.filename}:{last.lineno})"
