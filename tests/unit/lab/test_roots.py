"""Root file systems of nodes: what they are made of, which one is used, and how a person chooses them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.embedded import cached as cache_folders
from lab.embedded import roots
from lab.embedded.debian import NoDebian
from lab.embedded.plan import LabSpec
from lab.embedded.preflight import TABLE, node_programs
from lab.embedded.roots import require_complete, upstream, wanted_packages
from lab.embedded.userland import Userland
from lab.errors import LabError, UsageError
from lab.overlays.vxlan import Vxlan
from lab.overlays.weave import WeaveProxy

TABLE_TEXT = """\
dockerd   lab   docker.io
docker    lab   docker-cli docker.io
sv        lab   runit
ps        more  procps
gpg       here  gpg
python3   node  python3
"""
FACTS = {
    "wanted": ["docker.io"],
    "versions": {"docker.io": "26.1.5+dfsg1-9+b1"},
    "packages": 200,
    "mib": 300,
    "made": "2026-11-27T12:00:00Z",
    "seconds": 30.0,
}
Make = Callable[..., Path]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Puts a root into an empty cache: `cached("trixie")`, or one with another key."""
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path))

    def make(release: str, key: str | None = None) -> Path:
        name = roots._name(release) if key is None else f"{release}-{key}"
        folder = roots.place() / name
        (folder / "tree").mkdir(parents=True)
        (folder / "root.json").write_text(json.dumps({"release": release, **FACTS}))
        return folder

    return make


def test_a_root_has_every_program_but_those_of_the_machine() -> None:
    assert node_programs(TABLE_TEXT) == {
        "dockerd": ["docker.io"],
        "docker": ["docker-cli", "docker.io"],
        "sv": ["runit"],
        "ps": ["procps"],
        "python3": ["python3"],
    }


def test_a_package_that_only_some_releases_have_is_a_pattern() -> None:
    assert wanted_packages(TABLE_TEXT) == ("docker.io", "runit", "procps", "python3", "?exact-name(docker-cli)")


def test_the_table_gives_a_root_engine_client_and_the_agents_python() -> None:
    wanted = wanted_packages(TABLE.read_text())
    assert {"docker.io", "?exact-name(docker-cli)", "python3", "openssh-server", "iptables", "sudo"} <= set(wanted)
    assert not {"mmdebstrap", "gpg"} & set(wanted)


@pytest.mark.parametrize(
    ("version", "number"),
    [("26.1.5+dfsg1-9+deb13u1+b1", "26.1.5"), ("1:9.2p1-2+deb12u7", "9.2"), ("6.15.0-1", "6.15.0"), ("28", "28")],
)
def test_a_package_has_the_version_that_its_makers_gave(version: str, number: str) -> None:
    assert upstream(version) == number


def test_a_version_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="'dfsg' does not begin with a number"):
        upstream("dfsg")


def test_a_root_that_lacks_a_program_is_not_complete(tmp_path: Path) -> None:
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "usr" / "bin" / "iptables").symlink_to("/etc/alternatives/iptables")  # absolute, so nothing of ours
    programs = {"iptables": ["iptables"], "docker": ["docker-cli", "docker.io"]}
    with pytest.raises(
        NoDebian, match=r"trixie: its packages did not bring docker \(from docker-cli or docker\.io\); "
    ):
        require_complete("trixie", Userland(tmp_path), programs)
    (tmp_path / "usr" / "bin" / "docker").touch()
    require_complete("trixie", Userland(tmp_path), programs)


def test_the_current_root_is_used(cached: Make) -> None:
    cached("trixie", "00000000")
    folder = cached("trixie")
    assert roots.find("trixie").tree == folder / "tree"
    assert roots.find("trixie").docker == (26, 1, 5)


def test_a_root_from_another_list_of_packages_is_not_used(cached: Make) -> None:
    cached("trixie", "00000000")
    with pytest.raises(LabError, match=r"trixie: was made from another list of packages; run `python -m lab root make"):
        roots.find("trixie")


