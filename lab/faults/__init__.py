"""Faults that the embedded lab can be given, and healed of."""

from __future__ import annotations

from .library import FAULTS
from .model import Fault, Site, choose, heal, inject, injected

__all__ = ["FAULTS", "Fault", "Site", "choose", "heal", "inject", "injected"]
