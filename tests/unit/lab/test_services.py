"""The files of a node that depend on its userland: programs of its own root file system, users, the packet filter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.embedded import plan, services
from lab.embedded.plan import LabSpec
from lab.embedded.services import write_services
from lab.embedded.userland import Userland

INVENTORY = plan.inventory(LabSpec(name="x", nomad=False))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root file system with few programs, and users of its own."""
    made = tmp_path / "tree"
    for program in ("usr/sbin/sshd", "usr/sbin/dockerd", "usr/sbin/iptables-legacy", "usr/sbin/runc"):
        (made / program).parent.mkdir(parents=True, exist_ok=True)
        (made / program).touch()
    (made / "etc").mkdir()
    (made / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\nsshd:x:991:65534::/run/sshd:/bin/false\n")
    (made / "etc" / "group").write_text("root:x:0:\ndocker:x:988:\n")
    return made


def written(folder: Path, userland: Userland, *, others: bool = False) -> Path:
    (folder / "etc").mkdir(parents=True, exist_ok=True)
    write_services(folder, INVENTORY, INVENTORY.nodes[0], userland, others=others)
    return folder


def run_script(folder: Path, name: str) -> str:
    return (folder / "etc" / "flatnet" / "service" / name / "run").read_text()


def test_a_program_comes_from_the_nodes_own_root(tree: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "u1", Userland(tree))
    assert "exec /usr/sbin/dockerd --config-file" in run_script(folder, "docker")
    assert "exec /usr/sbin/sshd -D" in run_script(folder, "sshd")


def test_what_no_release_has_is_the_machines(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "consul").touch(0o755)
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    folder = written(tmp_path / "u1", Userland(tree))
    assert f"exec {tmp_path}/bin/consul agent" in run_script(folder, "consul")


def test_users_are_those_of_the_root_and_root_has_a_plain_shell(tree: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "u1", Userland(tree))
    assert (folder / "etc" / "passwd").read_text() == (
        "root:x:0:0:root:/root:/bin/sh\nsshd:x:991:65534::/run/sshd:/bin/false\n"
    )
    assert not (folder / "etc" / "group").exists()


def test_another_root_file_system_replaces_what_the_first_one_gave(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "etc").mkdir(parents=True)
    (other / "usr" / "bin").mkdir(parents=True)
    (other / "usr" / "bin" / "dockerd").touch()
    (other / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    folder = written(tmp_path / "u1", Userland(tree))
    written(folder, Userland(other))
    assert "exec /usr/bin/dockerd " in run_script(folder, "docker")
    assert (folder / "etc" / "passwd").read_text() == "root:x:0:0:root:/root:/bin/sh\n"


def test_operators_of_a_foreign_lab_are_added_to_the_roots_users(tree: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "u1", Userland(tree), others=True)
    assert "dockhand:*:2002" in (folder / "etc" / "passwd").read_text()
    assert "docker:x:988:dockhand" in (folder / "etc" / "group").read_text()
    assert {"sshd", "lab-sshd"} <= {path.name for path in (folder / "etc" / "flatnet" / "service").iterdir()}


def test_a_packet_filter_that_the_overlay_asks_for_is_the_roots_own(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    services._packet_filter(folder, "legacy", Userland(tree))
    services._packet_filter(folder, "legacy", Userland(tree))  # a second time, as after an upgrade
    assert (folder / "iptables").readlink() == Path("/usr/sbin/iptables-legacy")
    assert not (folder / "iptables-save").is_symlink(), "the root has none"


def test_what_the_machine_cannot_grant_is_taken_out_by_the_roots_runc(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "missing_capabilities", lambda: ("CAP_SYS_MODULE",))
    folder = written(tmp_path / "u1", Userland(tree))
    assert 'exec /usr/sbin/runc "$@"' in (folder / "runc-shim").read_text()
    assert json.loads((folder / "docker.json").read_text())["default-runtime"] == "bounded"
