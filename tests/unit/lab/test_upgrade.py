"""Starting a node again after an upgrade that was killed half way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.embedded import lifecycle, plan, upgrade
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


def test_a_node_starts_with_the_services_of_the_root_that_it_has(tmp_path: Path, steps: list[str]) -> None:
    old, new = tree(tmp_path / "old", "usr/sbin"), tree(tmp_path / "new", "usr/bin")
    (tmp_path / "plan.json").write_text(json.dumps({"spec": {"foreign": False}}))
    folder = tmp_path / "nodes" / "u1"
    (folder / "etc").mkdir(parents=True)
    write_services(folder, INVENTORY, INVENTORY.node("u1"), Userland(new), others=False)
    lab = lifecycle.RunningLab(
        name="x",
        state=tmp_path,
        inventory=INVENTORY,
        supervisor=3,
        manager=1,
        desks={},
        nodes={},
        roots={"u1": str(old)},
    )
    upgrade.power_on(lab, "u1")
    assert "exec /usr/sbin/dockerd " in (folder / "etc" / "flatnet" / "service" / "docker" / "run").read_text()
    assert steps == ["power-on u1", "boot u1"]


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
