"""A lab's supervisor outlives a request that it cannot fulfil, and leaves nothing half made."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from lab.embedded import supervisor
from lab.embedded.supervisor import IpFailed, Supervisor, _ip
from lab.underlay import port_of
from lab.waiting import wait_for

CABLES = [{"bridge": "underlay", "interface": "eth0", "mac": "02:f1:c0:a8:38:03"}]
PORT = port_of("u1", "underlay")


class Ip:
    """iproute2, as the supervisor calls it: it fails while it is told to, else it keeps the switch's ports."""

    def __init__(self) -> None:
        self.fails = False
        self.ports: set[str] = {"lo"}
        self.macs: list[str] = []

    def __call__(self, commands: list[str]) -> None:
        if self.fails:
            raise IpFailed(f"ip {commands[0]}: Cannot allocate memory")
        for words in map(str.split, commands):
            if words[:2] == ["link", "delete"]:
                self.ports.remove(words[2])
            elif words[:2] == ["tuntap", "add"]:
                self.ports.add(words[3])
            elif words[:2] == ["link", "add"]:
                self.ports.add(words[2])
                self.macs.append(words[words.index("address") + 1])

    def listed(self) -> list[tuple[int, str]]:
        return list(enumerate(self.ports))


@pytest.fixture
def ip(monkeypatch: pytest.MonkeyPatch) -> Ip:
    made = Ip()
    monkeypatch.setattr(supervisor, "_ip", made)
    monkeypatch.setattr(socket, "if_nameindex", made.listed)
    return made


class Lab(Supervisor):
    """A supervisor whose nodes are plain processes."""

    made: list[int]

    def _fork_node(self, entry: Mapping[str, Any]) -> tuple[dict[str, int], int]:
        pid = os.posix_spawnp("sleep", ["sleep", "60"], os.environ)
        self.made = [*getattr(self, "made", []), pid]
        return {"inner": pid, "outer": pid}, os.open(os.devnull, os.O_WRONLY)


@pytest.fixture
def lab(tmp_path: Path, ip: Ip) -> Iterator[Lab]:
    made = Lab({"name": "x", "nodes": [{"name": "u1", "cables": CABLES, "root": None}]}, tmp_path, 0)
    made.places = {"manager": os.getpid()}
    made._start(["u1"])
    yield made
    for name in list(made.nodes):
        made._end_node(name)


def ask(lab: Lab, text: str) -> dict[str, Any]:
    """What the lab answers to one line on its control socket."""
    control = lab._listen()
    server = threading.Thread(target=lab._serve, args=(control,))
    server.start()
    with control, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(lab.state / "control"))
        client.sendall(text.encode() + b"\n")
        answer: dict[str, Any] = json.loads(client.makefile().readline() or '{"error": "it ended"}')
        server.join()
    (lab.state / "control").unlink()
    return answer


def request(lab: Lab, operation: str) -> dict[str, Any]:
    return ask(lab, json.dumps({"op": operation, "node": "u1"}))


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_node_that_cannot_be_unplugged_stays_and_is_taken_away_later(lab: Lab, ip: Ip) -> None:
    ip.fails = True
    assert request(lab, "power-off") == {"error": f"ip link delete {PORT}: Cannot allocate memory"}
    assert running(lab.made[0]) and "u1" in lab.nodes
    ip.fails = False
    assert request(lab, "power-off") == {"ok": True}
    assert not running(lab.made[0]) and PORT not in ip.ports and not lab.nodes


def test_a_cable_that_is_gone_already_is_no_obstacle(lab: Lab, ip: Ip) -> None:
    ip.ports.remove(PORT)
    assert request(lab, "power-off") == {"ok": True}
    assert not running(lab.made[0])


def test_a_node_that_cannot_be_plugged_in_is_ended_and_started_later(lab: Lab, ip: Ip) -> None:
    request(lab, "power-off")
    ip.fails = True
    assert request(lab, "power-on")["error"].endswith("Cannot allocate memory")
    assert not running(lab.made[1]) and not lab.nodes
    ip.fails = False
    ip.ports.add(PORT)  # the kernel may keep it until the dead node's namespace is gone
    assert request(lab, "power-on")["ok"]
    assert running(lab.made[2]) and PORT in ip.ports


