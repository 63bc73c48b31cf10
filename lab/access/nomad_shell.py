"""`via: nomad`: commands on nodes by Nomad's exec API, in a system job that Flatnet registers and removes.

Nomad places one small task on every node; a command is an exec in it. One address and one token are enough: the
servers pass an exec on to the client that runs the task. With the driver raw_exec a command runs on the node as Nomad
itself does, as root. With the driver docker the task is a privileged container, and a command enters the host from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nomad.api.exceptions import URLNotFoundNomadException

from lab.errors import HarnessError, LabError
from lab.inventory import Inventory, Node

from . import http, nomad
from .nomad_exec import ExecChannel, marked, open_exec
from .nomad_job import TASK, TERMINAL, describe_placement, find_clients, job, running_allocation, unusable
from .shell import CONNECT_TIMEOUT_S, CONNECTION_ERRORS, Command, Shell, command_line

PREFIX = "flatnet-agent-"
"""Names of the jobs begin with it."""
LIFETIME_S = 4 * 3600
"""The tasks end by themselves after this long, seconds, in case the run that registered the job cannot end it."""
PLACED_S = 30.0
"""Bound on the time from the job's registration until a node's task runs, seconds."""
ENDED_S = 15.0
"""Bound on the time from the job's end until its tasks have ended, seconds."""
API_TIMEOUT_S = 20.0
PAUSE_S = 0.1
EXEC_CAPABILITIES = {"raw_exec": ("alloc-exec", "alloc-node-exec"), "docker": ("alloc-exec",)}
"""What an exec needs: a task of raw_exec is not isolated from its node, which is a right of its own."""
ENTER_HOST = ("nsenter", "-t", "1", "-m", "-u", "-i", "-n", "-p", "--")


