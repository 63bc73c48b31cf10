"""Overlay adapters by name."""

from __future__ import annotations

from ..errors import UsageError
from ..inventory import Inventory
from .base import Capabilities, Overlay, Peer
from .vxlan import Vxlan

OVERLAYS: dict[str, type[Overlay]] = {Vxlan.name: Vxlan}

__all__ = ["OVERLAYS", "Capabilities", "Overlay", "Peer", "adapter"]


def adapter(inventory: Inventory) -> Overlay:
    """The adapter of the inventory's overlay. Raises UsageError for an unknown name."""
    name = inventory.overlay.name
    if name not in OVERLAYS:
        raise UsageError(f"overlay.name: {name!r} is unknown; there are: {', '.join(sorted(OVERLAYS))}")
    return OVERLAYS[name](inventory)
