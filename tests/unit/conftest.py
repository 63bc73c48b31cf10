"""Unit tests share a machine with labs: no example of hypothesis has a deadline. And they send nothing."""

from hypothesis import settings
from scapy.config import conf
from scapy.layers import l2

settings.register_profile("flatnet", deadline=None)
settings.load_profile("flatnet")


class NoNeighbours(l2.Neighbor):
    """Nobody is asked for the MAC of an address.

    To build a frame that names none, scapy would ask by ARP or neighbour solicitation, on this machine's own network.
    """

    def resolve(self, _: object, __: object) -> str:
        """Everybody's MAC."""
        return "ff:ff:ff:ff:ff:ff"


conf.neighbor = NoNeighbours()
