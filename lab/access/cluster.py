"""How a cluster is reached: a shell on each node, and clients of its Docker engine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from docker import DockerClient

from lab.errors import HarnessError
from lab.images import DEMO_IMAGE
from lab.inventory import Inventory, Node

from . import demo, engine
from .dialling import dial_engine, dial_tcp
from .engine_shell import EngineShell
from .nomad_shell import NomadAgents, open_nomad_shells
from .shell import CommandResult, Shell
from .ssh import Jumps, SshShell

T = TypeVar("T")


class NodeAccess:
    """One node: its shell and its Docker clients, each connected at first use."""

    def __init__(self, node: Node, jumps: Jumps, agents: NomadAgents | None) -> None:
        self.node = node
        self.name = node.name
        self.address = str(node.address)
        if agents is not None and node.via == "nomad":
            self._host: Shell = agents.shell(node)
        else:
            self._host = SshShell(node, jumps, sudo=node.become == "sudo")
        self.shell: Shell = self._host
        if node.by_engine:
            self.shell = EngineShell(
                node, lambda: self.docker, lambda: self._dial(node.docker, lambda _: None), self._agent_image
            )
        self.borrowed = False
        """Whether this object has loaded the demo image, and not given it back."""
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
            made = engine.connect(
                self.name, endpoint, lambda on_stderr: self._dial(endpoint, on_stderr), patience=self.node.patience
            )
            with self._lock:
                client = self._clients.setdefault(endpoint, made)
            if client is not made:  # another thread was faster
                made.close()
        return client

    def _dial(self, endpoint: str, on_stderr: Callable[[str], None]) -> socket.socket:
        """A socket to an engine of the node; the way of commands may itself lead through `self.node.docker`."""
        if endpoint != self.node.docker:
            return dial_engine(self.shell, endpoint, on_stderr)
        if endpoint.startswith("tcp:"):
            return dial_tcp(endpoint, self.node.docker_tls)
        return dial_engine(self._host, endpoint, on_stderr)

    def _agent_image(self) -> str:
        """The image of the container by which commands enter the node; the demo image is loaded when it is missing."""
        if self.node.agent_image is not None:
            return self.node.agent_image
        self.borrow_demo_image()
        return DEMO_IMAGE

    def borrow_demo_image(self) -> None:
        """Load the demo image unless the engine has it. Raises HarnessError when the engine refuses."""
        self.borrowed = demo.borrow(self.name, self.docker) or self.borrowed

    def give_back_demo_image(self) -> None:
        """Remove the demo image if Flatnet loaded it and no container uses it. Raises HarnessError.

        The container by which commands enter the node is ended first.
        """
        if self.node.by_engine:
            self.shell.close()
        demo.give_back(self.name, self.docker)
        self.borrowed = False

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
        self.shell.close()
        self.reset_docker()
        self._host.close()

    def close(self) -> None:
        """Close every connection."""
        self.reset()


class ClusterAccess:
    """The nodes of an inventory that are tested, by name."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._jumps = Jumps()
        self._agents = open_nomad_shells(inventory) if any(node.via == "nomad" for node in inventory.tested) else None
        self.nodes: dict[str, NodeAccess] = {
            node.name: NodeAccess(node, self._jumps, self._agents) for node in inventory.tested
        }

    def each(self, do: Callable[[NodeAccess], T], nodes: Iterable[NodeAccess] | None = None) -> dict[str, T]:
        """Call `do` with every node (or those of `nodes`) at once; {node's name: result}.

        When calls fail, the exception of the first such node, by node order, is raised after all calls have ended.
        """
        chosen = list(self.nodes.values() if nodes is None else nodes)
        with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
            futures = {node.name: pool.submit(do, node) for node in chosen}
        return {name: future.result() for name, future in futures.items()}

    def give_back_borrowed(self) -> None:
        """Remove the demo image where this object has loaded it, as far as the engines answer."""

        def give_back(node: NodeAccess) -> None:
            with contextlib.suppress(HarnessError):
                node.give_back_demo_image()

        self.each(give_back, [node for node in self.nodes.values() if node.borrowed])

    def close(self) -> None:
        """Close every connection to every node. Raises HarnessError when what was made for them cannot be removed."""
        for node in self.nodes.values():
            node.close()
        self._jumps.close()
        if self._agents is not None:
            self._agents.close()
