"""How a Weave router was launched, read from its container, so that it can be launched in the same way again. Pure.

Weave's script makes the container's arguments from its own arguments and from variables; this module goes the other
way. What it cannot trace back to the script makes it refuse, since a launch that is a guess is not the owner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

CONTAINER = "weave"
SWITCHES = frozenset(
    "expect-npc resume pkt-debug no-discovery no-dns no-fastdp no-bridged-fastdp awsvpc plugin plugin-v2 "
    "plugin-v2-multicast no-masq-local proxy rewrite-inspect no-default-ipalloc no-rewrite-hosts without-dns "
    "no-multicast-route tls tlsverify".split()
)
"""Arguments of the router that take no word after them (Weave Net 2.8.1, `weaver --help`)."""
MADE_BY_SCRIPT = {
    "port": "6783",
    "nickname": None,
    "host-root": "/host",
    "docker-bridge": "docker0",
    "weave-bridge": "weave",
    "datapath": "datapath",
    "mtu": None,
    "no-fastdp": None,
    "no-bridged-fastdp": None,
    "ipalloc-range": None,
    "dns-listen-address": None,
    "http-addr": "127.0.0.1:6784",
    "status-addr": "127.0.0.1:6782",
    "resolv-conf": None,
}
"""{argument that the script writes first: the value that it has by default; None: there is none}, in its order."""
OPTIONAL = frozenset({"mtu", "no-fastdp", "no-bridged-fastdp"})
VARIABLES = {
    "docker-bridge": "DOCKER_BRIDGE",
    "mtu": "WEAVE_MTU",
    "no-fastdp": "WEAVE_NO_FASTDP",
    "no-bridged-fastdp": "WEAVE_NO_BRIDGED_FASTDP",
    "http-addr": "WEAVE_HTTP_ADDR",
    "status-addr": "WEAVE_STATUS_ADDR",
}
"""{argument: the variable from which the script makes it}"""
PROXY_SOCKET = "unix:///var/run/weave/weave.sock"
RANGES = frozenset({"ipalloc-range", "ipalloc-default-subnet"})
SECRETS = frozenset({"password", "token"})
PASSED_ON = frozenset({"WEAVE_PASSWORD", "WEAVE_DEBUG", "CHECKPOINT_DISABLE"})
"""Variables that the script hands on to the router's container."""
OTHERS_OF_SCRIPT = frozenset({"EXEC_IMAGE", "WEAVE_HTTP_ADDR", "DOCKER_BRIDGE", "DOCKER_HOST"})
LIMITS = ("Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuShares", "CpuQuota", "CpusetCpus", "PidsLimit")


class Unreadable(Exception):
    """What was read does not tell how the router was launched; the message says what is in the way."""


@dataclass(frozen=True)
class Launch:
    """The launch of one router: what `weave launch` gets to do the same again. Secrets are not in its text."""

    arguments: tuple[str, ...] = field(repr=False)
    """Words of `weave launch`, without the peers."""
    peers: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    image: str
    """What the router's container is made of, with its version."""
    seen: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """The facts of the container that a launch in the same way has to give it again."""

    def within(self, *ranges: str) -> Launch:
        """The same launch with these range arguments instead of its own; none: Weave's default range."""
        kept = [word for name, word in _spelled(self.arguments) if name not in RANGES]
        return replace(self, arguments=(*ranges, *kept))

    @property
    def shown(self) -> str:
        """The words of the launch for a person, without secrets."""
        words = [f"--{name}=…" if name in SECRETS else word for name, word in _spelled(self.arguments)]
        password = ["(with a password)"] if self.environment.get("WEAVE_PASSWORD") else []
        return " ".join(["weave launch", *words, *self.peers, *password])

    def differs(self, other: Launch) -> list[str]:
        """Names of the facts in which the container of another launch is different; secrets are not told."""
        found = [name for name in sorted({*self.seen, *other.seen}) if self.seen.get(name) != other.seen.get(name)]
        return [*found, *(["peers"] if set(self.peers) != set(other.peers) else [])]


