"""Writes what was found as a cluster file: YAML, and a comment with a question for what was not found out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.errors import printable

from .networks import Proposal
from .services import ServiceFacts

_PLAIN = re.compile(r"[A-Za-z/~][A-Za-z0-9_./:~@=+-]*|\d+(\.\d+){3}(/\d+)?")
_WORDS_WITH_A_MEANING = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass
class FoundNode:
    """A node of the file."""

    name: str
    address: str
    keys: dict[str, str | int | bool] = field(default_factory=dict)
    """What differs from the defaults: interface, consul_server …"""
    commands: dict[str, str] = field(default_factory=dict)
    told: str = ""
    """Versions, for a comment."""
    comments: list[str] = field(default_factory=list)


@dataclass
class Lost:
    """A node that something names and that was not reached."""

    name: str
    address: str
    reason: str


@dataclass
class Found:
    """All of a cluster file."""

    name: str
    command: str
    """The command line that found it, for the file's first comment."""
    ssh: Mapping[str, str | int | bool]
    common: Mapping[str, object]
    """Keys for all nodes: via, become, docker …"""
    nodes: Sequence[FoundNode]
    lost: Sequence[Lost]
    underlay: str | None
    overlay: Proposal
    consul: ServiceFacts | None
    nomad: ServiceFacts | None
    comments: Sequence[str] = ()


def scalar(value: object) -> str:
    """A value as YAML 1.2 has it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {scalar(one)}" for key, one in value.items()) + "}"
    text = str(value)
    if _PLAIN.fullmatch(text) and not text.endswith(":") and text.lower() not in _WORDS_WITH_A_MEANING:
        return text
    return json.dumps(text, ensure_ascii=False)


def write(found: Found) -> str:
    """The cluster file's text."""
    lines = [
        "# Found by",
        f"#     {found.command}",
        "# A comment with a question needs an answer; the rest is what was seen.",
    ]
    lines += [f"# {comment}" for comment in found.comments]
    lines += ["", f"name: {scalar(found.name)}"]
    lines += [f"underlay: {found.underlay}"] if found.underlay else ["# underlay: which network are the nodes on?"]
    lines += [*_section("ssh", found.ssh), *(f"{key}: {scalar(value)}" for key, value in found.common.items())]
    lines += ["", "nodes:"]
    for node in found.nodes:
        lines += _node(node)
    for lost in found.lost:
        lines.append(f"  # {lost.name or lost.address} was not reached, so it is left out: {lost.reason}")
        lines += [f"  # - name: {lost.name or 'NAME'}", f"  #   address: {lost.address}"]
    lines += ["", *_overlay(found.overlay)]
    lines += _service("consul", "Consul", found.consul) + _service("nomad", "Nomad", found.nomad)
    # Versions, names and reasons are what nodes said: none of them may begin a line, which could be a key of the file.
    return "\n".join(printable(line) for line in lines) + "\n"


def _section(name: str, keys: Mapping[str, object], indent: str = "") -> list[str]:
    if not keys:
        return []
    return [f"{indent}{name}:", *(f"{indent}  {key}: {scalar(value)}" for key, value in keys.items())]


def _node(node: FoundNode) -> list[str]:
    told = f"  # {node.told}" if node.told else ""
    lines = [f"  - name: {scalar(node.name)}{told}", f"    address: {node.address}"]
    lines += [f"    {key}: {scalar(value)}" for key, value in node.keys.items()]
    lines += [*_section("commands", node.commands, "    "), *(f"    # {comment}" for comment in node.comments)]
    return lines


def _overlay(overlay: Proposal) -> list[str]:
    comments = [f"  # {comment}" for comment in overlay.comments]
    if not overlay.adapter or not overlay.subnets:
        ask = "no Docker network is the same on all nodes: which are the containers' networks, and by which adapter?"
        return [
            "# overlay:", f"  # {ask}", *comments,
            "  # name: docker", "  # subnets: {NAME: 10.32.0.0/24}", "  # networks: {NAME: NETWORK}",
        ]  # fmt: skip
    lines = ["overlay:", f"  name: {overlay.adapter}"]
    lines += [f"  range: {overlay.range}"] if overlay.range is not None else []
    lines += _section("subnets", overlay.subnets, "  ")  # the first is where containers are by default
    lines += _section("networks", overlay.networks, "  ") + _section("options", overlay.options, "  ")
    return lines + comments


def _service(section: str, name: str, facts: ServiceFacts | None) -> list[str]:
    if facts is None:
        return ["", f"# {section}: nothing like {name} answers on these nodes; leave it out if there is none"]
    told = f"  # {name} {facts.version}" if facts.version else ""
    comments = [f"  # {comment}" for comment in facts.comments]
    if not facts.keys:
        return ["", f"# {section}:", *comments]
    return ["", f"{section}:{told}", *(f"  {key}: {scalar(value)}" for key, value in facts.keys.items()), *comments]


def one_line(texts: Iterable[str]) -> str:
    """Reasons as one line of a comment."""
    return "; ".join(" ".join(text.split()) for text in texts if text)
