"""A foreign lab: from a runner's desk nothing can be reached but what the desk's faces grant, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lab.embedded import foreign
from lab.embedded.faces import DESK_OF
from lab.inventory import load
from tests.lab.conftest import Place, Result, place_with_lab
from tests.lab.traces import cgroups, descendants, holders, machine, namespaces, wait_ended, wait_gone

LAB, SHORT = "acme", "short"
"""Names of the labs here: control groups bear them, and labs of other modules, called `lab`, may be up."""
BASTION, NODES = str(foreign.BASTION_OUTSIDE.ip), ("192.168.56.3", "192.168.56.4")
PORTS = (22, 53, 2222, 2376, 4646, 8300, 8500, 8501)
DIAL = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def accepts(target):
    with socket.socket() as dialled:
        dialled.settimeout(5)
        return dialled.connect_ex(tuple(target)) == 0

targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps([target for target, open in zip(targets, pool.map(accepts, targets)) if open]))
"""
ASK = """
import json, sys, requests
method, url, ca, certificate, token, body = json.loads(sys.argv[1])
session = requests.Session()
session.trust_env = False
try:
    answer = session.request(method, url, json=body, verify=ca, timeout=10, headers=token and {"X-Consul-Token": token},
                             cert=certificate and tuple(certificate))
    print(json.dumps([answer.status_code, answer.text]))
except requests.exceptions.ConnectionError as error:
    print(json.dumps([0, str(error)]))
"""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with a foreign lab of two nodes that the tests share and leave as it was."""
    words = ("--lab", LAB, "--foreign", "--nodes", "2", "--no-nomad")
    with place_with_lab(tmp_path_factory.mktemp("acme"), *words) as made:
        yield made


def at(place: Place, where: str, *words: str) -> Result:
    """Run a command at a desk, or where the lab's own processes reach it from (`manager`)."""
    facts = place.facts(LAB)
    pid = facts["manager"] if where == "manager" else facts["desks"][where]
    return subprocess.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", *words], env=place.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def run_python(place: Place, where: str, program: str, *arguments: object) -> Any:
    done = at(place, where, sys.executable, "-c", program, json.dumps(arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def reachable(place: Place, where: str) -> set[tuple[str, int]]:
    """Everything that accepts a connection from there: the bastion and the nodes, at every port that a lab uses."""
    targets = [(host, port) for host in (BASTION, "192.168.56.2", *NODES) for port in PORTS]
    return {(host, port) for host, port in run_python(place, where, DIAL, *targets)}


def test_a_desk_reaches_what_its_faces_grant_and_nothing_else(acme: Place) -> None:
    assert reachable(acme, "ssh") == {(BASTION, 22), ("192.168.56.2", 22)}
    assert reachable(acme, "tls") == {(node, 2376) for node in NODES}
    assert reachable(acme, "nomad") == set()


def test_what_a_desk_does_not_reach_is_there(acme: Place) -> None:
    """Otherwise the test above would pass on a lab in which nothing runs."""
    own = reachable(acme, "manager")
    assert {(node, port) for node in NODES for port in (22, 53, 2222, 2376, 8300, 8501)} <= own
    assert not {(node, 8500) for node in NODES} & own, "Consul listens for HTTPS only"


def ssh(place: Place, where: str, *words: str) -> Result:
    config = place.run / LAB / "faces" / "ssh_config"
    return at(place, where, "ssh", "-F", str(config), "-o", "BatchMode=yes", *words)


def test_an_operator_gets_through_the_bastion_and_becomes_root(acme: Place) -> None:
    done = ssh(acme, "ssh", "u2", "id -un; hostname; sudo -n id -un")
    assert done.stdout.split() == ["operator", "u2", "root"], done.stderr


@pytest.mark.parametrize(
    ("where", "words", "said"),
    [
        ("ssh", ("root@u1", "true"), "root@192.168.56.3: Permission denied"),
        ("ssh", ("dockhand@u1", "true"), "dockhand@192.168.56.3: Permission denied"),
        ("ssh", ("bastion", "id"), "This account is currently not available"),
        ("ssh", ("-W", "192.168.56.3:2222", "bastion"), "administratively prohibited"),
        ("manager", ("-o", "ProxyJump=none", "u1", "true"), "operator@192.168.56.3: Permission denied"),
    ],
    ids=["root", "another user's key", "a shell on the bastion", "the lab's own sshd", "past the bastion"],
)
def test_ssh_refuses(acme: Place, where: str, words: Sequence[str], said: str) -> None:
    done = ssh(acme, where, *words)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_only_the_group_docker_reaches_the_engine_s_socket(acme: Place) -> None:
    as_user = "setpriv --reuid={0} --regid={0} --init-groups docker --host unix:///run/docker.sock version"
    hand, operator = (
        acme.lab("exec", "--lab", LAB, "u1", "--", *as_user.format(name).split()) for name in ("dockhand", "operator")
    )
    assert hand.returncode == 0, hand.stderr
    assert operator.returncode != 0 and "permission denied" in operator.stderr.lower()


def ask(
    place: Place, where: str, method: str, url: str, *, token: str = "", certificate: bool = True, body: object = None
) -> tuple[int, str]:
    """Status and text of a response; status 0 when TLS or the connection failed."""
    folder = place.run / LAB / "tls" / ("docker" if ":2376" in url else "consul")
    own = [str(folder / "certificate.pem"), str(folder / "key.pem")] if certificate else None
    secret = (place.run / LAB / "tokens" / f"consul-{token}").read_text().strip() if token else None
    status, text = run_python(place, where, ASK, method, url, str(folder / "ca.pem"), own, secret, body)
    return status, text


def test_an_engine_wants_a_certificate(acme: Place) -> None:
    url = f"https://{NODES[0]}:2376/info"
    status, text = ask(acme, "tls", "GET", url)
    assert status == 200 and json.loads(text)["Name"] == "u1"
    assert ask(acme, "tls", "GET", url, certificate=False)[0] == 0


def test_consul_wants_a_certificate_and_a_token_for_what_it_changes(acme: Place) -> None:
    base = f"https://{NODES[0]}:8501/v1"
    ours, others = ({"Name": name, "Port": 80} for name in ("flatnet-x", "shop"))

    def register(token: str, body: object) -> int:
        return ask(acme, "manager", "PUT", f"{base}/agent/service/register", token=token, body=body)[0]

    assert ask(acme, "manager", "GET", f"{base}/status/leader", certificate=False)[0] == 0
    assert [register(token, ours) for token in ("", "read-only", "flatnet")] == [403, 403, 200]
    assert register("flatnet", others) == 403
    assert ask(acme, "manager", "PUT", f"{base}/agent/service/deregister/flatnet-x", token="flatnet")[0] == 200
    raft = [ask(acme, "manager", "GET", f"{base}/operator/raft/configuration", token=token)[0] for token in ("", "dns")]
    assert raft == [403, 403]
    assert ask(acme, "manager", "GET", f"{base}/operator/raft/configuration", token="read-only")[0] == 200


def test_names_resolve_without_a_token(acme: Place) -> None:
    done = acme.lab("exec", "--lab", LAB, "u1", "--", "getent", "hosts", "u2.node.corp")
    assert done.stdout.split()[:1] == [NODES[1]], done.stderr


def test_every_face_is_printed_and_lies_there_for_root_alone(acme: Place) -> None:
    for name in DESK_OF:
        done = acme.lab("inventory", "--lab", LAB, "--face", name)
        file = acme.run / LAB / "faces" / f"{name}.yaml"
        if name == "nomad":
            assert done.returncode == 4 and "the face nomad needs Nomad" in done.stderr
            continue
        assert done.stdout == file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert load(file).name == "acme"
    assert acme.lab("inventory", "--lab", LAB, "--face", "visitor").returncode == 4


def test_an_ordinary_lab_has_only_the_face_root(kept: Place) -> None:
    assert kept.lab("inventory", "--face", "root").stdout == kept.lab("inventory").stdout
    done = kept.lab("inventory", "--face", "sudo")
    assert done.returncode == 4 and "need `lab up --foreign`" in done.stderr


def test_power_and_faults_are_the_lab_s_own(acme: Place) -> None:
    assert acme.lab("power-off", "--lab", LAB, "u2").returncode == 0
    assert ("192.168.56.4", 2376) not in reachable(acme, "tls")
    on = acme.lab("power-on", "--lab", LAB, "u2")
    assert on.returncode == 0, on.stderr
    assert ssh(acme, "ssh", "u2", "hostname").stdout.strip() == "u2"
    put = acme.lab("inject", "--lab", LAB, "masquerade@u1")
    assert put.returncode == 0, put.stderr
    assert acme.lab("heal", "--lab", LAB).returncode == 0


def test_nothing_is_left_of_it(place: Place) -> None:
    """Killed by SIGKILL at its root, then made again with the same name, and taken down."""
    before, others = machine(), descendants()
    for end in (_kill, _take_down):
        up = place.lab("up", "--lab", SHORT, "--foreign", "--nodes", "1", "--no-nomad")
        assert up.returncode == 0, up.stdout + up.stderr
        pids = {pid: words for pid, words in descendants().items() if pid not in others}
        inside = holders(namespaces(pids))
        assert len(inside) > 10
        assert before.difference(machine()) == []
        end(place)
        assert wait_gone(pids) == {}
        assert wait_ended(inside) == {}
        assert cgroups(SHORT) == []
    assert before.difference(machine()) == []
    assert place.left() == []


def _kill(place: Place) -> None:
    os.kill(place.facts(SHORT)["supervisor"], signal.SIGKILL)


def _take_down(place: Place) -> None:
    assert place.lab("down", "--lab", SHORT).returncode == 0
