"""Names on the lab's underlay. The supervisor's process imports this module, so it imports nothing itself."""

LAN = "lan"
"""The bridge of the underlay at the switch."""


def switch_port(node: str) -> str:
    """Name of the interface at the switch that node `node` is plugged into."""
    return f"port-{node}"


def port_of(node: str, bridge: str) -> str:
    """Name of the interface at the switch by which a machine is plugged into a bridge."""
    return switch_port(node) if bridge == LAN else f"{bridge}-{node}"
