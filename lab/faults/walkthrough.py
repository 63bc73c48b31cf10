"""Faults of the reference set-up: Weave's peers do not find each other."""

from __future__ import annotations

from lab.overlays.weave import WeaveProxy

from .model import Action, Fault, Site

PORTS = "6783-6784"
"""Weave's control port (TCP) and its data ports (UDP) (Weave Net documentation: Installing Weave Net)."""
API = "127.0.0.1:6784"
CHANGE_S = 80
_WAIT = """\
import json, sys, time, urllib.parse, urllib.request
api, peer, wanted, patience = sys.argv[1], sys.argv[2], sys.argv[3] == "established", float(sys.argv[4])
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
if wanted:
    direct.open(f"http://{api}/connect", urllib.parse.urlencode({"peer": peer}).encode(), timeout=10).close()
until = time.monotonic() + patience
while True:
    question = urllib.request.Request(f"http://{api}/report", headers={"Accept": "application/json"})
    router = json.load(direct.open(question, timeout=10))["Router"]
    found = router["Connections"] or ()  # null while there is none
    states = [each["State"] for each in found if each["Address"].split(":")[0] == peer]
    if ("established" in states) == wanted:
        break
    if time.monotonic() > until:
        sys.exit(f"Weave: the connection to {peer} is {' and '.join(states) or 'unknown'} after {patience:g} s")
    time.sleep(0.1)
"""
"""Waits until a router's connection to a peer is established, or is not any more."""


def _no_connection(site: Site) -> list[Action]:
    """Two nodes drop each other's packets for Weave, and reset the connection that there is."""
    peer = site.others[-1].address
    api = str(site.inventory.overlay.options.get("api", API))

    def wait(state: str) -> str:
        return f"python3 - {api} {peer} {state} {CHANGE_S} <<'PROGRAM'\n{_WAIT}PROGRAM"

    from_peer, to_peer = f"ip saddr {peer}", f"ip daddr {peer}"
    chains = "\n".join(
        f"chain {name} {{ type filter hook {name} priority filter - 10;\n"
        f"{match} tcp dport {PORTS} reject with tcp reset\n{match} tcp sport {PORTS} reject with tcp reset\n"
        f"{match} udp dport {PORTS} drop\n}}"
        for name, match in (("input", from_peer), ("output", to_peer))
    )
    # Undone in reverse: the rules go first, then the router is told to try again at once.
    waits = Action(site.node.name, "true", wait("established"))
    return [waits, site.table(chains), Action(site.node.name, wait("broken"), "true")]


FAULTS = (
    Fault(
        "weave-peers-kept-apart",
        "A firewall between two nodes closes Weave's ports, so that the peers do not connect.",
        "https://github.com/weaveworks/weave/issues/479",
        _no_connection,
        must_fail=("CP-1", "WALK-1"),
        may_fail=("NET-1", "ISO-2", "NET-7", "HOST-2"),
        blames=("{node}", "peer|connect|sees"),
        overlays=(WeaveProxy.name,),
    ),
)
