"""Makes every FDB entry that a tunnel learns a static one, which no frame changes any more; undone at SIGTERM.

Usage: entries.py TUNNEL.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys


class Keeper:
    """The entries of one tunnel that were made static."""

    def __init__(self, tunnel: str) -> None:
        self.tunnel = tunnel
        self.kept: dict[str, str] = {}

    def keep(self, mac: str, remote: str) -> None:
        if mac in self.kept or mac == "00:00:00:00:00:00":
            return
        command = ["bridge", "fdb", "replace", mac, "dev", self.tunnel, "dst", remote, "self", "static"]
        if subprocess.run(command, check=False).returncode == 0:
            self.kept[mac] = remote

    def release(self) -> None:
        for mac, remote in self.kept.items():
            command = ["bridge", "fdb", "del", mac, "dev", self.tunnel, "dst", remote, "self"]
            subprocess.run(command, check=False)

    def read(self) -> None:
        """Keep what the tunnel has learned already."""
        shown = subprocess.check_output(["bridge", "-json", "fdb", "show", "dev", self.tunnel])
        for entry in json.loads(shown):
            if "dst" in entry:
                self.keep(entry["mac"], entry["dst"])

    def note(self, line: str) -> None:
        """Keep the entry that a line of `bridge monitor fdb` tells of."""
        words = line.split()
        if "Deleted" not in words and "dst" in words and words[1:3] == ["dev", self.tunnel]:
            self.keep(words[0], words[words.index("dst") + 1])


def main() -> None:
    """Keep what is there and what comes, until SIGTERM."""
    keeper = Keeper(sys.argv[1])
    watching = subprocess.Popen(["bridge", "monitor", "fdb"], stdout=subprocess.PIPE, encoding="utf-8")

    def end(*_: object) -> None:
        watching.kill()
        keeper.release()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    keeper.read()
    print("ready", flush=True)
    for line in watching.stdout or ():
        keeper.note(line)


if __name__ == "__main__":
    main()
