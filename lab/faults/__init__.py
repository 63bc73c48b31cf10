"""Real faults that can be injected into a lab, and healed."""

from __future__ import annotations

from . import (
    benign,
    change,
    control_plane,
    dns,
    existing,
    expose,
    isolation,
    link,
    no_nat,
    no_nat_ipv6,
    path,
    path_ipv6,
    resilience,
    walkthrough,
    workloads,
)
from .model import Fault, Site, Where
from .register import Injected, choose, heal, inject, injected

_ALL = (
    *no_nat.FAULTS,
    *no_nat_ipv6.FAULTS,
    *path.FAULTS,
    *path_ipv6.FAULTS,
    *expose.FAULTS,
    *isolation.FAULTS,
    *link.FAULTS,
    *dns.FAULTS,
    *control_plane.FAULTS,
    *workloads.FAULTS,
    *resilience.FAULTS,
    *walkthrough.FAULTS,
    *existing.FAULTS,
    *change.FAULTS,
    *benign.FAULTS,
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}

__all__ = ["FAULTS", "Fault", "Injected", "Site", "Where", "choose", "heal", "inject", "injected"]
