"""How a router was launched is read from its container, or refused; nothing of it is a guess."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from lab.overlays.weave import launch_failure
from lab.overlays.weave_launch import Launch, Unreadable, read_launch

IMAGE = ["PATH=/usr/bin:/bin"]
SCRIPTS = (
    "--port 6783 --nickname u1 --host-root=/host --docker-bridge docker0 --weave-bridge weave --datapath datapath "
    "--ipalloc-range 10.32.0.0/16 --dns-listen-address 172.17.0.1:53 --http-addr 127.0.0.1:6784 "
    "--status-addr 127.0.0.1:6782 --resolv-conf /var/run/weave/etc/resolv.conf -H unix:///var/run/weave/weave.sock"
)
OWNERS = "--plugin --proxy --no-dns --name=00:00:00:00:00:01 --ipalloc-default-subnet=10.32.0.0/24"
PEERS = ["192.168.56.4", "192.168.56.5"]


def container(arguments: str = f"{SCRIPTS} {OWNERS}", environment: tuple[str, ...] = (), **host: Any) -> dict[str, Any]:
    """What `docker inspect` says of a router that Weave's script has started."""
    return {
        "Args": [*arguments.split(), *PEERS],
        "Config": {
            "Image": "weaveworks/weave:2.8.1",
            "Env": [*IMAGE, "WEAVE_PASSWORD", "WEAVE_DEBUG", "EXEC_IMAGE=weaveworks/weaveexec:2.8.1", *environment],
        },
        "HostConfig": {
            "Privileged": True,
            "NetworkMode": "host",
            "PidMode": "host",
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
            "Binds": ["/var/run/weave:/var/run/weave", "/etc:/host/etc"],
            "Memory": 0,
            **host,
        },
    }


def read(found: dict[str, Any], targets: list[str] | None = None) -> Launch:
    return read_launch(found, IMAGE, PEERS if targets is None else targets)


def test_the_owners_arguments_are_those_that_the_script_did_not_write() -> None:
    launch = read(container())
    assert launch.arguments == (
        "--ipalloc-range=10.32.0.0/16",
        "--no-dns",
        "--name=00:00:00:00:00:01",
        "--ipalloc-default-subnet=10.32.0.0/24",
    )
    assert launch.peers == tuple(PEERS)
    assert launch.environment == {"DOCKERHUB_USER": "weaveworks", "WEAVE_VERSION": "2.8.1"}


def test_what_the_script_makes_of_variables_becomes_variables_again() -> None:
    arguments = SCRIPTS.replace("--datapath datapath", "--datapath datapath --mtu 1400 --no-fastdp")
    arguments = arguments.replace("docker0", "br9").replace("127.0.0.1:6784", "0.0.0.0:7784")
    given = ("WEAVE_PASSWORD=s3cret", "CHECKPOINT_DISABLE=1", "DOCKER_BRIDGE=br9", "WEAVE_HTTP_ADDR=0.0.0.0:7784")
    assert read(container(arguments, given)).environment == {
        "DOCKERHUB_USER": "weaveworks",
        "WEAVE_VERSION": "2.8.1",
        "WEAVE_PASSWORD": "s3cret",
        "CHECKPOINT_DISABLE": "1",
        "DOCKER_BRIDGE": "br9",
        "WEAVE_HTTP_ADDR": "0.0.0.0:7784",
        "WEAVE_MTU": "1400",
        "WEAVE_NO_FASTDP": "1",
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (SCRIPTS.replace("6783", "7783"), ["--port=7783"]),
        (f"{SCRIPTS} --plugin=false --proxy", ["--plugin=false"]),
        (f"{SCRIPTS} --trusted-subnets 10.0.0.0/8 --conn-limit=0", ["--trusted-subnets=10.0.0.0/8", "--conn-limit=0"]),
        (SCRIPTS.replace("unix:///var/run/weave/weave.sock", "tcp://0.0.0.0:12375"), ["-H=tcp://0.0.0.0:12375"]),
    ],
)
def test_every_way_to_write_an_argument_is_read(arguments: str, expected: list[str]) -> None:
    assert [word for word in read(container(arguments)).arguments if "ipalloc" not in word] == expected


def test_a_router_that_docker_does_not_restart_was_launched_so() -> None:
    for policy in ({"Name": "no"}, {"Name": ""}):
        assert "--no-restart" in read(container(RestartPolicy=policy)).arguments


def test_peers_that_were_added_or_forgotten_since_are_the_routers_targets() -> None:
    assert read(container(), ["192.168.56.4"]).peers == ("192.168.56.4",)
    assert read(container(), [*PEERS, "192.168.56.9"]).peers == (*PEERS, "192.168.56.9")
    assert read(container(), PEERS[::-1]).peers == tuple(PEERS)


