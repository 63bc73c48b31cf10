"""Runs on a lab's node until a peer was silent for a while, and then runs a script, once.

silence.py PEER SCRIPT: the peer's address, whose port 22 is dialled, and a file for /bin/sh.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time

SSH = 22
PATIENCE_S = 3.0
EVERY_S = 0.3


def answers(peer: str) -> bool:
    """Whether the peer takes a connection."""
    try:
        socket.create_connection((peer, SSH), timeout=1.0).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Watch until killed."""
    peer, script = sys.argv[1:]
    print("ready", flush=True)
    heard = time.monotonic()
    done = False
    while True:
        if answers(peer):
            heard = time.monotonic()
        elif not done and time.monotonic() - heard > PATIENCE_S:
            subprocess.run(["/bin/sh", script], check=True)
            done = True
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
