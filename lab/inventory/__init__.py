"""The inventory of a cluster: its model, and how cluster files are read and written."""

from .model import (
    Address,
    Commands,
    Consul,
    Inventory,
    Network,
    Node,
    Nomad,
    Overlay,
    Power,
    Runner,
    Service,
    Ssh,
    Tls,
    dump,
    load,
)

__all__ = [
    "Address",
    "Commands",
    "Consul",
    "Inventory",
    "Network",
    "Node",
    "Nomad",
    "Overlay",
    "Power",
    "Runner",
    "Service",
    "Ssh",
    "Tls",
    "dump",
    "load",
]
