"""What `lab check` says of the gateway mode of a bridge network, which engines from 28 on act upon."""

from __future__ import annotations

from typing import Any

import pytest

from lab.checks.judging import Engine, judge_networks, major_of
from tests.unit.lab.test_checks import inventory, network, texts

MODE = "com.docker.network.bridge.gateway_mode_ipv4"
DROPPED = (
    "note: node u1: network office: its gateway mode is nat, and Docker 28 drops in raw/PREROUTING what is routed "
    "straight to its containers; make it with the mode routed or nat-unprotected where they are to be reached so"
)


@pytest.mark.parametrize(
    ("mode", "major", "options", "said"),
    [
        ({}, 28, {"hops": 2}, [DROPPED]),
        ({MODE: "nat"}, 28, {"hops": 2}, [DROPPED]),
        ({}, 27, {"hops": 2}, []),
        ({}, 28, {}, []),
        ({MODE: "routed"}, 28, {"hops": 2}, []),
        ({MODE: "nat-unprotected"}, 28, {"hops": 2}, []),
        (
            {MODE: "isolated"},
            28,
            {"expose": "bridge"},
            [
                "node u1: network office: its gateway mode is isolated, in which Docker gives the bridge no address; "
                "make it with another, or declare another overlay.options.expose"
            ],
        ),
        ({MODE: "isolated"}, 28, {}, []),
    ],
)
def test_the_gateway_mode_of_a_bridge_network(
    mode: dict[str, str], major: int, options: dict[str, Any], said: list[str]
) -> None:
    seen = {"u1": Engine({"office": network("bridge", Options=mode)}, {}, major)}
    assert texts(judge_networks(inventory(**options), {"web": "office"}, seen)) == said


def test_the_gateway_mode_of_another_driver_means_nothing() -> None:
    seen = {"u1": Engine({"office": network("macvlan", Options={MODE: "nat"})}, {}, 28)}
    assert judge_networks(inventory(hops=2), {"web": "office"}, seen) == []


@pytest.mark.parametrize(("version", "major"), [("28.5.2+dfsg1", 28), ("20.10.24", 20), ("dev", 0), (None, 0)])
def test_the_version_of_an_engine_begins_with_a_number_or_is_unknown(version: str | None, major: int) -> None:
    assert major_of({} if version is None else {"Version": version}) == major
