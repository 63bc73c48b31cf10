"""Commands on a node by a real Nomad's exec API, with TLS, client certificates and ACLs; left out without Nomad."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from lab.access.nomad import namespace_rule
from lab.access.nomad_shell import PREFIX, NomadAgents, dead_jobs, locks, open_nomad_shells
from lab.access.shell import CommandFailed, Shell
from lab.access.tunnel import open_tunnel
from lab.errors import HarnessError
from lab.inventory import Inventory, Nomad
from lab.programs import find_program
from tests.lab.own_services import SecureNomad, secure_nomad

pytestmark = pytest.mark.skipif(find_program("nomad") is None, reason="this machine has no Nomad")
T = TypeVar("T")
NEEDED = ("submit-job", "read-job", "alloc-exec", "alloc-node-exec")
READS = 'node { policy = "read" }'
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNomad]:
    with secure_nomad(tmp_path_factory.mktemp("nomad")) as nomad:
        yield nomad


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def inventory(settings: Nomad) -> Inventory:
    document = {
        "name": "test",
        "nodes": [{"name": "u1", "address": "127.0.0.1", "via": "nomad"}],
        "overlay": {"name": "vxlan", "range": "10.32.0.0/16", "subnets": {"a": "10.32.0.0/24"}},
        "nomad": {},
    }
    return Inventory.model_validate(document).model_copy(update={"nomad": settings})


@contextlib.contextmanager
def agents_of(secure: SecureNomad, settings: Nomad) -> Iterator[NomadAgents]:
    agents = open_nomad_shells(inventory(settings))
    try:
        yield agents
    finally:
        secure.place.do(agents.close)


@pytest.fixture(scope="module")
def settings(secure: SecureNomad) -> Nomad:
    return secure.token(f"{namespace_rule(secure.settings, *NEEDED)} {READS}")


@pytest.fixture
def do(secure: SecureNomad, settings: Nomad) -> Iterator[Callable[[Callable[[Shell], T]], T]]:
    """Have a call done with the node's shell, from within Nomad's network."""
    with agents_of(secure, settings) as agents:
        shell = agents.shell(inventory(settings).nodes[0])
        yield lambda call: secure.place.do(lambda: call(shell))


Do = Callable[[Callable[[Shell], object]], object]


def test_a_command_runs_as_root_and_returns_what_it_says(do: Do) -> None:
    result = do(lambda shell: shell.run(["sh", "-c", "id -u; cat; echo error >&2"], stdin="input"))
    assert (result.stdout, result.stderr, result.exit_status) == ("0\ninput", "error\n", 0)  # type: ignore[attr-defined]
    with pytest.raises(CommandFailed, match="exit status 3"):
        do(lambda shell: shell.run("exit 3"))
    with pytest.raises(HarnessError, match=r"^node u1: sleep 9: not ended within 0\.5 s$"):
        do(lambda shell: shell.run("sleep 9", timeout_s=0.5))


def test_much_data_arrives_whole_both_ways(do: Do) -> None:
    text = "0123456789" * 50_000
    result = do(lambda shell: shell.run(["cat"], stdin=text, timeout_s=60))
    assert result.stdout == text  # type: ignore[attr-defined]


def test_a_command_that_ends_while_its_input_is_open_is_noticed(do: Do) -> None:
    def ask(shell: Shell) -> tuple[bytes, bytes, int]:
        channel = shell.channel("echo over; exit 4")
        try:
            return channel.recv(99), channel.recv(99), channel.recv_exit_status()
        finally:
            channel.close()

    assert do(ask) == (b"over\n", b"", 4)


def test_a_tunnel_can_be_half_closed(do: Do) -> None:
    def ask(shell: Shell) -> bytes:
        sock = open_tunnel(shell.channel("cat; echo end"), lambda _: None)
        with sock, sock.makefile("rb") as reader:
            sock.sendall(b"question")
            sock.shutdown(socket.SHUT_WR)
            return reader.read()

    assert do(ask) == b"questionend\n"


def test_a_command_ends_with_its_channel_and_with_its_connection(do: Do) -> None:
    def left(shell: Shell) -> str:
        return shell.run("ps -eo args | grep -c '^[s]leep 7654' || true").stdout.strip()

    def wait(shell: Shell) -> str:
        until = time.monotonic() + WITHIN_S
        while (seen := left(shell)) != "0" and time.monotonic() < until:
            time.sleep(0.5)
        return seen

    def lose(shell: Shell) -> str:
        channel = shell.channel("exec sleep 7654")
        assert left(shell) == "1"
        channel._sock.shutdown()  # type: ignore[attr-defined]
        return wait(shell)

    def close(shell: Shell) -> str:
        shell.channel("cat; exec sleep 7654 & kill $!").close()
        return wait(shell)

    assert do(close) == "0"
    assert do(lose) == "0"


def test_nothing_is_left_of_the_job(secure: SecureNomad, settings: Nomad, tmp_path: Path) -> None:
    with agents_of(secure, settings) as agents:
        secure.place.do(agents.shell(inventory(settings).nodes[0]).connect)
        (job,) = secure.request("GET", "/v1/jobs")
        assert job["ID"].startswith(PREFIX)
    assert secure.request("GET", "/v1/jobs") == []
    assert list((secure.place.folder / "data" / "alloc").iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_the_job_of_a_killed_run_is_removed_by_the_next_and_that_of_a_living_one_is_not(
    secure: SecureNomad, settings: Nomad
) -> None:
    node = inventory(settings).nodes[0]
    with agents_of(secure, settings) as lives:
        secure.place.do(lives.shell(node).connect)
        killed = open_nomad_shells(inventory(settings))
        secure.place.do(killed.shell(node).connect)
        assert killed._state is not None and lives._state is not None
        killed._state.lock.release(remove=False)  # as the kernel does when the process ends
        assert [file.name for file in dead_jobs(locks(), "127.0.0.1:4646")] == [killed._state.job_id]
        with agents_of(secure, settings) as later:
            secure.place.do(later.shell(node).connect)
            assert later._state is not None
            jobs = {job["ID"] for job in secure.request("GET", "/v1/jobs")}
            assert jobs == {lives._state.job_id, later._state.job_id}
    assert secure.request("GET", "/v1/jobs") == []


@pytest.mark.parametrize("missing", NEEDED)
def test_a_policy_that_lacks_a_capability_is_named(secure: SecureNomad, missing: str, settings: Nomad) -> None:
    """Without read-job the job is registered and cannot be removed: a run with a better token does it."""
    fewer = [capability for capability in NEEDED if capability != missing]
    lacking = secure.token(f"{namespace_rule(secure.settings, *fewer)} {READS}")
    with pytest.raises(HarnessError) as raised, agents_of(secure, lacking) as agents:
        secure.place.do(agents.shell(inventory(lacking).nodes[0]).connect)
    assert str(raised.value).startswith("node u1: Nomad re" if "job" in missing else "node u1: Nomad runs no command")
    assert f'"{missing}"' in str(raised.value) and "\n" not in str(raised.value)
    with agents_of(secure, settings) as agents:
        secure.place.do(agents.shell(inventory(settings).nodes[0]).connect)
    assert secure.request("GET", "/v1/jobs") == []
