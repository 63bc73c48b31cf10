"""Fetches Debian releases: where this machine's apt gets its packages, and root file systems by mmdebstrap.

Nothing here knows an address: the mirror is the one that this machine's own apt uses. `tests.hosts` runs this before
anything is installed, so that it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from lab.errors import LabError

from .namespaces import die_with_parent

ROLLING = ("sid", "unstable")
"""Suites of Debian without updates or a security suite beside them."""
RELEASE_NAME = re.compile(r"[a-z][a-z0-9.-]*")
"""How a release can be named; not every such name is one."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APT = re.compile(r"Acquire::((https?|ftp)(::|\s)|Retries|Check-Valid-Until|Check-Date|Proxy)")
_INDEX_TARGETS = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
_CONTAINED = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Before a command: all that it starts ends with it, also when it is killed (unshare(1))."""
_HELPER = "/usr/lib/apt/apt-helper"
"""apt's program that fetches one file with apt's own settings."""


class NoDebian(LabError):
    """A Debian release cannot be fetched or unpacked here; the text says why."""


@dataclass(frozen=True)
class Source:
    """A suite of an archive, such as `trixie-updates`, and the address of the archive."""

    address: str
    suite: str

    @property
    def line(self) -> str:
        """As a line of sources.list(5)."""
        return f"deb {self.address} {self.suite} main\n"

    @property
    def index(self) -> str:
        """Address of the signed file that lists the suite's indices, and says until when it is valid."""
        return f"{self.address}/dists/{self.suite}/InRelease"


def mirrors() -> dict[str, str]:
    """{label: address} of Debian's archives in this machine's apt: `Debian`, `Debian-Security`. Raises NoDebian."""
    found = debian_mirrors(_output("apt-get", "indextargets", "--format", _INDEX_TARGETS, "Created-By: Packages"))
    if "Debian" not in found:
        raise NoDebian("apt: has no source of Debian's own; run apt-get update, or give --mirror URL")
    return found


def debian_mirrors(index_targets: str) -> dict[str, str]:
    """{label of the archive: address} of Debian's own archives, from lines of `_INDEX_TARGETS`; the first counts."""
    found: dict[str, str] = {}
    for line in index_targets.splitlines():
        origin, label, address = line.split("|")
        if origin == "Debian":
            found.setdefault(label, address.rstrip("/"))
    return found


def sources(release: str, mirrors: Mapping[str, str]) -> tuple[Source, ...]:
    """What an installed Debian of that release has in sources.list: updates and security, where there are any."""
    found = [Source(mirrors["Debian"], release)]
    if release not in ROLLING:
        found.append(Source(mirrors["Debian"], f"{release}-updates"))
        if "Debian-Security" in mirrors:
            found.append(Source(mirrors["Debian-Security"], f"{release}-security"))
    return tuple(found)


def fetch_settings() -> str:
    """How this machine's apt fetches, as apt.conf(5). Raises NoDebian."""
    return acquire_settings(_output("apt-config", "dump", "Acquire"))


def acquire_settings(dump: str) -> str:
    """How apt fetches (proxies, retries, dates), from `apt-config dump Acquire`."""
    return "".join(f"{line}\n" for line in dump.splitlines() if _APT.match(line))


def expired(source: Source, scratch: Path, now: datetime) -> datetime | None:
    """Until when the suite's index at the mirror was valid; None when it still is.

    `scratch`: a folder for the index. What fetches it ends with this process, also when that is killed. Raises NoDebian
    when the mirror does not have the suite, or does not answer.
    """
    place = scratch / f"{source.suite}.InRelease"
    done = _run([*_CONTAINED, _HELPER, "-o", "APT::Sandbox::User=root", "download-file", source.index, str(place)])
    if done.returncode != 0:
        words = done.stderr.split("\n")[0].removeprefix(f"E: Failed to fetch {source.index}").split()
        reason = " ".join(words) or f"exit status {done.returncode}"
        raise NoDebian(
            f"{source.address} has no suite {source.suite}, or does not answer: {reason}; "
            "name a release that the mirror has, such as trixie, or another mirror (--mirror URL)"
        )
    until = valid_until(place.read_text(errors="replace", encoding="utf-8"))
    return until if until is not None and until < now else None


