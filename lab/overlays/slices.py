"""Each node's own part of a subnet, from which its engine hands out addresses. Pure."""

from __future__ import annotations

import math
from ipaddress import IPv4Network

from ..errors import LabError

LONGEST_PREFIX = 29
"""The smallest part that still has room for a gateway and a few containers: 6 addresses."""


def slice_of(subnet: str, whole: IPv4Network, index: int, nodes: int) -> IPv4Network:
    """The part of `whole` from which node `index` of so many allocates; the first part is for the nodes themselves.

    Raises LabError when the subnet is too small for the nodes.
    """
    prefix_bits = math.ceil(math.log2(nodes + 1))
    if whole.prefixlen + prefix_bits > LONGEST_PREFIX:
        raise LabError(f"overlay.subnets.{subnet}: {whole} is too small for {nodes} nodes; widen it")
    return list(whole.subnets(prefixlen_diff=prefix_bits))[index + 1]
