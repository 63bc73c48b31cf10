"""Who tells the names of containers: what a cluster file can say of it, and what adapters make of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.cluster.nodes import open_cluster
from lab.embedded.plan import LabSpec, inventory
from lab.errors import HarnessError, InventoryError, UsageError
from lab.inventory import Inventory, dump, load
from lab.overlays import adapter


def file(tmp_path: Path, lines: str = "", *, consul: bool = True) -> Inventory:
    for name in ("id", "known"):
        (tmp_path / name).touch()
    (tmp_path / "c.yaml").write_text(
        "name: office\nssh: {key: id, known_hosts: known}\nnodes: [{name: u1, address: 192.168.56.3}]\n"
        "overlay: {name: docker, subnets: {a: 10.32.0.0/24}}\n" + ("consul: {}\n" if consul else "") + lines
    )
    return load(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("lines", "consul", "names"),
    [
        ("", True, ("consul",)),
        ("", False, ()),
        ("dns: docker\n", True, ("docker",)),
        ("dns: docker\n", False, ("docker",)),
        ("dns: [consul, docker]\n", True, ("consul", "docker")),
    ],
)
def test_a_file_names_who_tells_the_names(tmp_path: Path, lines: str, consul: bool, names: tuple[str, ...]) -> None:
    made = file(tmp_path, lines, consul=consul)
    assert made.names_by == names
    (tmp_path / "again.yaml").write_text(dump(made))
    assert load(tmp_path / "again.yaml").names_by == names
    facts = open_cluster(made).facts()
    assert facts["dns"] == bool(names)
    assert (facts["dns.consul"], facts["dns.docker"], facts["dns.swarm"]) == (
        "consul" in names, "docker" in names, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("dns: consul\n", "dns: consul needs a section `consul`; write it, or leave consul out of dns"),
        ("dns: [docker, docker]\n", "dns: docker, docker: a source is named twice; name each once"),
        ("dns: []\n", "dns"),
        ("dns: weave\n", "dns"),
    ],
)
def test_a_wrong_source_is_one_line(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        file(tmp_path, lines, consul=False)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overlay", "reach"),
    [("vxlan", "node"), ("evpn", "node"), ("routed", "node"), ("wireguard", "node"), ("swarm", "swarm"),
     ("weave-plugin", ""), ("weave-proxy", "")],
)  # fmt: skip
def test_a_lab_has_dockers_names_where_its_networks_are_dockers(overlay: str, reach: str) -> None:
    made = inventory(LabSpec(overlay=overlay, nomad=False))
    assert adapter(made).capabilities.names == reach
    assert made.names_by == (("consul", "docker") if reach else ("consul",))
    assert open_cluster(made).facts()["dns.swarm"] == (reach == "swarm")


def test_an_overlay_whose_names_docker_does_not_tell_refuses_them() -> None:
    made = inventory(LabSpec(overlay="weave-proxy", nomad=False)).model_copy(update={"dns": ("docker",)})
    with pytest.raises(UsageError, match="dns: docker: Docker's DNS is not known on overlay weave-proxy"):
        adapter(made)


def test_the_adapter_docker_has_a_swarms_names_with_its_driver(tmp_path: Path) -> None:
    made = file(tmp_path, "dns: docker\n")
    swarm = made.overlay.model_copy(update={"options": {"driver": "overlay"}})
    assert adapter(made).capabilities.names == "node"
    assert adapter(made.model_copy(update={"overlay": swarm})).capabilities.names == "swarm"


def test_a_container_is_attached_with_its_aliases() -> None:
    overlay = adapter(inventory(LabSpec(nomad=False)))
    attached: dict[str, Any] = overlay.attach_as("a", ["web", "shop"])
    assert attached["network"] == "flatnet-a"
    assert attached["networking_config"]["flatnet-a"]["Aliases"] == ["web", "shop"]
    proxied = adapter(inventory(LabSpec(overlay="weave-proxy", nomad=False)))
    with pytest.raises(HarnessError, match="a container can have no alias"):
        proxied.attach_as("a", ["web"])
