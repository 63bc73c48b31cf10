"""What already runs: who has which address, and which entries lead where."""

from fixtures.evidence.attachments import Evidence
from fixtures.existing.survey import Survey, shortened
from fixtures.session.marks import requirement


@requirement("EXT-1")
def test_everybody_agrees_on_a_running_containers_address(survey: Survey, evidence: Evidence) -> None:
    """A running container has one address and one MAC, and everybody knows the same.

    Expected: for every running container on the overlay's networks, its own interface, Docker, neighbour tables and
    FDBs of containers and nodes, and Consul agree on its address and MAC.
    """
    differing = survey.findings("EXT-1", evidence)
    assert not differing, shortened(differing)


@requirement("EXT-2")
def test_no_address_is_held_twice(survey: Survey, evidence: Evidence) -> None:
    """An address belongs to one container, whoever made it.

    Expected: no overlay address is on the interfaces of two containers, or of a container and something else, on any
    node, nor given to two containers by their engines.
    """
    twice = survey.findings("EXT-2", evidence)
    assert not twice, shortened(twice)


@requirement("EXT-3")
def test_nothing_leads_to_a_container_that_is_gone(survey: Survey, evidence: Evidence) -> None:
    """What a container leaves behind when it ends leads nobody to it.

    Expected: no FDB, neighbour, DNAT or conntrack entry on any node or in any container leads to an overlay address or
    MAC that nobody has, and no passing service is registered at such an address.
    """
    leftovers = survey.findings("EXT-3", evidence)
    assert not leftovers, shortened(leftovers)
