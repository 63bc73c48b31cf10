"""`./run`: with a cluster file it needs neither root nor an engine; it checks that what it installed is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lab.embedded.preflight import TABLE, table_rows
from tests.lab.conftest import ROOT
from tests.lab.test_bad_input import NOBODY

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def without_engine() -> list[str]:
    """A prefix that runs a command without an engine, in a mount namespace that ends with the command."""
    engine = shutil.which("dockerd", path=PATH)
    assert engine is not None
    return ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', engine]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("words", [["--cluster", "/no/such.yaml"], ["--cluster=/no/such.yaml"]])
def test_a_cluster_file_needs_neither_root_nor_an_engine(without_engine: list[str], words: list[str]) -> None:
    done = run(*without_engine, *NOBODY, "./run", "suites/expose", *words)
    assert done.returncode == 4, done.stderr
    assert done.stderr.strip() == "ERROR: /no/such.yaml: cannot be read: No such file or directory; " + (
        "give the path of a cluster file"
    )


def test_a_lab_needs_root() -> None:
    done = run(*NOBODY, "./run", "suites/expose")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "must be root" in done.stderr and "--cluster FILE" in done.stderr


@pytest.fixture
def apt(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`./run` without an engine and its client, by an apt that knows some packages and installs nothing.

    It writes down what it was asked to install. The real one would upgrade packages of this machine.
    """

    def with_known(
        *known: str, words: Sequence[str] = (), hidden: Sequence[str] = ("dockerd", "docker")
    ) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        candidate = f'case " {" ".join(known)} " in *" $2 "*) echo "  Candidate: 1.0" ;; *) echo "N: none" ;; esac'
        asked = f'case "$*" in *install*) echo "$@" >>{tmp_path}/asked ;; esac'
        stubs = {"apt-get": asked, "apt-cache": candidate}
        for name, body in stubs.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        programs = [place for name in hidden for place in _everywhere(name)]
        hide = "".join(f"mount --bind /dev/null {place}; " for place in programs)
        script = f'{hide} PATH={folder}:$PATH exec "$@"'
        return run("unshare", "--mount", "sh", "-c", script, "sh", "./run", "suites/expose", *words)

    return with_known


def _everywhere(name: str) -> list[Path]:
    folders = dict.fromkeys([*os.environ["PATH"].split(":"), *PATH.split(":")])
    return sorted({(Path(folder) / name).resolve() for folder in folders if (Path(folder) / name).is_file()})


@pytest.mark.parametrize(
    ("known", "package"),
    [(("docker-cli", "docker.io"), "docker-cli"), (("docker.io",), "docker.io"), ((), "docker.io")],
    ids=["Debian 13", "Debian 12", "no lists"],
)
def test_the_client_comes_from_the_package_that_the_release_has(
    apt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, known: tuple[str, ...], package: str
) -> None:
    done = apt(*known)
    asked = (tmp_path / "asked").read_text().split()
    assert asked[asked.index("install") + 1 :] == list(dict.fromkeys(["docker.io", package])), done.stderr
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 3, done.stderr
    assert last.startswith(
        "flatnet: missing although its package was installed: "
        f"dockerd (tried docker.io), docker (tried {package}); install a package that has it, then run again"
    ), last
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        ([], ["docker.io"]),
        (["--overlay", "vxlan"], ["docker.io"]),
        (["--overlay", "wireguard"], ["docker.io", "wireguard-tools", "wireguard-go"]),
        (["--overlay=wireguard"], ["docker.io", "wireguard-tools", "wireguard-go"]),
        (["--overlay", "evpn"], ["docker.io", "frr"]),
    ],
)
def test_what_an_overlay_alone_needs_is_installed_when_it_is_asked_for(
    apt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, words: list[str], packages: list[str]
) -> None:
    done = apt("docker.io", words=words, hidden=["dockerd", "wg", "wireguard-go", "vtysh"])
    asked = (tmp_path / "asked").read_text().split()
    assert asked[asked.index("install") + 1 :] == packages, done.stderr
    assert done.returncode == 3, done.stderr


def test_the_table_of_programs_is_true_of_this_release() -> None:
    """The first package of a row that the release has is the one that has the program."""
    rows = [row for row in table_rows(TABLE.read_text()) if row[1] != "node"]
    ours = list(dict.fromkeys(package for _, _, packages in rows for package in packages))
    candidates, owners = _candidates(ours), _owners()
    named = {program: next((name for name in packages if name in candidates), None) for program, _, packages in rows}
    found = {program: owners[program] for program in named if owners.get(program) in ours}
    assert len(found) > 15, "on a machine that ./run has made ready, most of these programs come from these packages"
    assert found == {program: named[program] for program in found}


def _candidates(packages: list[str]) -> set[str]:
    """Those of the packages that apt could install."""
    done = run("env", "LC_ALL=C", "apt-cache", "policy", *packages)
    assert done.returncode == 0, done.stderr
    found, package = set(), ""
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            package = line.rstrip(":")
        elif line.startswith("  Candidate: ") and "(none)" not in line:
            found.add(package)
    return found


def _owners() -> dict[str, str]:
    """{program: the package that has it} of everything that dpkg has put where programs lie."""
    found = {}
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        for path in listing.read_text().splitlines():
            folder, _, name = path.rpartition("/")
            if folder.removeprefix("/usr") in ("/bin", "/sbin"):
                found[name] = listing.stem.partition(":")[0]
    return found
