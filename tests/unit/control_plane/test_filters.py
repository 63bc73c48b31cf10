"""A node's rules are read by whichever program shows them, and a node whose rules nothing shows is an error."""

from __future__ import annotations

import json
from typing import cast

import pytest

from fixtures.cluster.nodes import ClusterNode
from fixtures.control_plane import filters
from fixtures.control_plane.filters import read_filters
from lab.access.shell import CommandFailed, CommandResult
from lab.errors import HarnessError

SAVED = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
LISTED = json.dumps(
    {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
        ]
    }
)


class FakeNode:
    """Answers the commands of `read_filters`: (exit status, output) of each by the name of its script."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        settings = {"IP_FORWARD": (0, "1\n"), "BRIDGE_FILTERING": (0, "none\n"), "LEGACY_TABLES": (0, "")}
        self.answers = {**settings, "NFT_LIST": (0, LISTED), **answers}

    def __str__(self) -> str:
        return "u1"

    def run(self, command: str | list[str], *, check: bool = True) -> CommandResult:
        scripts = {"LEGACY_TABLES", "LEGACY_SAVE", "NFT_LIST", "NFT_SAVE"}
        names = {getattr(filters, f"_{script}"): script for script in scripts}
        text = command if isinstance(command, str) else " ".join(command)
        name = names.get(text) or ("BRIDGE_FILTERING" if "bridge-nf" in text else "IP_FORWARD")
        status, output = self.answers[name]
        result = CommandResult("u1", name, status, output, "", 0.0)
        if check and status != 0:
            raise CommandFailed(result)
        return result


def locations(**answers: tuple[int, str]) -> list[str]:
    found = read_filters(cast(ClusterNode, FakeNode(**answers)))
    return [chain.location for chain in found.forward_chains]


def test_legacy_rules_are_read_only_while_the_kernel_has_any() -> None:
    assert locations() == ["nft ip filter FORWARD"]
    assert locations(LEGACY_TABLES=(0, "nat\n")) == ["nft ip filter FORWARD"]
    both = locations(LEGACY_TABLES=(0, "nat\nfilter\n"), LEGACY_SAVE=(0, SAVED))
    assert both == ["legacy filter FORWARD", "nft ip filter FORWARD"]


def test_without_nft_iptables_shows_its_own_rules() -> None:
    assert locations(NFT_LIST=(127, ""), NFT_SAVE=(0, SAVED)) == ["nft ip filter FORWARD"]
    assert locations(NFT_LIST=(127, ""), NFT_SAVE=(126, "")) == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"LEGACY_TABLES": (1, "")}, "LEGACY_TABLES"),
        ({"LEGACY_TABLES": (0, "filter"), "LEGACY_SAVE": (127, "")}, "install one that brings iptables-legacy-save"),
        ({"LEGACY_TABLES": (0, "filter"), "LEGACY_SAVE": (1, "")}, "were not shown"),
        ({"LEGACY_TABLES": (0, "filter"), "LEGACY_SAVE": (0, "")}, "were not shown"),
        ({"NFT_LIST": (1, "")}, "were not shown"),
        ({"NFT_LIST": (0, "")}, "cannot be read"),
        ({"NFT_LIST": (0, "{}")}, "cannot be read"),
        ({"NFT_LIST": (127, ""), "NFT_SAVE": (127, "")}, "install nftables"),
        ({"NFT_LIST": (127, ""), "NFT_SAVE": (4, SAVED)}, "were not shown"),
        ({"IP_FORWARD": (1, "")}, "IP_FORWARD"),
        ({"BRIDGE_FILTERING": (1, "")}, "BRIDGE_FILTERING"),
    ],
)
def test_rules_that_are_not_shown_are_an_error_that_names_the_node(
    answers: dict[str, tuple[int, str]], message: str
) -> None:
    with pytest.raises(HarnessError, match=message) as raised:
        locations(**answers)
    assert "u1" in str(raised.value)


@pytest.mark.parametrize(("output", "setting"), [("1\n", True), ("0\n", False), ("none\n", None)])
def test_kernel_settings_are_read(output: str, setting: bool | None) -> None:
    found = read_filters(cast(ClusterNode, FakeNode(BRIDGE_FILTERING=(0, output))))
    assert (found.ip_forward, found.bridge_filtering) == (True, setting)
    assert not read_filters(cast(ClusterNode, FakeNode(IP_FORWARD=(0, "0\n")))).ip_forward
