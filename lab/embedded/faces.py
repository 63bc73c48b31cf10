"""The faces of a foreign lab: the cluster file of each way in that its operators would give somebody.

`root` is the lab's own inventory. The others are what a person would write: users, keys, addresses and tokens that
were handed out, and the network namespace of the desk from which the bastion lets that person through.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.errors import UsageError
from lab.inventory import Inventory, Node, Runner, Ssh
from lab.inventory.model import INHERITED

from . import foreign
from .foreign import certificate_file, client_tls, key_file, passphrase_file, token_file
from .keys import write_private

ROOT = "root"
DESK_OF = {"sudo": "ssh", "cert": "ssh", "docker": "ssh", "tls": "tls", "nomad": "nomad"}
"""The desk of each face."""
USUAL = "sudo"
"""The face by which a run reaches the foreign lab that it makes for itself (`pytest --foreign`)."""
FLATNET = "flatnet"
"""Name of the tokens that are handed out."""
FACES = (ROOT, *DESK_OF)


def face(name: str, own: Inventory, state: Path, namespaces: Mapping[str, Path] | None = None) -> Inventory:
    """The inventory of a face other than `root`, made from the lab's own, which has to have Nomad for `nomad`.

    `namespaces`: {desk: network namespace}; None while the lab is only planned.
    """
    nodes = tuple(node.model_copy(update={"power": None, **_way(name, node, state)}) for node in own.nodes)
    changed: dict[str, object] = {"name": foreign.CLUSTER, "kind": "cluster", "nodes": nodes}
    if own.consul is not None:
        token = token_file(state, "consul", FLATNET)
        changed["consul"] = own.consul.model_copy(update={"token_file": token, "through": "node"})
    if own.nomad is not None:
        update: dict[str, object] = {"token_file": token_file(state, "nomad", FLATNET), "through": "node"}
        if name == "nomad":
            update |= {"through": "runner", "http_host": str(foreign.nomad_server(own).address)}
        changed["nomad"] = own.nomad.model_copy(update=update)
    changed["runner"] = Runner(namespace=None if namespaces is None else namespaces[DESK_OF[name]])
    return own.model_copy(update=changed)


def _way(name: str, node: Node, state: Path) -> dict[str, object]:
    """The keys of a node that say how it is reached in a face."""
    match name:
        case "sudo":
            return _by_ssh(state, foreign.OPERATOR, passphrase_file(state), become="sudo")
        case "cert":
            return {"ssh": Ssh(config=_config_file(state)), "become": "sudo"}
        case "docker":
            return _by_ssh(state, foreign.DOCKHAND, None, become="docker")
        case "tls":
            return _by_engine(node, state)
        case _:
            return {"ssh": Ssh(), "via": "nomad"}


def _by_ssh(state: Path, user: foreign.User, passphrase: Path | None, *, become: str) -> dict[str, object]:
    ssh = Ssh(
        user=user.name,
        key=key_file(state, user.name),
        passphrase_file=passphrase,
        known_hosts=state / "known_hosts",
        jump=f"{foreign.JUMPER.name}@{foreign.BASTION_OUTSIDE.ip}:22",
    )
    return {"ssh": ssh, "become": become}


def _by_engine(node: Node, state: Path) -> dict[str, object]:
    endpoint = f"tcp://{node.address}:{foreign.ENGINE_PORT}"
    return {"ssh": Ssh(), "via": "docker", "docker": endpoint, "docker_tls": client_tls(state, "docker")}


def _config_file(state: Path) -> Path:
    return foreign.faces_folder(state) / "ssh_config"


def ssh_config(own: Inventory, state: Path) -> str:
    """ssh_config(5) of the face `cert`: how its user gets through the bastion to every node."""
    lines = [f"Host {foreign.BASTION}", f"    HostName {foreign.BASTION_OUTSIDE.ip}", f"    User {foreign.JUMPER.name}"]
    for node in own.nodes:
        lines += ["", f"Host {node.name}", f"    HostName {node.address}"]
    lines += ["", f"Host {' '.join(node.name for node in own.nodes)}"]
    lines += [f"    User {foreign.OPERATOR.name}", f"    ProxyJump {foreign.BASTION}", "", "Host *"]
    lines += [f"    IdentityFile {key_file(state, 'signed')}", f"    CertificateFile {certificate_file(state)}"]
    lines += ["    IdentitiesOnly yes", f"    UserKnownHostsFile {state / 'known_hosts'}"]
    return "\n".join(lines) + "\n"


def write(own: Inventory, state: Path, namespaces: Mapping[str, Path]) -> None:
    """Write the cluster file of every face into the lab's run directory, for root's eyes (mode 0600)."""
    write_private(_config_file(state), ssh_config(own, state))
    for name in DESK_OF:
        if name != "nomad" or own.nomad is not None:
            write_private(cluster_file(state, name), as_written(face(name, own, state, namespaces)))


def cluster_file(state: Path, name: str) -> Path:
    """The cluster file of a face. Raises UsageError for an unknown one."""
    if name not in FACES:
        raise UsageError(f"--face {name}: unknown; there are: {', '.join(FACES)}")
    return state / "inventory.yaml" if name == ROOT else foreign.faces_folder(state) / f"{name}.yaml"


def as_written(inventory: Inventory) -> str:
    """The inventory as a person writes it: without what is the default, and once at the top what all nodes share."""
    data: dict[str, Any] = inventory.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    nodes = data.pop("nodes")
    document = {"name": data.pop("name"), "kind": inventory.kind, "underlay": data.pop("underlay")}
    data.pop("kind", None)
    for key in ("ssh", *INHERITED):
        values = [node.get(key) for node in nodes]
        if values[0] is not None and values.count(values[0]) == len(values):
            document[key] = values[0]
            for node in nodes:
                del node[key]
    text = io.StringIO()
    YAML().dump({**document, "nodes": nodes, **data}, text)
    return text.getvalue()