class Lock:
    """Tells later runs of this machine that a job's run lives: a locked file, which the kernel releases with us."""

    def __init__(self, folder: Path, job_id: str, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = folder / job_id
        self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the job's name is this run's own
        os.write(self._descriptor, json.dumps({"address": address}).encode())

    def release(self, *, remove: bool) -> None:
        """Release the lock; with `remove` the job is gone, so no later run has to look for it."""
        if remove:
            _remove(self._file)
        os.close(self._descriptor)


def locks() -> Path:
    """Where the locks of jobs are; the folder above holds those of runs."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "flatnet" / "nomad-agents"


def dead_jobs(folder: Path, address: str) -> list[Path]:
    """Lock files of jobs that were registered at `address` by runs that have ended."""
    found = []
    for file in sorted(folder.glob(f"{PREFIX}*")):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            said = stream.read()
            if said and json.loads(said)["address"] == address:
                found.append(file)
    return found


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    for empty in (file.parent, file.parent.parent):
        with contextlib.suppress(OSError):
            empty.rmdir()


@dataclass
class _Entry:
    """Where Nomad is asked: one address for the whole cluster."""

    node: Node

    @property
    def shell(self) -> Shell:
        raise LabError("nomad.through: node needs another way to the node than via: nomad; write through: runner")


@dataclass
class _State:
    """What is known of the job while it is registered."""

    job_id: str
    lock: Lock
    clients: dict[str, Mapping[str, Any]]
    allocations: dict[str, str] = field(default_factory=dict)
    """{node's name: the allocation that runs its commands}"""


class NomadAgents:
    """The system job of one cluster: registered when the first node is wanted, removed by `close`."""

    def __init__(self, inventory: Inventory) -> None:
        if inventory.nomad is None:
            raise HarnessError(f"{inventory.name}: via: nomad needs a section `nomad`; give the cluster file one")
        self._nodes = [node for node in inventory.tested if node.via == "nomad"]
        self.settings = inventory.nomad
        self._entry = _Entry(inventory.tested[0])
        self._state: _State | None = None
        self._lock = threading.Lock()

    def shell(self, node: Node) -> NomadShell:
        """The shell of a node."""
        return NomadShell(node, self)

    def _client(self) -> nomad.NomadClient:
        return nomad.connect(self._entry, self.settings, timeout_s=API_TIMEOUT_S)

    @property
    def _address(self) -> str:
        return f"{http.host_of(self._entry.node, self.settings)}:{self.settings.http_port}"

    def forget(self, node: Node) -> None:
        """Look the node's allocation up again before the next command: a node that was restarted has a new one."""
        if self._state is not None:
            self._state.allocations.pop(node.name, None)

    def allocation(self, node: Node, timeout_s: float = PLACED_S) -> str:
        """The allocation in which commands run on a node. Raises LabError when there is none in time."""
        state = self._registered()
        known = state.allocations.get(node.name)
        return known if known is not None else self._await_allocation(state, node, timeout_s)

    def _await_allocation(self, state: _State, node: Node, timeout_s: float) -> str:
        client = self._client()
        until = time.monotonic() + timeout_s
        while True:
            with _worded(node.name):
                mine = find_clients([node], client.nodes.get_nodes()).get(node.name)
                allocations = client.job.get_allocations(state.job_id)
            problem = unusable(mine, self.settings.agent_driver)
            if mine is None or problem is not None:
                raise LabError(f"node {node.name}: {problem}")
            found = running_allocation(mine["ID"], allocations)
            if found is not None:
                self._try(node, found)
                state.allocations[node.name] = found
                return found
            if time.monotonic() > until:
                with _worded(node.name):
                    evaluations = client.job.get_evaluations(state.job_id)
                placed = describe_placement(mine["ID"], allocations, evaluations)
                raise LabError(f"node {node.name}: {state.job_id} does not run there after {timeout_s:g} s: {placed}")
            time.sleep(PAUSE_S)  # another machine places it

    def _try(self, node: Node, allocation: str) -> None:
        """Run a command that does nothing. Raises LabError with Nomad's reason when it refuses.

        Nothing is sent on the way of its standard input: Nomad's reason would be lost with the connection, which Nomad
        closes while something is on its way there.
        """
        channel = self._open(node, allocation, "exit 0", CONNECT_TIMEOUT_S)
        try:
            status = channel.recv_exit_status()
        except CONNECTION_ERRORS:
            needs = nomad.namespace_rule(self.settings, *EXEC_CAPABILITIES[self.settings.agent_driver])
            raise LabError(
                f"node {node.name}: Nomad runs no command there: {channel.lost}; "
                f"a command needs a token whose policy has {needs}"
            ) from None
        finally:
            channel.close()
        if status != 0:
            raise LabError(f"node {node.name}: its shell ended with exit status {status} on `exit 0`")

    def _registered(self) -> _State:
        with self._lock:
            if self._state is None:
                self._state = self._register()
            return self._state

    def _register(self) -> _State:
        first = self._nodes[0].name if self._nodes else self._entry.node.name
        client = self._client()
        self._remove_dead(client)
        with _worded(first):
            clients = find_clients(self._nodes, client.nodes.get_nodes())
        job_id = f"{PREFIX}{os.urandom(4).hex()}"
        ids = [mine["ID"] for mine in clients.values()]
        if not ids:
            raise LabError(f"node {first}: {unusable(None, self.settings.agent_driver)}")
        prepared = job(job_id, self.settings, ids, image=self._image(), ends_at=int(time.time()) + LIFETIME_S)
        lock = Lock(locks(), job_id, self._address)
        try:
            with _worded(first):
                client.job.register_job(job_id, {"Job": prepared})
        except BaseException as error:
            # Unless Nomad refused it, it may be there although nobody answered: the next run looks.
            lock.release(remove=isinstance(error, http.PermissionDenied))
            raise
        return _State(job_id, lock, clients)

    def _image(self) -> str | None:
        if self.settings.agent_driver != "docker":
            return None
        images = {node.agent_image for node in self._nodes}
        if len(images) != 1 or None in images:
            raise LabError(
                "nomad.agent_driver: docker needs one agent_image for all nodes, which they have or can pull and which "
                "has sh, sleep and nsenter (busybox, for example); write it at the top of the cluster file"
            )
        return images.pop()

    def _remove_dead(self, client: nomad.NomadClient) -> None:
        """Remove the jobs of killed runs of this machine."""
        for file in dead_jobs(locks(), self._address):
            _deregister(client, file.name)
            _remove(file)

    def close(self) -> None:
        """Remove the job; returns when its tasks have ended, or after ENDED_S. Raises HarnessError."""
        with self._lock:
            state, self._state = self._state, None
        if state is None:
            return
        removed = False
        try:
            _deregister(self._client(), state.job_id)
            removed = True
        finally:
            state.lock.release(remove=removed)

    def open(self, node: Node, command: Command, timeout_s: float) -> ExecChannel:
        """Start a command on a node. Raises LabError when it is not reached, HarnessError when nothing starts."""
        return self._open(node, self.allocation(node), command, timeout_s)

    def _open(self, node: Node, allocation: str, command: Command, timeout_s: float) -> ExecChannel:
        marker = f"flatnet-{os.urandom(8).hex()}"
        words = marked(command_line(command), marker)
        if self.settings.agent_driver == "docker":
            words = [*ENTER_HOST, *words]
        query = {"task": TASK, "tty": "false", "command": json.dumps(words)}
        if self.settings.namespace is not None:
            query["namespace"] = self.settings.namespace
        scheme = "ws" if self.settings.tls is None else "wss"
        url = f"{scheme}://{self._address}/v1/client/allocation/{allocation}/exec?{urlencode(query)}"
        try:
            dial = http.dial_of(self._entry, self.settings, "nomad", self.settings.http_port)
            token = http.read_token(self.settings, "nomad")
            return open_exec(url, dial, lambda: self.forget(node), marker=marker, token=token, timeout_s=timeout_s)
        except HarnessError as error:
            raise HarnessError(f"node {node.name}: {error}") from None
        except CONNECTION_ERRORS as error:
            raise LabError(f"node {node.name}: Nomad at {self._address}: {http.describe_failure(error)}") from None


class NomadShell(Shell):
    """The shell of one node, by the cluster's agents."""

    def __init__(self, node: Node, agents: NomadAgents) -> None:
        super().__init__(node)
        self._agents = agents

    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> object:
        """Wait until the node's task runs. Raises LabError, which says what is in the way."""
        self._agents.forget(self.node)
        return self._agents.allocation(self.node, max(timeout_s, PLACED_S))

    def channel(self, command: Command, *, timeout_s: float = CONNECT_TIMEOUT_S) -> ExecChannel:
        """Start a command and return its channel. Raises LabError and HarnessError, as Shell does."""
        channel = self._agents.open(self.node, command, timeout_s)
        channel.settimeout(timeout_s)
        return channel

    def close(self) -> None:
        """Look the node's task up again at the next command. The job itself is the cluster's."""
        self._agents.forget(self.node)


def open_nomad_shells(inventory: Inventory) -> NomadAgents:
    """The shells of the nodes that are reached via Nomad: `.shell(node)` of each, and `.close()` for all of them.

    Nothing is sent before a shell is used. Raises HarnessError when the inventory has no section `nomad`.
    """
    return NomadAgents(inventory)


def _deregister(client: nomad.NomadClient, job_id: str) -> None:
    """Stop a job and remove it with all that clients keep of its allocations; not an error when it is gone."""
    with _worded(None):
        with contextlib.suppress(URLNotFoundNomadException):
            client.job.deregister_job(job_id, purge=True)
        until = time.monotonic() + ENDED_S
        while (allocations := client.job.get_allocations(job_id)) and time.monotonic() < until:
            if all(allocation["ClientStatus"] in TERMINAL for allocation in allocations):
                break
            time.sleep(PAUSE_S)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client.collect, [allocation["ID"] for allocation in allocations]))


@contextlib.contextmanager
def _worded(node: str | None) -> Iterator[None]:
    """Turn the errors of Nomad's client into one line."""
    try:
        yield
    except nomad.ERRORS as error:
        where = "" if node is None else f"node {node}: "
        raise LabError(f"{where}Nomad: {nomad.describe_error(error)}") from None
