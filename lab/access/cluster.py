"""How a cluster is reached: a shell on each node, and clients of its Docker engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from docker import DockerClient

from lab.inventory import Inventory, Node

from . import engine
from .shell import CommandResult, Shell
from .ssh import SshShell

T = TypeVar("T")


class NodeAccess:
    """One node: its shell and its Docker clients, each connected at first use."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = node.name
        self.address = str(node.address)
        self.shell: Shell = SshShell(node)
        self._clients: dict[str, DockerClient] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return self.name

    @property
    def docker(self) -> DockerClient:
        """The node's Docker engine. Raises HarnessError when it does not answer."""
        return self.docker_at(self.node.docker)

    def docker_at(self, endpoint: str) -> DockerClient:
        """The engine by another socket on the node, such as a proxy's. Raises HarnessError when it does not answer."""
        client = self._clients.get(endpoint)
        if client is None:
            made = engine.connect(self.shell, endpoint)
            with self._lock:
                client = self._clients.setdefault(endpoint, made)
            if client is not made:  # another thread was faster
                made.close()
        return client

    def run(
        self, command: str | list[str], *, timeout_s: float = 20.0, stdin: str = "", check: bool = True
    ) -> CommandResult:
        """Run a command on the node, as Shell.run does and with the errors it raises."""
        return self.shell.run(command, timeout_s=timeout_s, stdin=stdin, check=check)

    def reset_docker(self) -> None:
        """Close the connections to the engine, for example because a restart of it ends them; later calls reconnect."""
        with self._lock:
            closing = list(self._clients.values())
            self._clients.clear()
        for client in closing:
            client.close()

    def reset(self) -> None:
        """Close every connection, for example because the node was restarted; later calls reconnect."""
        self.reset_docker()
        self.shell.close()

    def close(self) -> None:
        """Close every connection."""
        self.reset()


class ClusterAccess:
    """All nodes of an inventory, by name."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.nodes: dict[str, NodeAccess] = {node.name: NodeAccess(node) for node in inventory.nodes}

    def each(self, do: Callable[[NodeAccess], T], nodes: Iterable[NodeAccess] | None = None) -> dict[str, T]:
        """Call `do` with every node (or those of `nodes`) at once; {node's name: result}.

        When calls fail, the exception of the first such node, by node order, is raised after all calls have ended.
        """
        chosen = list(self.nodes.values() if nodes is None else nodes)
        with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
            futures = {node.name: pool.submit(do, node) for node in chosen}
        return {name: future.result() for name, future in futures.items()}

    def close(self) -> None:
        """Close every connection to every node."""
        for node in self.nodes.values():
            node.close()
