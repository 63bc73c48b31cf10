"""A cluster as one reaches it: each node's shell, Docker engine and HTTP addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from docker import DockerClient

from lab.inventory import Inventory, Node

from . import engine
from .ssh import CommandResult, Shell

T = TypeVar("T")


class NodeAccess:
    """A node with its transports, each opened at first use."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = node.name
        self.address = str(node.address)
        self.shell = Shell(node)
        self._engines: dict[str, DockerClient] = {}

    def __repr__(self) -> str:
        return self.name

    @property
    def docker(self) -> DockerClient:
        """The node's Docker engine. Raises HarnessError when it does not answer."""
        return self.docker_at(self.node.docker)

    def docker_at(self, endpoint: str) -> DockerClient:
        """The engine by another socket on the node, such as a proxy's. Raises HarnessError likewise."""
        if endpoint not in self._engines:
            self._engines[endpoint] = engine.connect(self.shell, endpoint)
        return self._engines[endpoint]

    def run(
        self, command: str | list[str], *, timeout_s: float = 20.0, stdin: str = "", check: bool = True
    ) -> CommandResult:
        """Run a command on the node; see Shell.run."""
        return self.shell.run(command, timeout_s=timeout_s, stdin=stdin, check=check)

    def reset_docker(self) -> None:
        """Forget the engine's clients, whose connections a restart of it ends."""
        self._engines.clear()

    def reset(self) -> None:
        """Forget connections (after the node or its engine was restarted)."""
        self._engines.clear()
        self.shell.close()

    def close(self) -> None:
        self.reset()


class ClusterAccess:
    """All nodes of an inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.nodes: dict[str, NodeAccess] = {node.name: NodeAccess(node) for node in inventory.nodes}

    def each(self, do: Callable[[NodeAccess], T], nodes: Iterable[NodeAccess] | None = None) -> dict[str, T]:
        """Do the same on every node at once; {node: result}.

        The first exception, by node order, is raised after all have ended.
        """
        chosen = list(self.nodes.values() if nodes is None else nodes)
        with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
            futures = {node.name: pool.submit(do, node) for node in chosen}
        return {name: future.result() for name, future in futures.items()}

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()
