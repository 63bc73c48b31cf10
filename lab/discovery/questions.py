"""What a node is asked, and its answers as records. Everything here reads only; parsing is pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Any

SCRIPT = """\
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
echo "hostname=$(uname -n)"
echo "ssh=$SSH_CONNECTION"
echo "uid=$(id -u)"
echo "user=$(id -un)"
echo "groups=$(id -Gn)"
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
if sudo -n true >/dev/null; then echo sudo=yes; fi
fi
echo "python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
echo "addresses=$(ip -json -4 address show)"
echo "links=$(ip -json -details link show)"
echo "routes=$(ip -json -4 route show)"
if command -v wg >/dev/null; then echo "wireguard=$(wg show interfaces)"; fi
if command -v bridge >/dev/null; then echo "fdb=$(bridge -json fdb show)"; fi
if command -v systemctl >/dev/null; then
for unit in docker consul nomad; do echo "unit=$unit $(systemctl show -p LoadState "$unit")"; done
fi
for place in /proc/[0-9]*; do
if [ -r "$place/comm" ] && read -r name <"$place/comm"; then
if [ "$name" = runsvdir ]; then echo "runit=$(tr '\\0' ' ' <"$place/cmdline")"; fi
if [ "$name" = bgpd ]; then echo bgpd=yes; fi
fi
done
if [ -S /var/run/weave/weave.sock ]; then echo weave_proxy=yes; fi
if [ -S /var/run/docker.sock ]; then echo socket=yes; fi
if command -v ss >/dev/null; then ss -Hlntup | sed 's/^/listening=/'; fi
echo end=yes
"""
"""For the node's shell, of any user: prints `key=value` lines; some keys more than once."""

ASK_HTTP = """\
import json, ssl, sys, urllib.error, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
found = {}
for url in sys.argv[1:]:
    try:
        with direct.open(url, timeout=3) as answer:
            found[url] = [answer.status, answer.read().decode("utf-8", "replace")]
    except urllib.error.HTTPError as error:
        found[url] = [error.code, error.read(200).decode("utf-8", "replace")]
    except ssl.SSLError as error:
        found[url] = [0, "TLS"]
    except urllib.error.URLError as error:
        found[url] = [0, "TLS" if isinstance(error.reason, ssl.SSLError) else str(error.reason)]
    except (OSError, ValueError) as error:
        found[url] = [0, str(error)]
print(json.dumps(found))
"""
"""argv: URLs. Prints {URL: [status, body]}; status 0: no answer, but its reason, `TLS` if the server is not trusted."""


@dataclass(frozen=True)
class Host:
    """What a node's own shell says of it."""

    hostname: str
    reached_at: str
    """The address at which its sshd was reached; empty where it does not say."""
    uid: int | None
    user: str
    groups: frozenset[str]
    sudo: bool
    """`sudo -n` works."""
    python: str
    addresses: Mapping[str, tuple[IPv4Interface, ...]]
    """{interface: its IPv4 addresses}"""
    links: tuple[Mapping[str, Any], ...]
    """As `ip -json -details link` lists them; empty without a recent iproute2."""
    flooded: Mapping[str, frozenset[str]]
    """{tunnel: addresses in its flood list}"""
    units: frozenset[str]
    """systemd units that there are, of docker, consul and nomad."""
    systemd: bool
    runit: str | None
    """The folder that runsvdir watches."""
    weave_proxy: bool
    socket: bool
    """There is /var/run/docker.sock."""
    listening: tuple[tuple[str, str, int], ...]
    """(program, address, port) of every listening socket; the program is empty for other users' ones."""
    routes: tuple[Mapping[str, Any], ...] = ()
    """As `ip -json route` lists them; empty without a recent iproute2."""
    wireguard: frozenset[str] = frozenset()
    """Names of the WireGuard interfaces."""
    bgpd: bool = False
    """FRR's bgpd runs."""

    def interface_of(self, address: str) -> tuple[str, IPv4Interface] | None:
        """The interface that has the address, and the address with its prefix."""
        for name, addresses in self.addresses.items():
            for one in addresses:
                if str(one.ip) == address:
                    return name, one
        return None

    def ports_of(self, program: str) -> list[int]:
        """The ports on which a program listens, sorted."""
        return sorted({port for name, _, port in self.listening if name == program})


