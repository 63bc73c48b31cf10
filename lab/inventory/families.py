"""Address families: which of them an overlay has, and the IPv6 networks of its subnets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator

IPNetwork = IPv4Network | IPv6Network


class Family(IntEnum):
    """An address family, by its version."""

    V4 = 4
    V6 = 6

    def __str__(self) -> str:
        return f"IPv{self.value}"

    @property
    def mark(self) -> str:
        """How ids of tests end where both families are tested: `v4`, `v6`."""
        return f"v{self.value}"

    @property
    def over(self) -> str:
        """` over IPv6`, as findings of it say; empty for IPv4."""
        return f" over {self}" if self is Family.V6 else ""


def family_of(address: str) -> Family:
    """The family of an address that is written as text."""
    return Family.V6 if ":" in address else Family.V4


def refuse_number(example: str) -> Callable[[object], object]:
    """Refuses what YAML reads as a number or a truth value: ipaddress would accept it as an address."""

    def refuse(value: object) -> object:
        if isinstance(value, int):
            raise ValueError(f"write an address as text, such as {example}")
        return value

    return refuse


Network6 = Annotated[IPv6Network, BeforeValidator(refuse_number("fd00:10:32::/64"))]


def insist_on_networks(subnets: Iterable[str], networks: Mapping[str, IPv6Network]) -> None:
    """Raise ValueError, one line, unless every subnet has an IPv6 network of its own, or none has one."""
    names = list(subnets)
    for name in networks:
        if name not in names:
            raise ValueError(f"overlay.subnets6.{name}: is not a subnet; overlay.subnets has: {', '.join(names)}")
    missing = [name for name in names if networks and name not in networks]
    if missing:
        raise ValueError(
            f"overlay.subnets6.{missing[0]}: is missing; write the IPv6 network of every subnet, or leave subnets6 out"
        )
    pairs = list(networks.items())
    for index, (name, network) in enumerate(pairs):
        if network.is_link_local or network.is_multicast:
            raise ValueError(f"overlay.subnets6.{name}: {network} is link-local or multicast; choose another")
        for other, taken in pairs[:index]:
            if network.overlaps(taken):
                raise ValueError(
                    f"overlay.subnets6.{name}: {network} overlaps overlay.subnets6.{other} {taken}; keep them apart"
                )
