"""The inventory of a cluster: its model, and how cluster files are read and written."""

from .families import Family, IPNetwork, family_of
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
    "Family",
    "IPNetwork",
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
    "family_of",
    "load",
]
