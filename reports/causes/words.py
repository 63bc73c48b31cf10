"""A draft in words: the sentence, the evidence, what speaks against it, and the command that shows it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from reports.edges import DELIVERED, Findings

from .covering import Group
from .drafting import Draft
from .families import Family
from .model import Cause, Certainty
from .observing import Observation, Trouble
from .patterns import known_issue
from .sent import ANY, Place, Scope

VERBS = {
    Trouble.DROPPED: "drops",
    Trouble.THINNED: "loses a part of",
    Trouble.LATE: "delays",
    Trouble.REWRITTEN: "rewrites",
    Trouble.REDIRECTED: "redirects",
    Trouble.LEAKED: "lets pass",
    Trouble.DETOUR: "routes once more",
    Trouble.ALTERED: "alters",
    Trouble.UNREPORTED: "does not report",
}
PASSIVE = {
    Trouble.DROPPED: "are lost",
    Trouble.THINNED: "are lost in part",
    Trouble.LATE: "arrive late",
    Trouble.REWRITTEN: "are rewritten",
    Trouble.REDIRECTED: "are redirected",
    Trouble.LEAKED: "get through, though they must not",
    Trouble.DETOUR: "pass a router too many",
    Trouble.ALTERED: "are altered",
    Trouble.UNREPORTED: "are lost with no error to the sender",
}
LONGEST_RULE, LONGEST_LINE = 160, 240
"""Characters."""
_BECAME = re.compile(r"\b(?:source|destination|source port|destination port|ICMP id) \S+ became [^\s,;]+")
_TRANSPORTS = ("icmp", "tcp", "udp")


def put_into_words(draft: Draft, findings: Findings) -> Cause:
    """The cause that a draft is."""
    groups = [*draft.groups, *(group for other in draft.absorbed for group in other.groups)]
    lead = draft.lead
    stated = bool(draft.statements)
    text = _statement_text(draft) if lead is None else _group_text(draft, lead)
    tests = [findings.tests[number] for number in sorted(draft.tests)]
    failed = [test for test in tests if test.result.outcome == "failed"]
    certainty: Certainty = "seen" if draft.rule or (stated and draft.node) else "inferred"
    if not draft.node and not draft.rule:
        certainty = "guess"
    if lead is not None and not draft.rule and not draft.last and not draft.changed and not draft.node:
        certainty = "guess"
    requirements = dict.fromkeys(name for test in failed or tests for name in test.result.requirements)
    return Cause(
        text=text,
        certainty=certainty,
        node=draft.node,
        peer=draft.peer,
        place=str(lead.place) if lead else "",
        what=_what(lead) if lead else str(draft.family),
        how=str(lead.trouble) if lead else "",
        hop=draft.changed or draft.last,
        rule=draft.rule or next((other.rule for other in draft.absorbed if other.rule), "") or _entry(draft),
        requirements=tuple(requirements),
        tests=tuple(test.result.nodeid for test in failed),
        unproved=len(tests) - len(failed),
        evidence=tuple(_evidence(draft, groups)),
        against=tuple(_against(draft, lead)) if lead else (),
        command=_command(draft, lead),
        issue=known_issue(draft),
    )


def _group_text(draft: Draft, lead: Group) -> str:
    what, where = _what(lead), _way(lead, draft.node if draft.rule else "")
    changes = _changes(lead)
    rule = f", by `{_cut(draft.rule, LONGEST_RULE)}`" if draft.rule else ""
    if draft.rule:
        who = draft.node or f"every node ({draft.also + 1} of them)" if draft.also or draft.node else "a node"
        verb = VERBS[lead.trouble]
        verb = "rejects" if lead.trouble is Trouble.DROPPED and "reject" in draft.rule.lower() else verb
        object_ = f"{what} {where}" if lead.trouble is not Trouble.LEAKED else f"{what} pass {where}"
        verb = "lets" if lead.trouble is Trouble.LEAKED else verb
        text = f"{who} {verb} {object_}{changes}{rule}"
    else:
        text = f"{what} {where} {PASSIVE[lead.trouble]}{changes}"
    if draft.changed:
        text += f"; first seen changed on {draft.changed}"
    elif draft.last:
        after = f", {draft.missed} never saw it" if draft.missed else ""
        text += f"; last seen on {draft.last}{after}"
    elif draft.missed:
        text += f"; {draft.missed} would have been the first to see it"
    elif lead.trouble is Trouble.LEAKED and (crossed := _crossed(lead)):
        text += f"; seen on {crossed}"
    stated = [statement.accusation.line for statement in draft.statements]
    stated += [line for other in draft.absorbed if other.family is Family.SETTING for line in _lines(other)]
    return f"{text} ({_cut(stated[0], LONGEST_LINE)})" if stated else text


def _statement_text(draft: Draft) -> str:
    line = _cut(_lines(draft)[0], LONGEST_LINE)
    other = next((other for other in draft.absorbed if other.groups), None)
    if other is None:
        return line
    first = other.groups[0]
    rule = f", by `{_cut(other.rule, LONGEST_RULE)}`" if other.rule and other.rule not in line else ""
    return f"{line}; so {_what(first)} {_way(first)} {PASSIVE[first.trouble]}{rule}"


def _lines(draft: Draft) -> list[str]:
    return [statement.accusation.line for statement in draft.statements]


def _way(group: Group, subject: str = "") -> str:
    """The place of a group; with its direction where probes of one direction alone show that the other works."""
    failed = {(one.source.node, one.destination.node) for one in group.failed if _one_way(one)}
    passed = {(one.source.node, one.destination.node) for one in group.passed if _one_way(one)}
    if group.place.kind == "between" and len(failed) == 1 and passed == {(there, here) for here, there in failed}:
        here, there = failed.pop()
        return f"from {here} to {there} (the other way works)"
    return _place(group.place, subject)


def _one_way(one: Observation) -> bool:
    return one.edge.expected == DELIVERED and one.sent.kind in ("frame", "stream")


def _place(place: Place, subject: str = "") -> str:
    """The place in words; `subject`: the node that the sentence begins with, which is not named again."""
    if place.names == (subject,):
        return str(Place(place.kind, ("it",))).replace("the node it itself", "itself").replace("inside it", "inside")
    return str(place)


def _what(group: Group) -> str:
    if group.scope != ANY:
        return _scope(group)
    kinds = {(one.sent.transport, one.sent.port, one.sent.kind) for one in group.failed}
    if len(kinds) == 1 and (only := group.failed[0].sent).port:
        return f"packets to {only.transport} {only.port}"
    transports = {one.sent.transport for one in group.failed}
    if transports >= set(_TRANSPORTS):
        return "packets"
    return " and ".join(sorted(transports)) + " packets"


def _scope(group: Group) -> str:
    scope: Scope = group.scope
    if scope.kind == "big":
        return f"packets of {min(one.sent.size for one in group.failed if one.sent.size)} bytes and more"
    if scope.kind == "transport":
        return f"{scope.value} packets"
    return str(scope)


def _changes(group: Group) -> str:
    found = Counter(match for one in group.failed for match in _BECAME.findall(one.edge.clue.detail))
    return f" ({found.most_common(1)[0][0]})" if found else ""


def _crossed(group: Group) -> str:
    hops = Counter(one.edge.clue.crossed for one in group.failed if one.edge.clue.crossed)
    return ", ".join(hops.most_common(1)[0][0]) if hops else ""


def _entry(draft: Draft) -> str:
    """The route, rule or entry that a reason quotes."""
    for line in _lines(draft) + [line for other in draft.absorbed for line in _lines(other)]:
        quoted = re.search(r"`([^`]+)`", line)
        if quoted:
            return quoted[1]
    return ""


def _evidence(draft: Draft, groups: Sequence[Group]) -> list[str]:
    lines = []
    for group in groups[:3]:
        example = _example(group)
        lines.append(f"{_edges(len(group.failed))} {group.trouble}: {group.scope} {group.place}; such as {example}")
    for other in (draft, *draft.absorbed):
        lines += [f"{one.requirement}: {_cut(one.accusation.line, LONGEST_LINE)}" for one in other.statements[:2]]
    return list(dict.fromkeys(lines))[:6]


def _edges(count: int) -> str:
    return f"{count} edge{'s' if count != 1 else ''}"


def _example(group: Group) -> str:
    one = _clearest(group.failed)
    detail = f": {_cut(one.edge.clue.detail, LONGEST_LINE)}" if one.edge.clue.detail else ""
    return f"{one.edge.source} → {one.edge.destination} {one.edge.what}{detail}"


def _clearest(failed: Sequence[Observation]) -> Observation:
    return next((one for one in failed if one.edge.clue.last or one.edge.clue.changed), failed[0])


def _against(draft: Draft, lead: Group) -> list[str]:
    lines = []
    if lead.passed:
        lines.append(f"{_edges(len(lead.passed))} of the same place and kind were as expected")
    rivals: Mapping[str, int] = _rival_words(lead)
    for words, passed in sorted(rivals.items(), key=lambda found: found[1])[:2]:
        lines.append(f"were it {words}, {passed} more edges would have failed that did not")
    return lines


def _rival_words(lead: Group) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, scope, _, passed in lead.rivals:
        more = passed - len(lead.passed)
        if more <= 0:
            continue
        if scope == lead.scope and place.kind in ("all", "node", "from", "to", "between"):
            found[f"{scope} {place}"] = more
        elif place == lead.place and scope == ANY:
            found[f"packets of every kind {place}"] = more
    return found


def _command(draft: Draft, lead: Group | None) -> str:
    on = f"on {draft.node}: " if draft.node else "on each node: "
    if draft.rule:
        if "-j " in draft.rule or draft.rule.startswith("*"):
            return f"{on}iptables-save -c; iptables-legacy-save -c"
        return f"{on}nft list ruleset"
    if lead is None:
        return f"{on}{_COMMANDS[draft.family]}" if draft.family in _COMMANDS else ""
    hop = draft.last or draft.changed
    if hop:
        return f"{on if draft.node else ''}tcpdump -ni {hop.split()[-1]}"
    return f"{on}ip route; bridge fdb show; nft list ruleset"


_COMMANDS = {
    Family.SETTING: "sysctl net.ipv4.ip_forward net.bridge; nft list ruleset; iptables-legacy-save -c",
    Family.IDENTITY: "cat /etc/machine-id; ip link",
    Family.PEERS: "bridge fdb show",
    Family.LIMIT: "ip -s neighbour; sysctl net.netfilter; bridge fdb show",
    Family.ADDRESS: "docker inspect CONTAINER; ip address (in its namespace); ip neighbour",
    Family.STALE: "bridge fdb show; ip neighbour; iptables-save -t nat; consul catalog services",
    Family.EXPOSE: "ip route; ip address",
    Family.QUORUM: "consul operator raft list-peers",
    Family.SCHEDULER: "nomad server members; nomad node status",
    Family.NAMES: "dig @ADDRESS NAME (from a container and from the node)",
    Family.JOBS: "nomad job status; consul catalog services",
    Family.SERVICES: "docker service ps SERVICE; ipvsadm -ln (in the namespace of a container, and of ingress_sbox)",
}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
