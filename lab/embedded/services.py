"""The files of a node that depend on where it has its programs: users, service scripts, packet filter, runtime.

They are written when a lab is made, and again when a node gets another root file system.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.inventory import Inventory, Node
from lab.overlays import adapter

from . import foreign
from .acl import ask_consul
from .foreign import CA, CERTIFICATE, KEY
from .node import SERVICES
from .preflight import missing_capabilities
from .userland import Userland

SSHD = "/usr/sbin/sshd -D -e -f /etc/flatnet/{file}"
WRITTEN_FOR = "userland"
"""The file that says of which userland the services of a node are; there is none while they are being written."""
OPERATORS = (foreign.OPERATOR, foreign.DOCKHAND)
"""The users of a foreign lab's nodes."""


def write_services(folder: Path, inventory: Inventory, node: Node, userland: Userland, *, others: bool) -> None:
    """Write these files of a node into its run directory `folder`, over those of another userland.

    `others`: it is a node of a foreign lab, which has users of its own.
    """
    (folder / WRITTEN_FOR).unlink(missing_ok=True)
    etc = folder / "etc"
    overlay = adapter(inventory)
    write_users(etc, userland, OPERATORS if others else (), docker=[foreign.DOCKHAND] if others else ())
    own = "sshd" if not others else "lab-sshd"  # in a foreign lab, `sshd` is for its operators
    write_service(etc, userland, own, SSHD.format(file=f"{own}_config"))
    if others:
        homes = [f"install -d -o {user.name} -g {user.name} -m 700 {user.home}" for user in OPERATORS]
        first = ["mkdir -p /var/home", *homes]
        write_service(etc, userland, "sshd", SSHD.format(file="sshd_config"), first=first)
    _docker(folder, userland, tls=others, dual_stack=bool(inventory.overlay.subnets6))
    if overlay.packet_filter:
        _packet_filter(folder / "bin", overlay.packet_filter, userland)
    write_service(etc, userland, "docker", "dockerd --config-file /run/flatnet/docker.json")
    if inventory.consul is not None:
        write_service(etc, userland, "consul", "consul agent -config-file /run/flatnet/consul.json")
    if inventory.nomad is not None:
        # Nomad's Docker driver looks for the engine when it starts, and after that only every 30 s.
        after = [["docker", "--host", overlay.endpoint(node), "version"]]
        if others and inventory.consul is not None:
            after.append(ask_consul(inventory.consul, userland.program("consul")))
        write_service(etc, userland, "nomad", "nomad agent -config /run/flatnet/nomad.json", after=after)
    (folder / WRITTEN_FOR).write_text(str(userland.tree), encoding="utf-8")


def written_for(folder: Path, userland: Userland) -> bool:
    """Whether `write_services` wrote all files of the node with this run directory for that userland."""
    try:
        return (folder / WRITTEN_FOR).read_text(encoding="utf-8") == str(userland.tree)
    except FileNotFoundError:
        return False


def write_users(
    etc: Path, userland: Userland, users: Sequence[foreign.User] = (), *, docker: Sequence[foreign.User] = ()
) -> None:
    """Write passwd with these users beside the userland's own; where there are any, also group."""
    (etc / "passwd").write_text(foreign.add_users(_passwd(userland.read("/etc/passwd")), users), encoding="utf-8")
    if users:
        (etc / "group").write_text(foreign.add_groups(userland.read("/etc/group"), users, docker), encoding="utf-8")


def _passwd(lines: str) -> str:
    """The users of a userland; root gets /bin/sh, which reads none of a person's start-up files."""
    others = [line for line in lines.splitlines() if not line.startswith("root:")]
    return "\n".join(["root:x:0:0:root:/root:/bin/sh", *others]) + "\n"


def write_service(
    etc: Path,
    userland: Userland,
    name: str,
    command: str,
    *,
    first: Sequence[str] = (),
    after: Sequence[Sequence[str]] = (),
) -> None:
    """Write the run script of a service that runsvdir keeps running.

    It begins with the lines of `first`, and waits until each command of `after` succeeds.
    """
    program, *rest = shlex.split(command)
    path = userland.program(program)
    script = etc.parent / "etc" / SERVICES.removeprefix("/etc/") / name / "run"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        f"#!/bin/sh\nexec >>/run/flatnet/log/{name}.log 2>&1\n"
        f"export PATH={shlex.quote(_service_path(path))}\n"
        + "".join(f"{line}\n" for line in first)
        + "".join(f"until {shlex.join(words)} >/dev/null 2>&1; do sleep 0.1; done\n" for words in after)
        + f"exec {shlex.join([path, *rest])}\n",
        encoding="utf-8",
    )
    script.chmod(0o755)


def _service_path(program: str) -> str:
    places = [
        "/run/flatnet/bin",
        str(Path(program).parent),
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    return ":".join(dict.fromkeys(places))


def _packet_filter(folder: Path, back_end: str, userland: Userland) -> None:
    """Make `iptables` mean that back end for the node's services, whatever the userland's default is."""
    folder.mkdir(exist_ok=True)
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            link = folder / f"{name}{suffix}"
            link.unlink(missing_ok=True)
            program = userland.find_program(f"{name}-{back_end}{suffix}")
            if program is not None:
                link.symlink_to(program)


def _docker(folder: Path, userland: Userland, *, tls: bool, dual_stack: bool) -> None:
    configuration: dict[str, Any] = {
        "hosts": ["unix:///run/docker.sock"],
        "exec-root": "/run/docker",
        "pidfile": "/run/docker.pid",
        "storage-driver": "overlay2",
        "log-level": "warn",
        "shutdown-timeout": 2,
    }
    if dual_stack:
        # Engines before 27 keep networks apart for IPv4 only, unless they are told to (their release notes).
        configuration |= {"experimental": True, "ip6tables": True}
    if tls:
        configuration["hosts"].append(f"tcp://0.0.0.0:{foreign.ENGINE_PORT}")
        place = "/run/flatnet/tls/docker"
        configuration |= {"tlsverify": True, "tlscacert": f"{place}/{CA}"}
        configuration |= {"tlscert": f"{place}/{CERTIFICATE}", "tlskey": f"{place}/{KEY}"}
    missing = missing_capabilities()
    if missing:
        shim = folder / "runc-shim"
        shim.write_text(runtime_shim(missing, userland.program("runc")), encoding="utf-8")
        shim.chmod(0o755)
        configuration["runtimes"] = {"bounded": {"path": "/run/flatnet/runc-shim"}}
        configuration["default-runtime"] = "bounded"
    (folder / "docker.json").write_text(json.dumps(configuration, indent=1), encoding="utf-8")


def runtime_shim(missing: tuple[str, ...], runc: str) -> str:
    """A wrapper around runc that removes capabilities which this machine cannot grant from a bundle's config."""
    edits = "".join(f's/,"{name}"//g;s/"{name}",//g;s/"{name}"//g;' for name in missing)
    return f"""#!/bin/sh
# runc refuses capabilities outside its bounding set; --privileged asks for all of them.
bundle=.
create=
process=
previous=
for word in "$@"; do
    case "$previous" in --bundle|-b) bundle=$word ;; --process|-p) process=$word ;; esac
    case "$word" in create|run|restore) create=yes ;; esac
    previous=$word
done
[ -z "$create" ] || sed -i '{edits}' "$bundle/config.json"
[ -z "$process" ] || sed -i '{edits}' "$process" # what `docker exec` runs
exec {runc} "$@"
"""
