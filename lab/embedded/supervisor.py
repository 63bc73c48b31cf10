"""The process that a lab consists of: when it ends, by any signal, the lab is gone.

A launcher stays in the machine's PID namespace and forks PID 1 of the lab's own one;
nodes are nested PID namespaces below it, and the underlay's switch is PID 1's own
network namespace. Death of PID 1 makes the kernel kill everything in the tree, and
with the last process go its namespaces, links and mounts. The launcher then sweeps
what is only a name: empty cgroups and the run directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from lab.underlay import port_of

from . import cgroups
from .namespaces import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_PRIVATE,
    MS_REC,
    die_with_parent,
    mount,
    outer_pid,
    unshare,
)
from .node import become_node
from .vm.qemu import become_vm, tap_commands

IP_TIMEOUT_S = 20.0
STAY = b"stay"
"""What the owner writes into the pipe so that the lab outlives it."""


def launch(state: Path) -> int:
    """Run a lab from `state/plan.json` until it is told to end; returns an exit code.

    Standard input is a pipe from the owner. The lab ends when it closes, unless STAY was read before.
    """
    plan = json.loads((state / "plan.json").read_text(encoding="utf-8"))
    unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET)
    alive, keep = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(keep)
        _first_process(plan, state, alive)
    os.close(alive)
    wake, ring = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(ring, b"x"))
    ended = os.pidfd_open(child)
    if select.select([wake, ended, 0], [], [])[0] == [0] and os.read(0, len(STAY)) == STAY:
        select.select([wake, ended], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left = cgroups.sweep(plan["name"], parent=plan["groups"])
    if not (state / "error").exists():  # otherwise whoever waits for the lab reads the error, and sweeps
        shutil.rmtree(state, ignore_errors=True)
    with contextlib.suppress(OSError):
        state.parent.rmdir()
    return 1 if left else 0


def _first_process(plan: Mapping[str, Any], state: Path, launcher: int) -> NoReturn:
    """PID 1 of the lab; never returns."""
    code = 1
    try:
        die_with_parent()
        code = Supervisor(plan, state, launcher).run()
    except BaseException:  # noqa: BLE001 (the process ends in any case, and its last error is reported)
        (state / "error").write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(code)


class IpFailed(Exception):
    """iproute2 did not do what it was told to; the message says what, and why."""


class Supervisor:
    """PID 1 of a lab's PID namespace: switch, manager and nodes."""

    def __init__(self, plan: Mapping[str, Any], state: Path, launcher: int) -> None:
        self.plan = plan
        self.state = state
        self.launcher = launcher
        self.trees = cgroups.hierarchies()
        self.nodes: dict[str, dict[str, int]] = {}
        self.places: dict[str, int] = {}
        self.finished = False
        self.held: dict[Path, int] = {}
        """{file of facts: its descriptor, whose lock keeps others from removing the folder (lab.embedded.cached)}"""

    def run(self) -> int:
        unshare(CLONE_NEWNS)  # mounts from here on end with this process, not with the launcher
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        for entry in self.plan["nodes"]:
            disk = self.state / "nodes" / entry["name"] / "disk"
            disk.mkdir()
            mount("tmpfs", str(disk), "tmpfs", 0, "mode=755")
        wake, ring = os.pipe()
        os.set_blocking(ring, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring)
        made = [f"link add {bridge} type bridge forward_delay 0" for bridge in self.plan["bridges"]]
        _ip(["link set lo up", *made, *(f"link set {bridge} up" for bridge in self.plan["bridges"])])
        for place in self.plan["places"]:
            self.places[place["name"]] = pid = self._hold_namespace(place)
            self._plug(place["name"], pid, place["bridge"])
        self._start([entry["name"] for entry in self.plan["nodes"]])
        control = self._listen()
        self._publish()
        while not self.finished:
            ready, _, _ = select.select([wake, control.fileno(), self.launcher], [], [])
            if self.launcher in ready:
                break
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if control.fileno() in ready:
                self._serve(control)
        return 0

    # -- processes ---------------------------------------------------------

    def _hold_namespace(self, place: Mapping[str, Any]) -> int:
        """Fork a process that only keeps a network namespace open; returns its pid outside."""
        receive, send = os.pipe()
        if os.fork() == 0:
            try:
                _reset_signals()
                unshare(CLONE_NEWNET)
                os.write(send, b"%d\n" % outer_pid())
                os.close(send)
                _wait_for_link("eth0")
                routes = [f"route add {route['to']} via {route['via']}" for route in place["routes"]]
                _ip(["link set lo up", f"address add {place['address']} dev eth0", "link set eth0 up", *routes])
                _close_all()
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(send)
        return _read_pid(receive)

    def _start(self, names: list[str]) -> None:
        """Start nodes side by side. Raises an error when one cannot be made; that one is ended again."""
        started = []
        for name in names:
            entry = self._entry(name)
            if entry["root"] is not None:
                self._hold(Path(entry["root"]).parent / "root.json")
            if entry.get("vm") is not None:
                self._hold(Path(entry["vm"]["image"]) / "image.json")
            started.append((name, entry, *self._fork_node(entry)))
        for name, entry, pids, go in started:
            self.nodes[name] = pids
            try:
                for cable in entry["cables"]:
                    if entry.get("vm") is not None:
                        _ip(tap_commands(name, cable["bridge"]))
                    else:
                        self._plug(name, pids["outer"], cable["bridge"], cable["interface"], cable["mac"])
                os.write(go, b"go")
            except (IpFailed, OSError):
                self._end_node(name)
                raise
            finally:
                os.close(go)

    def _hold(self, facts: Path) -> None:
        """Keep a root file system or an image from being removed while this lab lives. Raises OSError."""
        if facts in self.held:
            return
        descriptor = os.open(facts, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self.held[facts] = descriptor

    def _end_node(self, name: str) -> None:
        """Kill a node, and return when the kernel has ended the whole of it."""
        pid = self.nodes.pop(name)["inner"]
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it has ended by itself
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _unplug(self, name: str) -> None:
        """Remove the node's cables, as far as they are there. Raises IpFailed."""
        there = {interface for _, interface in socket.if_nameindex()}
        ports = {port_of(name, cable["bridge"]) for cable in self._entry(name)["cables"]}
        if left := sorted(ports & there):
            _ip([f"link delete {port}" for port in left])

    def _entry(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(item for item in self.plan["nodes"] if item["name"] == name)
        return found

    def _fork_node(self, entry: Mapping[str, Any]) -> tuple[dict[str, int], int]:
        """Fork a node that waits for its cable; its pids here and outside, and the go pipe.

        A node is either a PID namespace whose first process is an init, or the QEMU of a machine at the switch.
        """
        inner_out, inner_in = os.pipe()
        outer_out, outer_in = os.pipe()
        wait, go = os.pipe()
        stage = os.fork()
        if stage == 0:
            try:
                _reset_signals()
                os.close(go)
                cgroups.join(self.plan["name"], entry["name"], self.trees, parent=self.plan["groups"])
                if entry.get("vm") is None:
                    unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWPID)
                inner = os.fork()
                if inner:
                    os.write(inner_in, b"%d\n" % inner)
                    os._exit(0)
                os.write(outer_in, b"%d\n" % outer_pid())
                os.close(outer_in)
                os.close(inner_in)
                folder = self.state / "nodes" / entry["name"]
                if entry.get("vm") is not None:
                    become_vm(entry, folder, wait)
                become_node(entry, folder, self.trees, wait)
            except BaseException:  # noqa: BLE001 (likewise)
                (self.state / "error").write_text(f"node {entry['name']}: {traceback.format_exc()}", encoding="utf-8")
            finally:
                os._exit(1)
        for descriptor in (inner_in, outer_in, wait):
            os.close(descriptor)
        os.waitpid(stage, 0)
        return {"inner": _read_pid(inner_out), "outer": _read_pid(outer_out)}, go

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name, pids in list(self.nodes.items()):
                if pids["inner"] == pid:
                    del self.nodes[name]
                    self._publish()

    def _plug(self, name: str, pid: int, bridge: str, interface: str = "eth0", mac: str | None = None) -> None:
        """A cable from a bridge of the switch to the network namespace of `pid` (as numbered outside).

        A node keeps its `mac` when it is started again, as a machine keeps its card. With a new one, its peers could
        send to the old one until they asked again (arp(7), base_reachable_time: 30 s).
        The namespace is given as a path below /proc, which here is still the machine's. A plain number means
        different processes to different releases of iproute2: to the kernel, one of the caller's PID namespace;
        to iproute2 since 6.12, which opens /proc/NUMBER/ns/net itself, one of the machine's.
        """
        port = port_of(name, bridge)
        address = "" if mac is None else f"address {mac} "
        _ip(
            [
                f"link add {port} type veth peer name {interface} {address}netns /proc/{pid}/ns/net",
                f"link set {port} master {bridge} up",
            ]
        )

    # -- requests from outside -------------------------------------------

    def _publish(self) -> None:
        facts = {
            "supervisor": outer_pid(),
            "manager": self.places["manager"],
            "desks": {name: pid for name, pid in self.places.items() if name != "manager"},
            "nodes": {name: pids["outer"] for name, pids in self.nodes.items()},
            "vms": {entry["name"]: entry["vm"]["accelerator"] for entry in self.plan["nodes"] if entry.get("vm")},
            "roots": {entry["name"]: entry["root"] for entry in self.plan["nodes"]},
        }
        draft = self.state / "state.json.draft"
        draft.write_text(json.dumps(facts), encoding="utf-8")
        draft.rename(self.state / "state.json")

    def _listen(self) -> socket.socket:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.bind(str(self.state / "control"))
        control.listen(8)
        return control

    def _serve(self, control: socket.socket) -> None:
        client, _ = control.accept()
        with client:
            client.settimeout(2)
            try:
                request = json.loads(client.makefile("r").readline() or "{}")
                answer = self._answer(request)
            except (OSError, ValueError, KeyError, AttributeError, StopIteration, RuntimeError, IpFailed) as error:
                answer = {"error": str(error)}
            with contextlib.suppress(OSError):
                client.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(self, request: Mapping[str, str]) -> dict[str, Any]:
        operation, name = request.get("op"), request.get("node", "")
        if operation == "down":
            self.finished = True
            return {"ok": True}
        if operation == "power-off":
            if name not in self.nodes:
                return {"error": f"node {name!r} is not running"}
            self._unplug(name)  # first, so that the node's daemons cannot tell their peers that they leave
            self._end_node(name)
            self._publish()
            return {"ok": True}
        if operation == "power-on":
            if name in self.nodes:
                return {"error": f"node {name!r} is running already"}
            self._unplug(name)  # what an earlier attempt left
            if "root" in request:
                self._entry(name)["root"] = request["root"] or None
            self._start([name])
            self._publish()
            return {"ok": True, "pid": self.nodes[name]["outer"]}
        return {"error": f"unknown operation {operation!r}"}


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _close_all() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 4096)


def _wait_for_link(name: str) -> None:
    """Wait for an interface to be moved in, by the kernel's own announcements (rtnetlink)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as events:
        events.bind((0, 1))  # RTMGRP_LINK
        while name not in (interface for _, interface in socket.if_nameindex()):
            events.recv(65536)


def _ip(commands: list[str]) -> None:
    """Run iproute2 on a batch of commands in this process's network namespace. Raises IpFailed."""
    batch = "; ".join(commands)
    try:
        done = subprocess.run(
            ["ip", "-batch", "-"],
            input="\n".join(commands) + "\n",
            text=True,
            capture_output=True,
            timeout=IP_TIMEOUT_S,
            check=False,
            encoding="utf-8",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise IpFailed(f"ip {batch}: {error}") from None
    if done.returncode != 0:
        raise IpFailed(f"ip {batch}: {done.stderr.strip()}")


def _read_pid(descriptor: int) -> int:
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        line = stream.readline()
    if not line:
        raise RuntimeError("a process of the lab ended before it was set up")
    return int(line)


if __name__ == "__main__":
    sys.exit(launch(Path(sys.argv[1])))