def valid_until(index: str) -> datetime | None:
    """The date of an InRelease file's field Valid-Until; None when it has none. Raises NoDebian: not a date."""
    for line in index.splitlines():
        name, _, value = line.partition(":")
        if name == "Valid-Until":
            try:
                until = parsedate_to_datetime(value.strip())
            except ValueError:
                raise NoDebian(f"InRelease: Valid-Until is {value.strip()!r}, which is not a date") from None
            return until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return None


@dataclass(frozen=True)
class Wanted:
    """A root file system to be made by mmdebstrap(1): Debian's required packages (minbase) and those named."""

    release: str
    sources: tuple[Source, ...]
    packages: Sequence[str]
    """Names, and apt's patterns (apt-patterns(7)); a pattern that matches nothing adds nothing."""
    settings: str
    """apt.conf(5) for fetching."""
    leave_out: Sequence[str] = ()
    """Patterns of paths that dpkg does not unpack (`path-exclude`, dpkg(1)); those with a `!` it does after all."""


def unpack(wanted: Wanted, root: Path, *, scratch: Path, log: Path) -> None:
    """Make the root file system in the folder `root`, which is empty or not there yet.

    What mmdebstrap prints goes into `log`. It ends with this process, also when that is killed. Raises NoDebian with
    the first error that it printed.
    """
    settings = scratch / "apt.conf"
    settings.write_text(wanted.settings, encoding="utf-8")
    words = [*_CONTAINED, "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"]
    words += [f"--aptopt={settings}"]
    words += [f"--include={','.join(wanted.packages)}"] if wanted.packages else []
    words += [_dpkg_option(pattern) for pattern in wanted.leave_out]
    words += [wanted.release, str(root), "-"]
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8", "TMPDIR": str(scratch)}
    with log.open("wb") as stream:
        try:
            done = subprocess.run(
                words,
                input="".join(source.line for source in wanted.sources).encode(),
                stdout=stream,
                stderr=stream,
                env=environment,
                preexec_fn=die_with_parent,  # no other thread runs here
                check=False,
            )
        except FileNotFoundError as error:
            raise NoDebian(f"no program {error.filename}; install util-linux and mmdebstrap") from None
    if done.returncode != 0:
        lines = log.read_text(errors="replace", encoding="utf-8").splitlines()
        reason = next((line.removeprefix("E: ") for line in lines if line.startswith("E: ")), "failed")
        raise NoDebian(f"mmdebstrap: {reason}; {log} has all that it printed")


def installed(root: Path) -> dict[str, str]:
    """{package: version} of what dpkg has installed in a root file system. Raises NoDebian."""
    form = "--showformat=${db:Status-Abbrev}|${Package}|${Version}\\n"
    listed = _output("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", form)
    return installed_packages(listed)


def installed_packages(listed: str) -> dict[str, str]:
    """{package: version} of the lines `status|package|version` that say that a package is installed."""
    lines = (line.split("|") for line in listed.splitlines())
    return {package: version for status, package, version in lines if status.startswith("ii")}


def _dpkg_option(pattern: str) -> str:
    kind = "path-include" if pattern.startswith("!") else "path-exclude"
    return f"--dpkgopt={kind}={pattern.removeprefix('!')}"


def _output(*words: str) -> str:
    done = _run(words)
    if done.returncode != 0:
        raise NoDebian(f"{' '.join(words[:2])}: {done.stderr.strip()}; mend this machine's apt")
    return done.stdout


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            preexec_fn=die_with_parent,  # no other thread runs here
            check=False,
            encoding="utf-8",
        )
    except FileNotFoundError:
        raise NoDebian(f"no program {words[0]}: a Debian is made on a Debian, by its apt") from None
