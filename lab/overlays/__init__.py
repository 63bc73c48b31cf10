"""The adapters, one for each kind of overlay, by name."""

from __future__ import annotations

from lab.inventory import Inventory

from ..errors import UsageError
from .base import Capabilities, Link, Overlay, Peer
from .docker import Docker
from .evpn import Evpn
from .routed import Routed
from .swarm import Swarm
from .vxlan import Vxlan
from .weave import WeavePlugin, WeaveProxy
from .wireguard import Wireguard

_ALL: tuple[type[Overlay], ...] = (Vxlan, Swarm, WeavePlugin, WeaveProxy, Docker, Routed, Wireguard, Evpn)
OVERLAYS: dict[str, type[Overlay]] = {kind.name: kind for kind in _ALL}
IN_LABS: dict[str, type[Overlay]] = {name: kind for name, kind in OVERLAYS.items() if kind.made_by_labs}
"""Those that an embedded lab can have."""

DUAL_STACK = frozenset(name for name, kind in OVERLAYS.items() if kind.dual_stack)
"""Those whose subnets can have IPv6 networks."""

__all__ = ["DUAL_STACK", "IN_LABS", "OVERLAYS", "Capabilities", "Link", "Overlay", "Peer", "adapter"]


def adapter(inventory: Inventory) -> Overlay:
    """The adapter of the inventory's overlay. Raises UsageError for an unknown name, and for wrong options."""
    name = inventory.overlay.name
    if name not in OVERLAYS:
        raise UsageError(f"overlay.name: {name!r} is unknown; there are: {', '.join(sorted(OVERLAYS))}")
    return OVERLAYS[name](inventory)