def read_launch(container: Mapping[str, Any], image_environment: Iterable[str], targets: Sequence[str]) -> Launch:
    """The launch of a router, from `docker inspect` of its container and the `Targets` of its report.

    `image_environment`: the variables that the image itself has, as NAME=VALUE. Raises Unreadable.
    """
    host = container["HostConfig"]
    _refuse_what_the_script_does_not_make(container)
    given, rest = _split(list(container["Args"] or ()))
    own = _variables(image_environment)
    added = {name: value for name, value in _variables(container["Config"]["Env"]).items() if own.get(name) != value}
    strange = sorted(set(added) - PASSED_ON - OTHERS_OF_SCRIPT)
    if strange:
        raise Unreadable(f"its container has variables that Weave's script does not give it: {', '.join(strange)}")
    exported = {name: added[name] for name in PASSED_ON & set(added)}
    for name, variable in VARIABLES.items():
        if name in given and (name in OPTIONAL or given[name] != MADE_BY_SCRIPT[name]):
            exported[variable] = given[name] or "1"
    organisation, _, repository = str(container["Config"]["Image"]).partition("/")
    name, _, version = repository.partition(":")
    if name != CONTAINER or not version:
        raise Unreadable(f"its image {container['Config']['Image']} is not a release of Weave Net")
    exported |= {"DOCKERHUB_USER": organisation, "WEAVE_VERSION": version}
    if not given["ipalloc-range"]:
        raise Unreadable("it gives no addresses (its --ipalloc-range is empty)")
    words = [f"--ipalloc-range={given['ipalloc-range']}"]
    if given["port"] != MADE_BY_SCRIPT["port"]:
        words.append(f"--port={given['port']}")
    if host["RestartPolicy"].get("Name") in ("", "no"):
        words.append("--no-restart")
    arguments, peers = _read_rest(rest)
    if set(peers) != set(targets):
        peers = list(targets)  # somebody ran `weave connect` or `weave forget` since
    seen = {
        "arguments": [*sorted(given.items()), *arguments],
        "variables": added,
        "restart policy": host["RestartPolicy"].get("Name"),
        "mounts": sorted(host.get("Binds") or ()),
        "image": container["Config"]["Image"],
    }
    return Launch((*words, *arguments), tuple(peers), exported, container["Config"]["Image"], seen)


def _refuse_what_the_script_does_not_make(container: Mapping[str, Any]) -> None:
    host = container["HostConfig"]
    if not (host.get("Privileged") and host.get("NetworkMode") == "host" and host.get("PidMode") == "host"):
        raise Unreadable("its container was not made by Weave's script (privileged, in the host's network and PIDs)")
    limits = [name for name in LIMITS if host.get(name)]
    if limits:
        raise Unreadable(f"its container has limits of its own (WEAVE_DOCKER_ARGS): {', '.join(limits)}")
    if host["RestartPolicy"].get("Name") not in ("", "no", "always"):
        raise Unreadable(f"its container has the restart policy {host['RestartPolicy'].get('Name')}")


def _variables(environment: Iterable[str]) -> dict[str, str]:
    """{name: value}; a name without a value is a variable that whoever launched it had not set."""
    return {name: value for name, given, value in (entry.partition("=") for entry in environment or ()) if given}


def _spelled(words: Iterable[str]) -> list[tuple[str, str]]:
    """(name, word) of arguments that are one word each."""
    return [(word.lstrip("-").partition("=")[0], word) for word in words]


def _take(words: list[str]) -> tuple[str, str | None]:
    """Take the first argument off a list of words: (name, value), the value None for a bare switch."""
    name, equals, value = words.pop(0).lstrip("-").partition("=")
    if equals:
        return name, value
    if name in SWITCHES:
        return name, None
    if not words:
        raise Unreadable(f"its argument --{name} has no value")
    return name, words.pop(0)


def _split(words: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """({argument that the script wrote: value}, the words after them)."""
    given: dict[str, str | None] = {}
    for name, default in MADE_BY_SCRIPT.items():
        if not words or words[0].lstrip("-").partition("=")[0] != name:
            if name in OPTIONAL:
                continue
            raise Unreadable(f"its arguments are not those that Weave's script writes: no --{name} in its place")
        found, value = _take(words)
        if found in ("host-root", "weave-bridge", "datapath") and value != default:
            raise Unreadable(f"its argument --{found} is {value}, and Weave's script makes it {default}")
        given[found] = value
    return given, words


def _read_rest(words: list[str]) -> tuple[list[str], list[str]]:
    """(the owner's arguments, one word each; the peers) of what follows the script's own arguments."""
    kept, words = [], list(words)
    while words and words[0].startswith("-"):
        name, value = _take(words)
        if name.startswith("tls"):
            raise Unreadable("its proxy has TLS, whose files cannot be traced back to the owner's")
        if name == "resume":
            raise Unreadable("it takes its peers from its database (--resume), which a reset removes")
        if (name, value) in (("plugin", None), ("proxy", None), ("H", PROXY_SOCKET)):
            continue  # the script adds these by itself
        if name == "H":
            kept.append(f"-H={value}")
        elif any(character in (value or "") for character in " '\""):
            raise Unreadable(f"its argument --{name} has a blank or a quote, which Weave's script does not keep")
        else:
            kept.append(f"--{name}" if value is None else f"--{name}={value}")
    return kept, words
