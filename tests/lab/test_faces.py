"""Somebody else's cluster, by every way to its nodes: checked, tested with the lab's own verdict, left as it was.

The foreign lab has two nodes here, so that the test is short; `via: nomad` is skipped on a machine without Nomad.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.programs import find_program
from tests.lab.conftest import Place, place_with_lab

SUITES = ("suites/no_nat", "suites/isolation/test_subnets.py", "suites/dns/test_records.py", "suites/path")
LISTING = (
    "docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.Status}}' | sed 's/ Up .*/ up/'; "
    "docker image ls --no-trunc -q; ip -brief link; ip -brief address; iptables-save | grep -v '^#\\|^:'"
)
NO_NOMAD = pytest.mark.skipif(find_program("nomad") is None, reason="no Nomad on this machine")
WAYS = [
    "sudo",
    pytest.param("tls", marks=pytest.mark.nightly),
    pytest.param("cert", marks=pytest.mark.nightly),
    pytest.param("docker", marks=pytest.mark.nightly),
    pytest.param("nomad", marks=[pytest.mark.nightly, NO_NOMAD]),
]


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with a foreign lab of two nodes, `lab`."""
    with place_with_lab(tmp_path_factory.mktemp("acme"), "--foreign", "--nodes", "2") as made:
        yield made


def face(place: Place, name: str) -> Path:
    done = place.lab("inventory", "--face", name)
    assert done.returncode == 0, done.stderr
    file = place.top / f"{name}.yaml"
    file.write_text(done.stdout)
    return file


def states(place: Place) -> dict[str, str]:
    """Containers, images, links, addresses and filter rules of every node."""
    found = {}
    for node in ("u1", "u2"):
        done = place.lab("exec", node, "--", "sh", "-c", LISTING)
        assert done.returncode == 0, done.stderr
        assert "flatnet/demo" in place.lab("exec", node, "--", "docker", "image", "ls").stdout
        found[node] = done.stdout
    return found


def verdict(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.out / "latest" / "verdict.json").read_text())
    return found


@pytest.fixture(scope="module")
def own(acme: Place) -> dict[str, str]:
    """{requirement: status} of the lab's own inventory, root over SSH."""
    done = acme.pytest(*SUITES, "--lab", "lab", "--no-disruptive", "-q")
    assert done.returncode == 0, done.stdout
    return {name: entry["status"] for name, entry in verdict(acme)["requirements"].items() if entry["tests"]}


@pytest.mark.parametrize("way", WAYS)
def test_a_way_to_the_nodes_gives_the_labs_own_verdict_and_leaves_nothing(
    acme: Place, own: dict[str, str], way: str
) -> None:
    cluster = face(acme, way)
    before = states(acme)
    checked = acme.lab("check", "--cluster", str(cluster))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = acme.pytest(*SUITES, "--cluster", str(cluster), "-q")
    assert done.returncode == 0, done.stdout
    found = {name: entry["status"] for name, entry in verdict(acme)["requirements"].items() if entry["tests"]}
    assert len(own) > 15
    assert found == own
    assert states(acme) == before


def test_a_run_that_is_killed_leaves_no_container_that_entered_the_node(acme: Place) -> None:
    cluster = face(acme, "tls")
    running = acme.start("suites/no_nat", "-v", "--cluster", str(cluster))
    running.wait_begun()
    running.process.kill()
    running.wait()
    ended = 'until [ -z "$(docker ps -aq --filter label=flatnet.agent)" ]; do sleep 0.1; done'
    for node in ("u1", "u2"):
        done = acme.lab("exec", node, "--", "timeout", "20", "sh", "-c", ended)
        assert done.returncode == 0, acme.lab("exec", node, "--", "docker", "ps", "-a").stdout
