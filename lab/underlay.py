"""Names on the lab's underlay. The supervisor's process imports this module, so it imports nothing itself."""


def switch_port(node: str) -> str:
    """Name of the interface at the switch that node `node` is plugged into."""
    return f"port-{node}"
