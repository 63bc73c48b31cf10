"""Starting a node again after an upgrade that was killed half way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.embedded import lifecycle, plan, services, upgrade
from lab.embedded.plan import LabSpec
from lab.embedded.services import write_services
from lab.embedded.userland import Userland

INVENTORY = plan.inventory(LabSpec(name="x", nomad=False))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the supervisor; no node is started."""
    asked: list[str] = []
    monkeypatch.setattr(
        lifecycle, "request", lambda name, **message: asked.append(f"{message['op']} {message['node']}")
    )
    monkeypatch.setattr(lifecycle, "join", lambda inventory: None)
    monkeypatch.setattr(upgrade, "boot", lambda inventory, name: asked.append(f"boot {name}"))
    return asked


def tree(folder: Path, place: str) -> Path:
    """A root file system with its dockerd in `place`."""
    (folder / place).mkdir(parents=True)
    (folder / place / "dockerd").touch()
    (folder / "etc").mkdir()
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run directory of u1, which is off."""
    (tmp_path / "plan.json").write_text(json.dumps({"spec": {"foreign": False}}))
    made = tmp_path / "nodes" / "u1"
    (made / "etc").mkdir(parents=True)
    return made


def off(tmp_path: Path, root: Path) -> lifecycle.RunningLab:
    """A lab whose u1 is off, and had that root."""
    return lifecycle.RunningLab(
        name="x",
        state=tmp_path,
        inventory=INVENTORY,
        supervisor=3,
        manager=1,
        desks={},
        nodes={},
        roots={"u1": str(root)},
    )


def service(folder: Path) -> Path:
    return folder / "etc" / "flatnet" / "service" / "docker" / "run"


def test_a_node_starts_with_the_services_of_the_root_that_it_has(
    tmp_path: Path, folder: Path, steps: list[str]
) -> None:
    old, new = tree(tmp_path / "old", "usr/sbin"), tree(tmp_path / "new", "usr/bin")
    write_services(folder, INVENTORY, INVENTORY.node("u1"), Userland(new), others=False)
    upgrade.power_on(off(tmp_path, old), "u1")
    assert "exec /usr/sbin/dockerd " in service(folder).read_text()
    assert steps == ["power-on u1", "boot u1"]


def test_what_somebody_changed_on_a_node_outlasts_its_loss(tmp_path: Path, folder: Path, steps: list[str]) -> None:
    old = tree(tmp_path / "old", "usr/sbin")
    write_services(folder, INVENTORY, INVENTORY.node("u1"), Userland(old), others=False)
    service(folder).write_text("changed")
    upgrade.power_on(off(tmp_path, old), "u1")
    assert service(folder).read_text() == "changed" and steps == ["power-on u1", "boot u1"]


def test_services_that_were_written_in_part_are_written_again(
    tmp_path: Path, folder: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tree(tmp_path / "old", "usr/sbin")
    write_services(folder, INVENTORY, INVENTORY.node("u1"), Userland(old), others=False)
    with monkeypatch.context() as broken:
        broken.setattr(services, "write_service", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_services(folder, INVENTORY, INVENTORY.node("u1"), Userland(old), others=False)
    service(folder).write_text("half")
    upgrade.power_on(off(tmp_path, old), "u1")
    assert "exec /usr/sbin/dockerd " in service(folder).read_text()


def test_files_of_a_node_that_is_on_stay(tmp_path: Path, steps: list[str]) -> None:
    lab = lifecycle.RunningLab(
        name="x",
        state=tmp_path,
        inventory=INVENTORY,
        supervisor=3,
        manager=1,
        desks={},
        nodes={"u1": 2},
        roots={"u1": None},
    )
    upgrade.power_on(lab, "u1")  # the supervisor refuses it
    assert not (tmp_path / "nodes").exists()
