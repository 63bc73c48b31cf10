"""Runs under benchmarks/.venv: commands one after the other over testinfra's paramiko back end.

Standard input: {"hosts": {name: host specification}, "commands": [[name, command], …]};
standard output: {"seconds": of the loop alone, "good": commands that ended with 0}.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

testinfra = importlib.import_module("testinfra")


def main() -> None:
    """Connect first, then measure."""
    work = json.load(sys.stdin)
    hosts = {name: testinfra.get_host(specification) for name, specification in work["hosts"].items()}
    for host in hosts.values():
        host.run("true")
    began = time.monotonic()
    good = sum(hosts[name].run(command).rc == 0 for name, command in work["commands"])
    print(json.dumps({"seconds": time.monotonic() - began, "good": good}))


if __name__ == "__main__":
    main()
