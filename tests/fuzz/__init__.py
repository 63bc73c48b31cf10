"""Bad input for everything that reads what others wrote: `python -m tests.fuzz`."""

from . import agents, files, nodes, services
from .surface import Surface

SURFACES: dict[str, Surface] = {
    surface.name: surface for kind in (files, services, agents, nodes) for surface in kind.surfaces()
}
"""All surfaces, by name."""