def test_a_root_that_was_half_made_is_not_used(cached: Make) -> None:
    cached("trixie").rename(roots.place() / ".trixie_4711")
    with pytest.raises(LabError, match=r"^root file system trixie: is not made; run `python -m lab root make trixie`$"):
        roots.find("trixie")
    assert roots.all_roots() == []


def test_facts_that_cannot_be_read_are_one_line(cached: Make) -> None:
    (cached("trixie") / "root.json").write_text('{"release": "trixie"}')
    with pytest.raises(LabError, match=r"root\.json: KeyError: 'wanted'; remove the folder "):
        roots.find("trixie")


def test_a_root_without_facts_is_one_line_and_not_made_over(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(roots, "find_program", lambda name: f"/usr/bin/{name}")
    (cached("trixie") / "root.json").unlink()
    with pytest.raises(LabError, match=r"root\.json: FileNotFoundError: .*; remove the folder "):
        roots.make("trixie", print, mirror="http://mirror.example/debian")


def test_what_a_killed_command_left_is_removed_with_the_release_and_not_with_another(
    cached: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    cached("trixie")
    mine, others = roots.place() / ".trixie_4711", roots.place() / ".trixie-backports_4712"
    for folder in (mine, others):
        folder.mkdir()
    roots.remove("trixie")
    assert not mine.exists() and others.exists()


def test_a_root_that_a_lab_uses_is_not_removed(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = cached("trixie")
    with (folder / "root.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        with pytest.raises(LabError, match=r"^root file system trixie: a lab uses it; end that first"):
            roots.remove("trixie")
    assert roots.remove("trixie") == [folder]
    assert not folder.exists()


def test_what_is_not_made_cannot_be_removed(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    cached("trixie")
    with pytest.raises(LabError, match=r"^root file system sid: is not made \(made: trixie\)$"):
        roots.remove("sid")


@pytest.mark.parametrize("release", ["../trixie", "Trixie", "", "machine"])
def test_what_cannot_be_a_release_is_wrong_use(release: str) -> None:
    with pytest.raises(UsageError, match="not a name of a Debian release"):
        roots.find(release)


def test_two_commands_do_not_make_the_same_root(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    cached("trixie")
    with (
        cache_folders.locked(roots.place(), "trixie", "root"),
        pytest.raises(LabError, match="another command makes or removes it; wait for that"),
    ):
        roots.remove("trixie")


# -- how a person chooses --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", {}),
        ("trixie", {"u1": "trixie", "u2": "trixie", "u3": "trixie"}),
        ("u1=trixie, u3=bookworm", {"u1": "trixie", "u3": "bookworm"}),
        ("u2=machine", {}),
        ("machine", {}),
    ],
)
def test_roots_are_chosen_for_all_nodes_or_by_node(text: str, chosen: dict[str, str]) -> None:
    assert LabSpec(root=text).roots() == chosen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("u4=trixie", "no node 'u4'; there are: u1, u2, u3"),
        ("u1=trixie,u1=sid", "node 'u1' is named twice"),
        ("u1=trixie,sid", "'sid' is not NODE=RELEASE"),
        ("u1=", "'u1=' is not NODE=RELEASE"),
        ("../trixie", "'../trixie' is not a name of a Debian release"),
    ],
)
def test_a_wrong_choice_is_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^--root {text}: .*") as caught:
        LabSpec(root=text)
    assert said in str(caught.value)


def test_weave_is_refused_by_newer_engines() -> None:
    assert WeaveProxy.refuses_engine((20, 10, 24)) is None
    said = WeaveProxy.refuses_engine((26, 1, 5))
    assert said is not None and "version 1.18 of the Docker API, which Docker 26.1.5 refuses" in said
    assert Vxlan.refuses_engine((28, 5, 2)) is None