REFUSED: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda found: found["Args"].__setitem__(found["Args"].index("10.32.0.0/16"), ""), "gives no addresses"),
    (lambda found: found.update(Args=["--port", "6783", "--name=x"]), "no --nickname in its place"),
    (lambda found: found.update(Args=None), "no --port in its place"),
    (lambda found: found["Args"].insert(0, "--password=x"), "no --port in its place"),
    (lambda found: found.update(Args=[*SCRIPTS.split(), "--name"]), "--name has no value"),
    (lambda found: found.update(Args=[*SCRIPTS.split(), "--tlsverify"]), "TLS"),
    (lambda found: found.update(Args=[*SCRIPTS.split(), "--resume"]), "--resume"),
    (lambda found: found.update(Args=[*SCRIPTS.split(), "--hostname-match=a b"]), "a blank or a quote"),
    (
        lambda found: found.update(Args=SCRIPTS.replace("datapath datapath", "datapath weave").split()),
        "--datapath is weave",
    ),
    (lambda found: found["Config"]["Env"].append("SOMETHING=1"), "SOMETHING"),
    (lambda found: found["Config"].update(Image="me/router:1"), "me/router:1"),
    (lambda found: found["Config"].update(Image="weaveworks/weave"), "weaveworks/weave"),
    (lambda found: found["HostConfig"].update(Privileged=False), "not made by Weave's script"),
    (lambda found: found["HostConfig"].update(NetworkMode="bridge"), "not made by Weave's script"),
    (lambda found: found["HostConfig"].update(PidMode=""), "not made by Weave's script"),
    (lambda found: found["HostConfig"].update(Memory=1 << 28), "Memory"),
    (lambda found: found["HostConfig"]["RestartPolicy"].update(Name="on-failure"), "on-failure"),
]


@pytest.mark.parametrize(("change", "why"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_traced_back_to_the_script_is_refused(
    change: Callable[[dict[str, Any]], object], why: str
) -> None:
    found = copy.deepcopy(container())
    change(found)
    with pytest.raises(Unreadable, match=why):
        read(found)


def test_another_range_leaves_the_rest_of_the_launch_as_it_is() -> None:
    launch = read(container(environment=("WEAVE_PASSWORD=s3cret",)))
    assert launch.within().arguments == ("--no-dns", "--name=00:00:00:00:00:01")
    assert launch.within("--ipalloc-range=10.0.0.0/8").arguments[0] == "--ipalloc-range=10.0.0.0/8"
    assert (launch.within().peers, launch.within().environment) == (launch.peers, launch.environment)


def test_no_secret_is_shown() -> None:
    launch = read(container(f"{SCRIPTS} {OWNERS} --token=t0ken --password=pa55", ("WEAVE_PASSWORD=s3cret",)))
    for text in (repr(launch), launch.shown, *launch.differs(read(container()))):
        assert not [secret for secret in ("s3cret", "t0ken", "pa55") if secret in text]
    assert launch.shown.endswith("--token=… --password=… 192.168.56.4 192.168.56.5 (with a password)")
    assert {"--token=t0ken", "--password=pa55"} < set(launch.arguments)


@pytest.mark.parametrize(
    ("other", "different"),
    [
        (container(), []),
        (container(environment=("WEAVE_PASSWORD=x",)), ["variables"]),
        (container(f"{SCRIPTS} --plugin --proxy --no-dns"), ["arguments"]),
        (container(SCRIPTS.replace("/16", "/12") + f" {OWNERS}"), ["arguments"]),
        (container(RestartPolicy={"Name": "no"}), ["restart policy"]),
        (container(Binds=["/etc:/host/etc"]), ["mounts"]),
    ],
)
def test_a_launch_that_is_not_the_same_is_told_by_what_differs(other: dict[str, Any], different: list[str]) -> None:
    assert read(container()).differs(read(other)) == different
    assert read(container()).differs(read(container(), ["192.168.56.9"])) == ["peers"]


def test_a_failed_launch_is_explained_by_the_routers_last_line_else_by_the_scripts() -> None:
    died = "The weave container has died. Consult the container logs for further details.\n"
    log = "INFO: Docker API\nFATA: creating dummy interface: operation not supported\n\n"
    told = "FATA: creating dummy interface: operation not supported; `docker logs weave` on the node has the rest"
    assert launch_failure(died, log) == told
    assert launch_failure("weave is already running\n", "") == "weave is already running"
    assert launch_failure("", " \n") == "it ended without a word"
