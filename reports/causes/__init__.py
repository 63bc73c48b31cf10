"""From what a run's tests found to the few causes that explain it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address, ip_network

from reports.edges import Findings

from .covering import Group, group
from .drafting import Draft, Statement, draft_group, draft_statements
from .families import Family, family
from .merging import merge
from .model import Cause, Explanation
from .observing import TROUBLED, Observation, Trouble, observe
from .sent import Ends
from .statements import Names, accuse
from .words import put_into_words

__all__ = ["Cause", "Explanation", "find_causes"]


def find_causes(findings: Findings, nodes: Sequence[str], accepted: Collection[str] = ()) -> Explanation:
    """The causes of what failed, the one that explains most first.

    `nodes`: the cluster's; `accepted`: ids of tests whose failure is a known issue, which needs no explanation. A run
    in which no other test failed has no cause.
    """
    troubled = {
        number
        for number, test in enumerate(findings.tests)
        if test.result.outcome in TROUBLED and test.result.nodeid not in accepted
    }
    failed = {number for number in troubled if findings.tests[number].result.outcome == "failed"}
    if not failed:
        return Explanation()
    names = Names(nodes)
    observations = list(observe(findings, Ends(findings.parties, _subnets(findings))))
    drafts = [draft_group(found, names) for trouble in Trouble for found in _groups(observations, trouble, troubled)]
    seen = {one.test for draft in drafts for found in draft.groups for one in found.failed}
    drafts += draft_statements(_statements(findings, troubled - seen, names))
    merged = [draft for draft in merge(drafts) if draft.tests & failed]
    ranked = sorted(merged, key=lambda draft: _rank(draft, failed))
    explained = set[int]().union(*(draft.tests for draft in merged)) if merged else set[int]()
    left = [findings.tests[number].result for number in sorted(failed - explained)]
    return Explanation(
        tuple(put_into_words(draft, findings) for draft in ranked),
        tuple(f"{', '.join(one.requirements)} {one.nodeid.partition('::')[2]}: {one.reason}" for one in left),
    )


def _subnets(findings: Findings) -> dict[str, str]:
    """{container: its subnet}, by its address."""
    networks = {name: ip_network(text) for name, text in findings.subnets.items()}
    found = {}
    for name, party in findings.parties.items():
        if party.address and name != party.node:
            found[name] = next((own for own, net in networks.items() if ip_address(party.address) in net), "")
    return found


def _groups(observations: Sequence[Observation], trouble: Trouble, troubled: set[int]) -> list[Group]:
    relevant = [one for one in observations if one.trouble in (None, trouble)]
    return group(relevant, trouble) if any(one.test in troubled for one in relevant if one.trouble) else []


def _statements(findings: Findings, numbers: set[int], names: Names) -> list[Statement]:
    found = []
    for number in sorted(numbers):
        test = findings.tests[number]
        if not test.lines or not test.result.requirements:
            continue
        mentioned = frozenset(node for line in test.lines for node, _ in names.mentions(line))
        name = test.result.requirements[0]
        accusation = accuse(test.lines, names, two_sided=family(name) is Family.LEAK)
        failed = test.result.outcome == "failed"
        found.append(Statement(number, family(name), name, accusation, mentioned, failed))
    return found


def _rank(draft: Draft, failed: set[int]) -> tuple[int, int, int]:
    return -len(draft.tests & failed), -bool(draft.rule or draft.statements), -len(draft.tests)
