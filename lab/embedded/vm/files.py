"""The files that one virtual machine alone has: names, addresses, keys, the configurations of its daemons, its units.

They are written as a tar file, which the machine sees as its second disk and unpacks before its init starts.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.inventory import Inventory, Node
from lab.overlays import adapter

from ..files import consul_configuration, resolv_conf, write_names
from ..keys import make_key
from ..nomad import nomad_configuration
from .image import LENT
from .qemu import SEED

Files = dict[str, tuple[int, bytes]]
"""{path without a slash in front: (mode, content); a link's mode is LINK, and its content where it leads}"""
LINK = 0
UNITS = "etc/systemd/system"
WANTED = f"{UNITS}/multi-user.target.wants"
SYSCTLS = {
    # As on the other nodes of a lab (lab.embedded.prepare); what Docker sets by itself is left to it.
    "net.ipv4.conf.all.rp_filter": 2,
    "net.ipv4.conf.default.rp_filter": 2,
    # What a machine of more than 1 GiB has by itself (the kernel's nf_conntrack-sysctl.rst); at 1 GiB it is 8192, which
    # the sweeps of `suites/no_nat` filled but for 45.
    "net.netfilter.nf_conntrack_max": 65536,
}
MODULES = ("nf_conntrack", "openvswitch")
"""Modules that are loaded at boot: one so that its settings are there when SYSCTLS are set, and one for Weave, whose
program runs in a container and loads none."""
NETWORK = """\
[Match]
MACAddress={mac}
[Network]
Address={address}
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
"""
UNIT = """\
[Unit]
Description={what}
Wants=network-online.target
After=network-online.target {after}
[Service]
{first}ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
SuccessExitStatus=1
Restart=always
RestartSec=1
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
"""


def write_vm(
    state: Path, inventory: Inventory, node: Node, runner_key: str, cables: Sequence[Mapping[str, str]]
) -> str:
    """Write the seed of a machine into its run directory; returns its public SSH host key.

    `cables`: what the lab's plan says of its interfaces, each with `interface`, `mac` and `address` (with prefix).
    """
    folder = state / "nodes" / node.name
    write_names(folder, node.name, inventory)
    host_key = make_key(folder / "ssh_host_key", comment=node.name)
    (folder / SEED).write_bytes(seed(vm_files(folder, inventory, node, runner_key, cables)))
    return host_key


def vm_files(
    folder: Path, inventory: Inventory, node: Node, runner_key: str, cables: Sequence[Mapping[str, str]]
) -> Files:
    """The files of the machine; names and host key are read from its run directory."""
    files: Files = {f"etc/{name}": (0o644, (folder / "etc" / name).read_bytes()) for name in ("hostname", "hosts")}
    files["etc/machine-id"] = (0o444, (folder / "etc" / "machine-id").read_bytes())
    files["etc/resolv.conf"] = _text(resolv_conf(inventory, node))
    files["etc/fstab"] = _text("# The first script mounts the disk; a line here would make systemd wait for it.\n")
    files["etc/ssh/ssh_host_ed25519_key"] = (0o600, (folder / "ssh_host_key").read_bytes())
    files["root/.ssh/authorized_keys"] = (0o600, f"{runner_key}\n".encode())
    files["etc/sysctl.d/90-flatnet.conf"] = _text("".join(f"{key} = {value}\n" for key, value in SYSCTLS.items()))
    files["etc/modules-load.d/flatnet.conf"] = _text("".join(f"{name}\n" for name in MODULES))
    for cable in cables:
        place = f"etc/systemd/network/10-{cable['interface']}.network"
        files[place] = _text(NETWORK.format(mac=cable["mac"], address=cable["address"]))
    files |= packet_filter(adapter(inventory).packet_filter)
    if inventory.consul is not None:
        configuration = json.dumps(consul_configuration(inventory, node), indent=1)
        files |= service(
            "consul", "agent -config-file /etc/consul.d/consul.json", "consul.d/consul.json", configuration
        )
    if inventory.nomad is not None:
        endpoint = adapter(inventory).endpoint(node)
        configuration = json.dumps(nomad_configuration(inventory, node, endpoint), indent=1)
        ready = f"ExecStartPre=/bin/sh -c 'until docker --host {endpoint} version >/dev/null 2>&1; do sleep 1; done'\n"
        files |= service(
            "nomad", "agent -config /etc/nomad.d/nomad.json", "nomad.d/nomad.json", configuration, first=ready
        )
    return files


def service(name: str, arguments: str, place: str, configuration: str, *, first: str = "") -> Files:
    """A daemon that this machine lends: its configuration below /etc, and a unit that starts it at boot."""
    program = f"{LENT}/{name}"
    after = "docker.service" if first else ""
    unit = UNIT.format(what=f"{name.title()} agent", after=after, first=first, command=f"{program} {arguments}")
    return {
        f"etc/{place}": _text(configuration),
        f"{UNITS}/{name}.service": _text(unit),
        f"{WANTED}/{name}.service": (LINK, f"/{UNITS}/{name}.service".encode()),
    }


def packet_filter(back_end: str) -> Files:
    """What makes `iptables` mean a back end, as update-alternatives(1) does; nothing for the release's own default."""
    if not back_end:
        return {}
    return {
        f"etc/alternatives/{name}{suffix}": (LINK, f"/usr/sbin/{name}-{back_end}{suffix}".encode())
        for name in ("iptables", "ip6tables")
        for suffix in ("", "-save", "-restore")
    }


def seed(files: Files) -> bytes:
    """A tar file (ustar) of these files; all belong to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, (mode, content) in files.items():
            member = tarfile.TarInfo(path)
            if mode == LINK:
                member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(content)
                archive.addfile(member)
            else:
                member.mode, member.size = mode, len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _text(content: str) -> tuple[int, bytes]:
    return 0o644, content.encode()
