"""What already runs: who may reach whom."""

from fixtures.evidence.attachments import Evidence
from fixtures.existing.check import ContractCheck, few
from fixtures.session.marks import requirement


@requirement("EXT-4")
def test_the_contract_holds(contract: ContractCheck, evidence: Evidence) -> None:
    """Who is to reach whom does, and nobody reaches what the contract closes.

    Expected: for every pair that a rule of the contract names first, a TCP handshake is completed by the target itself
    (reachable), or its SYN leaves and is never seen at the target, which serves that port before and after
    (unreachable).
    """
    violated = contract.violations(evidence)
    assert not violated, few(violated)