@dataclass(frozen=True)
class Engine:
    """What a node's Docker engine says."""

    info: Mapping[str, Any]
    version: Mapping[str, Any]
    networks: tuple[Mapping[str, Any], ...]
    members: tuple[Mapping[str, Any], ...] = ()
    """The nodes of its swarm, which only a manager lists."""


@dataclass(frozen=True)
class Survey:
    """One node's answers to everything; what did not answer has its reason in `errors`."""

    name: str
    address: str
    """The address that was dialled, or that others know it by."""
    become: str = "none"
    host: Host | None = None
    engine: Engine | None = None
    http: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """{URL: (status, body)} of Consul, Nomad and Weave, as a process on the node asked them"""
    from_runner: frozenset[int] | None = None
    """Those ports of its Consul and Nomad that the runner reaches at `address`; None: not tried."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """{`node`, `docker`, `http`: why it did not answer}"""


def read_host(output: str) -> Host:
    """The record of what SCRIPT printed. Raises ValueError when it did not come to its end."""
    if "end=yes" not in output.splitlines():
        raise ValueError("the answer of its shell was cut off")
    said: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            said.setdefault(key, []).append(value)
    first = {key: values[0] for key, values in said.items()}
    units = [words for value in said.get("unit", ()) if len(words := value.split()) == 2]
    return Host(
        hostname=first.get("hostname", ""),
        reached_at=(first.get("ssh", "").split() + [""] * 3)[2],
        uid=int(first["uid"]) if first.get("uid", "").isdigit() else None,
        user=first.get("user", ""),
        groups=frozenset(first.get("groups", "").split()),
        sudo=first.get("sudo") == "yes",
        python=first.get("python", ""),
        addresses=_addresses(_rows(first.get("addresses", ""))),
        links=tuple(_rows(first.get("links", ""))),
        flooded=_flooded(_rows(first.get("fdb", ""))),
        units=frozenset(words[0] for words in units if words[1] == "LoadState=loaded"),
        systemd=bool(units),
        runit=_runit(first.get("runit", "")),
        weave_proxy=first.get("weave_proxy") == "yes",
        socket=first.get("socket") == "yes",
        routes=tuple(_rows(first.get("routes", ""))),
        wireguard=frozenset(first.get("wireguard", "").split()),
        bgpd=first.get("bgpd") == "yes",
        listening=tuple(found for line in said.get("listening", ()) if (found := _listening(line)) is not None),
    )


def _rows(text: str) -> list[dict[str, Any]]:
    """The objects of a JSON list; none where the program printed something else (an older iproute2)."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return []
    return [row for row in parsed if isinstance(row, dict) and row] if isinstance(parsed, list) else []


def _addresses(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[IPv4Interface, ...]]:
    return {
        str(row["ifname"]): tuple(
            IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
            for entry in row.get("addr_info", ())
            if entry.get("family", "inet") == "inet" and "local" in entry
        )
        for row in rows
        if "ifname" in row
    }


def _flooded(rows: Sequence[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.get("mac") == "00:00:00:00:00:00" and "dst" in row:
            found.setdefault(str(row.get("ifname")), set()).add(str(row["dst"]))
    return {name: frozenset(addresses) for name, addresses in found.items()}


def _runit(command: str) -> str | None:
    """The folder in the command line of runsvdir: its first word that is an absolute path."""
    return next((word for word in command.split()[1:] if word.startswith("/")), None)


def _listening(line: str) -> tuple[str, str, int] | None:
    """A line of `ss -Hlntup`: Netid State Recv-Q Send-Q Local:Port Peer:Port users:(("name",pid=1,fd=3))."""
    words = line.split()
    if len(words) < 6:
        return None
    address, _, port = words[4].rpartition(":")
    program = re.search(r'users:\(\("([^"]+)"', line)
    if not port.isdigit():
        return None
    return (program[1] if program else "", address.partition("%")[0].strip("[]"), int(port))


def read_http(output: str) -> dict[str, tuple[int, str]]:
    """{URL: (status, body)} of what ASK_HTTP printed. Raises ValueError when it is something else."""
    return {url: (int(status), str(body)) for url, (status, body) in json.loads(output).items()}


def parsed(answer: tuple[int, str] | None) -> Any:
    """The JSON of an answer with status 200; None for every other."""
    if answer is None or answer[0] != 200:
        return None
    try:
        return json.loads(answer[1])
    except ValueError:
        return None
