"""The embedded lab: bring it up, find it, take it down.

A lab belongs to a supervisor process (lab.embedded.supervisor); this module is its client.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.errors import LabError, UsageError
from lab.inventory import Inventory, load
from lab.overlays import OVERLAYS
from lab.programs import search_path

from . import cgroups, prepare, roots
from .fitness import require_userlands
from .namespaces import CLONE_NEWNET, setns
from .plan import LabSpec, run_root
from .preflight import PROGRAMS, VM_PROGRAMS, require
from .readiness import make_ready
from .supervisor import STAY
from .vm import image as vm_image

START_TIMEOUT_S = 20.0
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Owner:
    """The launcher a process started, and (unless the lab was left to stay) the pipe that keeps it alive."""

    process: subprocess.Popen[bytes]
    pipe: int | None

    def leave(self) -> Owner:
        """Let the lab outlive this process: only whole labs stay."""
        assert self.pipe is not None
        os.write(self.pipe, STAY)
        os.close(self.pipe)
        return replace(self, pipe=None)

    def end(self) -> None:
        """End the lab and wait until its launcher has swept up. Raises LabError when it does not end."""
        if self.pipe is not None:
            os.close(self.pipe)
        else:
            self.process.terminate()
        try:
            self.process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise LabError(
                f"the lab's launcher (pid {self.process.pid}) did not end within {START_TIMEOUT_S:g} s"
            ) from None


@dataclass(frozen=True)
class RunningLab:
    """A lab that is up: its inventory and the outer pids of its processes."""

    name: str
    state: Path
    inventory: Inventory
    supervisor: int
    manager: int
    desks: dict[str, int]
    """Of a foreign lab: the namespaces outside the bastion, by name."""
    nodes: dict[str, int]
    roots: dict[str, str | None]
    """{node: its root file system; None: the machine's}"""
    owner: Owner | None = None
    """Set in the process that started the lab."""
    vms: dict[str, str] = field(default_factory=dict)
    """{node: QEMU's accelerator} of the nodes that are virtual machines; their pids are QEMU's."""

    @property
    def releases(self) -> dict[str, str]:
        """{node: the release of its root file system}, of nodes that have one of their own."""
        return {name: roots.release_of(Path(tree)) for name, tree in self.roots.items() if tree is not None}


def up(spec: LabSpec, *, stay: bool, progress: Progress = lambda step, seconds: None) -> RunningLab:
    """Make a lab and wait until every part of it answers.

    With `stay` it outlives this process, else it ends with it. The calling thread
    joins the lab's manager namespace. Raises LabError: something missing on the
    machine, the name is taken, a daemon does not come up; nothing is left then.
    """
    require_for(spec)
    os.environ["PATH"] = search_path()
    began = time.monotonic()
    for release in dict.fromkeys(spec.vms().values()):
        vm_image.make(release, lambda line: progress(line, time.monotonic() - began))
    require_for(spec)  # the engine of an image is known now
    lock = _claim(spec)
    owner = None
    try:
        prepare.write(spec)
        owner = _launch(spec, lock)
    finally:
        if owner is None:
            shutil.rmtree(spec.state, ignore_errors=True)
        os.close(lock)  # the launcher holds it from here on
    try:
        _await_state(spec, owner.process)
        lab = attach(spec.name, owner=owner)
        progress(f"{spec.nodes} nodes, switch and manager", time.monotonic() - began)
        join(lab.inventory)
        before_s = time.monotonic() - began
        foreign = spec.state if spec.foreign else None
        make_ready(lab.inventory, lambda step, seconds: progress(step, before_s + seconds), foreign=foreign)
        if stay:
            lab = replace(lab, owner=owner.leave())
    except BaseException as error:
        logs = _keep_logs(spec) if isinstance(error, LabError) else None
        owner.end()
        sweep(spec.name)
        if logs is not None:
            raise LabError(f"{error} (logs of the daemons: {logs})") from None
        raise
    progress("lab is up", time.monotonic() - began)
    return lab


def require_for(spec: LabSpec) -> None:
    """Return when this machine has all that the lab needs; LabError names what it lacks."""
    kind = OVERLAYS[spec.overlay]
    require([*PROGRAMS, *kind.needs, *(["sudo"] if spec.foreign else []), *(VM_PROGRAMS if spec.vms() else [])])
    lacking = kind.lacking()
    if lacking is not None:
        raise LabError(lacking)
    require_userlands(spec, kind)


OWN_NAMESPACE = "/proc/1/ns/net"
"""The machine's own network namespace."""


def refuse_from_outside(inventory: Inventory) -> None:
    """Raise UsageError for a lab's inventory that does not say from which namespace the lab is reached.

    Its nodes' addresses are the lab's own: from anywhere else they are somebody else's machines.
    """
    if inventory.kind == "embedded" and inventory.runner.namespace is None:
        raise UsageError(
            "kind: embedded, and there is no runner.namespace: a lab is reached from its own network namespace only; "
            "use --lab NAME, or the file that `python -m lab inventory` prints"
        )


def _is_machines_own(namespace: Path) -> bool:
    """Whether it is that of process 1; False when either of the two cannot be read."""
    try:
        return namespace.samefile(OWN_NAMESPACE)
    except OSError:
        return False


def join(inventory: Inventory) -> None:
    """Put the calling thread into the namespace from which the cluster is reached, if it has one.

    Raises LabError when there is none, or it is this machine's own and the inventory a lab's: a lab that has ended
    leaves a number of a process behind that another one can have by now.
    """
    if inventory.runner.namespace is not None:
        if inventory.kind == "embedded" and _is_machines_own(inventory.runner.namespace):
            raise LabError(
                f"runner.namespace {inventory.runner.namespace}: is this machine's own network namespace, so the lab "
                "has ended; use the inventory of one that is up"
            )
        try:
            setns(inventory.runner.namespace, CLONE_NEWNET)
        except OSError as error:
            raise LabError(f"runner.namespace {inventory.runner.namespace}: {error.strerror}") from None


def attach(name: str, *, owner: Owner | None = None) -> RunningLab:
    """The running lab of that name. Raises LabError when there is none."""
    state = run_root() / name
    if not is_alive(name):
        raise _not_up(name)
    os.environ["PATH"] = search_path()
    facts = json.loads((state / "state.json").read_text(encoding="utf-8"))
    return RunningLab(
        name=name,
        state=state,
        inventory=load(state / "inventory.yaml"),
        supervisor=facts["supervisor"],
        manager=facts["manager"],
        desks=facts["desks"],
        nodes=facts["nodes"],
        roots=facts.get("roots", {}),  # a lab of an earlier version has none
        vms=facts.get("vms", {}),
        owner=owner,
    )


def down(name: str) -> None:
    """End a lab and wait until nothing of it is left. Raises LabError when it is not up or stays."""
    state = run_root() / name
    if not is_alive(name):
        if sweep(name):
            return
        raise _not_up(name)
    request(name, op="down")
    until = time.monotonic() + START_TIMEOUT_S
    while state.exists():
        if time.monotonic() > until:
            raise LabError(f"lab {name!r} is still there after {START_TIMEOUT_S:g} s; look at {state}")
        time.sleep(0.005)  # another process removes the directory; polling is all there is without inotify


def is_alive(name: str) -> bool:
    """Whether a supervisor holds the lab's lock (no pid is trusted for it). Raises LabError for others than root."""
    if os.geteuid() != 0:
        raise LabError(f"lab {name!r}: only root reaches a lab; do this as root")
    try:
        descriptor = os.open(run_root() / name / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return (run_root() / name / "state.json").exists()
    finally:
        os.close(descriptor)
    return False


def _not_up(name: str) -> LabError:
    running = ", ".join(lab.name for lab in running_labs()) or "none"
    return LabError(f"lab {name!r} is not up (up: {running}); start it with `python -m lab up --lab {name}`")


def running_labs() -> Iterator[RunningLab]:
    """All labs that are up, by name."""
    if run_root().is_dir():
        for folder in sorted(run_root().iterdir()):
            if is_alive(folder.name):
                with contextlib.suppress(LabError, OSError):
                    yield attach(folder.name)


def sweep(name: str | None = None) -> list[str]:
    """Remove the names that dead labs left (run directory, empty cgroups); returns the labs' names."""
    swept = []
    names = [name] if name else _known_names()
    for each in names:
        folder = run_root() / each
        groups = [tree.path / cgroups.parent_of(run_root()) / each for tree in cgroups.hierarchies()]
        if is_alive(each) or not (folder.exists() or any(group.exists() for group in groups)):
            continue
        with _locked(folder) as free:
            if free:
                cgroups.sweep(each, parent=cgroups.parent_of(run_root()))
                shutil.rmtree(folder, ignore_errors=True)
                swept.append(each)
    with contextlib.suppress(OSError):
        run_root().rmdir()
    return swept


def request(lab: str, **message: str) -> dict[str, Any]:
    """Ask a lab's supervisor for something (`op`: down, power-off, power-on). Raises LabError."""
    if not is_alive(lab):
        raise _not_up(lab)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(START_TIMEOUT_S)
        try:
            client.connect(str(run_root() / lab / "control"))
            client.sendall(json.dumps(message).encode() + b"\n")
            line = client.makefile("r").readline()
        except OSError as error:
            raise LabError(f"lab {lab!r}: its supervisor does not answer: {error}") from None
    if not line:
        raise LabError(f"lab {lab!r}: its supervisor ended without an answer; look at `python -m lab list`")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise LabError(f"lab {lab!r}: {answer['error']}")
    return answer


def _known_names() -> list[str]:
    names = {folder.name for folder in run_root().iterdir()} if run_root().is_dir() else set()
    for tree in cgroups.hierarchies():
        place = tree.path / cgroups.parent_of(run_root())
        if place.is_dir():
            names |= {entry.name for entry in place.iterdir() if entry.is_dir()}
    return sorted(names)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _claim(spec: LabSpec) -> int:
    """Take the lab's name: an open, locked file. Sweeps what a dead lab of that name left."""
    sweep(spec.name)
    spec.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(spec.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LabError(
            f"lab name {spec.name!r} is taken by a running lab; "
            f"use it (`pytest --lab {spec.name}`), end it (`python -m lab down --lab {spec.name}`), or choose another"
        ) from None
    return descriptor


def _launch(spec: LabSpec, lock: int) -> Owner:
    reader, writer = os.pipe()
    with open(spec.state / "supervisor.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.embedded.supervisor", str(spec.state)],
            stdin=reader,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[2],
        )
    os.close(reader)
    return Owner(process, writer)


def _await_state(spec: LabSpec, process: subprocess.Popen[bytes]) -> None:
    """Wait until the supervisor has made all namespaces; then write the inventories."""
    ended = os.pidfd_open(process.pid)
    try:
        until = time.monotonic() + START_TIMEOUT_S
        place = spec.state / "state.json"
        while not place.exists():
            if select.select([ended], [], [], 0.005)[0]:
                raise LabError(f"the lab's supervisor ended: {_last_words(spec)}")
            if (spec.state / "error").exists():
                raise LabError(f"the lab did not start: {_last_words(spec)}")
            if time.monotonic() > until:
                raise LabError(f"the lab's supervisor was not ready within {START_TIMEOUT_S:g} s")
    finally:
        os.close(ended)
    prepare.write_inventories(spec, json.loads(place.read_text(encoding="utf-8")))


def _last_words(spec: LabSpec) -> str:
    for name in ("error", "supervisor.log"):
        with contextlib.suppress(OSError):
            lines = (spec.state / name).read_text(encoding="utf-8").strip().splitlines()
            if lines:
                return lines[-1] if len(lines) == 1 else " | ".join(lines[-3:])
    return "no reason given"


def _keep_logs(spec: LabSpec) -> Path | None:
    """Copy the daemons' logs to where they survive the lab; None when no daemon was started."""
    if not (spec.state / "state.json").exists():
        return None
    target = run_root().parent / f"{run_root().name}-logs" / spec.name
    shutil.rmtree(target, ignore_errors=True)
    for node in (spec.state / "nodes").iterdir():
        shutil.copytree(node / "log", target / node.name)
    return target