def test_a_node_that_was_off_has_the_same_mac(lab: Lab, ip: Ip) -> None:
    request(lab, "power-off")
    request(lab, "power-on")
    assert ip.macs == ["02:f1:c0:a8:38:03"] * 2


def test_a_virtual_machine_is_plugged_in_by_a_tap_and_keeps_its_image(lab: Lab, ip: Ip, tmp_path: Path) -> None:
    request(lab, "power-off")
    image = tmp_path / "bookworm-00000000"
    image.mkdir()
    (image / "image.json").touch()
    lab._entry("u1")["vm"] = {"image": str(image), "accelerator": "tcg"}
    assert request(lab, "power-on")["ok"] and PORT in ip.ports and len(ip.macs) == 1, "no second veth"
    with (image / "image.json").open() as facts, pytest.raises(BlockingIOError):
        fcntl.flock(facts, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert json.loads((lab.state / "state.json").read_text())["vms"] == {"u1": "tcg"}
    assert request(lab, "power-off") == {"ok": True} and PORT not in ip.ports
    for descriptor in lab.held.values():
        os.close(descriptor)


@pytest.mark.parametrize("text", ["[]", "{", "7", '{"op": "power-on", "node": "u9"}', '{"op": "dance"}', "\x00"])
def test_a_request_that_makes_no_sense_is_refused(lab: Lab, text: str) -> None:
    assert "error" in ask(lab, text)
    assert running(lab.made[0])


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (OSError(2, "No such file or directory"), "No such file or directory"),
        (subprocess.TimeoutExpired("ip", 20), "timed out after 20 seconds"),
        (subprocess.CompletedProcess([], 1, "", "RTNETLINK answers: File exists\n"), "RTNETLINK answers: File exists"),
    ],
)
def test_whatever_iproute2_does_it_is_one_error(monkeypatch: pytest.MonkeyPatch, behaviour: Any, why: str) -> None:
    def run(*_: object, **__: object) -> Any:
        if isinstance(behaviour, BaseException):
            raise behaviour
        return behaviour

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(IpFailed, match=f"^ip link set lo up: .*{why}"):
        _ip(["link set lo up"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system in the cache."""
    folder = tmp_path / "roots" / "trixie-00000000"
    (folder / "tree").mkdir(parents=True)
    (folder / "root.json").touch()
    return folder / "tree"


def power_on(lab: Lab, root: str) -> dict[str, Any]:
    return ask(lab, json.dumps({"op": "power-on", "node": "u1", "root": root}))


def roots_told(lab: Lab) -> Any:
    return json.loads((lab.state / "state.json").read_text())["roots"]


def test_a_node_is_started_with_another_root_and_with_the_machines_again(lab: Lab, root: Path) -> None:
    request(lab, "power-off")
    assert power_on(lab, str(root))["ok"] and roots_told(lab) == {"u1": str(root)}
    request(lab, "power-off")
    assert request(lab, "power-on")["ok"] and roots_told(lab) == {"u1": str(root)}, "a reboot changes nothing"
    request(lab, "power-off")
    assert power_on(lab, "")["ok"] and roots_told(lab) == {"u1": None}


def test_a_root_that_a_node_has_had_is_locked_as_long_as_the_lab_lives(lab: Lab, root: Path) -> None:
    request(lab, "power-off")
    power_on(lab, str(root))
    with (root.parent / "root.json").open() as facts:
        with pytest.raises(BlockingIOError):
            fcntl.flock(facts, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for descriptor in lab.held.values():
            os.close(descriptor)
        # A process that was being started when they were closed has them until it executes its program.
        wait_for("the lock", lambda: taken(facts))


def taken(file: IO[str]) -> str | None:
    """Take the lock, or say who has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "somebody has it"
    return None


def test_a_root_that_was_removed_meanwhile_is_an_error_and_the_node_stays_off(lab: Lab, root: Path) -> None:
    request(lab, "power-off")
    (root.parent / "root.json").unlink()
    assert "root.json" in power_on(lab, str(root))["error"]
    assert not lab.nodes
