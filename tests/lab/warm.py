"""`python -m pytest …` from a process that has its libraries loaded already.

Loading them takes a second of processor time, and bad commands end before anything else does.
Each command still is a process of its own that runs pytest's own entry point.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LIBRARIES = ("consul", "docker", "paramiko", "pydantic", "pytest", "requests", "ruamel.yaml", "scapy.all")


@dataclass(frozen=True)
class Warm:
    """The client's side of such a process."""

    requests: IO[str]
    answers: IO[str]

    def pytest(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run one command; its output passes through files in `folder`."""
        outputs = [folder / "stdout", folder / "stderr"]
        self.requests.write(json.dumps([["pytest", *words], dict(environment), *map(str, outputs)]) + "\n")
        self.requests.flush()
        code = int(self.answers.readline())
        stdout, stderr = (output.read_text() for output in outputs)
        return subprocess.CompletedProcess(list(words), code, stdout, stderr)


@contextlib.contextmanager
def warm(root: Path) -> Iterator[Warm]:
    """A warm process whose working directory is `root`."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab.warm"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        with process.stdin, process.stdout:
            yield Warm(process.stdin, process.stdout)


def serve() -> None:
    """One forked process per line of standard input; answers its exit code."""
    for name in LIBRARIES:
        __import__(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 (the answer)


def _become(words: list[str], environment: dict[str, str], stdout: str, stderr: str) -> None:
    """Run the command in this process, as if it had been typed."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, stdout), (2, stderr)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    code: object = 0
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 (as the interpreter itself would do)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code) if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve()
