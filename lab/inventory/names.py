"""Who tells the names of containers: Consul, or the DNS that Docker has in its own networks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

NameSource = Literal["consul", "docker"]


def _as_sequence(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[NameSource, ...], BeforeValidator(_as_sequence), Field(min_length=1)]
"""`consul`, `docker`, or a list of both."""


def insist_on_sources(names: Collection[NameSource] | None, *, consul: bool) -> None:
    """Raise ValueError, one line, when names are told by a source that the file does not describe, or twice by one."""
    if names is None:
        return
    if "consul" in names and not consul:
        raise ValueError("dns: consul needs a section `consul`; write it, or leave consul out of dns")
    if len(set(names)) < len(names):
        raise ValueError(f"dns: {', '.join(names)}: a source is named twice; name each once")
