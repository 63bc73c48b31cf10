"""The example cluster files are complete, and their comments are true."""

from __future__ import annotations

import re
import shutil
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.errors import InventoryError
from lab.inventory import load
from lab.overlays import adapter
from tests.lab.conftest import ROOT

EXAMPLES = sorted((ROOT / "lab" / "examples").glob("*.yaml"))
SECRETS = ("flatnet", "known_hosts", "consul.token", ".ssh/flatnet", ".ssh/known_hosts")


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's home, with the files that the examples name."""
    for name in SECRETS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads(example: Path, operator: Path) -> None:
    inventory = load(Path(shutil.copy(example, operator)))
    assert adapter(inventory).name == inventory.overlay.name
    assert [node.address for node in inventory.nodes] == [IPv4Address(f"192.168.56.{last}") for last in (3, 4, 5)]
    assert inventory.kind == "cluster"
    assert all(node.ssh.key and node.ssh.key.is_relative_to(operator) for node in inventory.nodes)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_names_the_command_that_uses_it(example: Path) -> None:
    assert re.search(rf"^# +\./run suites --cluster {example.name}", example.read_text(), re.M)


def test_there_is_one_for_each_way(operator: Path) -> None:
    assert {load(Path(shutil.copy(example, operator))).overlay.name for example in EXAMPLES} >= {
        "vxlan", "weave-plugin", "weave-proxy",
    }  # fmt: skip


@pytest.mark.parametrize("lost", SECRETS[:3])
def test_a_file_that_an_example_names_and_nobody_made_is_named(operator: Path, lost: str) -> None:
    (operator / lost).unlink()
    name = "weave.yaml" if lost == "consul.token" else "vxlan.yaml"
    with pytest.raises(InventoryError, match=rf"{re.escape(name)}: \S+: no file .*{re.escape(lost)}"):
        load(Path(shutil.copy(ROOT / "lab" / "examples" / name, operator)))
