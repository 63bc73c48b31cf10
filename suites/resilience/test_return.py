"""What held before a disturbance holds again after it, soon, and nobody else noticed."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.resilience.experiment import Trial
from fixtures.session.marks import disruptive, requirement

ENGINE_S = 75.0
NODE_S = 120.0
HEAL_S = 60.0
OVERLAY_S = 15.0
"""Bounds on the return of every promise, seconds from the act that gives back. A node boots, starts its engine
and joins Consul and the overlay. An engine of a swarm waits up to 20 s for its managers before it answers, and
as long again for a container's network. After a partition Consul's agents look for members they gave up every
30 s (Serf's reconnect interval), and names wait for that; a swarm's tell each other of containers as seldom."""


@requirement("RES-1")
@disruptive
def test_promises_hold_again_after_a_restart_of_the_engine(trial: Trial, victim: ClusterNode) -> None:
    """A node's Docker engine is restarted, and its containers are started anew.

    Expected: neighbours, nodes and names are as before within ENGINE_S of the engine's start; no
    address is handed out twice; traffic between the other nodes never stopped.
    """
    with trial.around(victim) as after:
        trial.stop_docker(victim)
        trial.start_docker(victim)
        trial.recovered(within_s=ENGINE_S)
        trial.addresses()
    assert after.harmless, after


@requirement("RES-2")
@disruptive
def test_promises_hold_again_after_loss_and_return_of_a_node(trial: Trial, victim: ClusterNode) -> None:
    """A node is gone at once, is given up by the others, and comes back with what its disk holds.

    Expected: neighbours, nodes and names are as before within NODE_S of its power-on; no address is
    handed out twice; traffic between the other nodes never stopped.
    """
    with trial.around(victim) as after:
        trial.power_off(victim)
        trial.noticed(victim)
        trial.power_on(victim)
        trial.recovered(within_s=NODE_S)
        trial.addresses()
    assert after.harmless, after


@requirement("RES-3")
@disruptive
def test_promises_hold_again_after_a_partition_heals(trial: Trial, victim: ClusterNode) -> None:
    """The underlay between one node and the others is cut, containers are started on both sides, it heals.

    Expected: on each side neighbours go on throughout; within HEAL_S of the heal everything is as
    before, and no address was handed out twice, not even while the sides could not ask each other.
    """
    with trial.around(victim, sides=True) as after:
        trial.cut(victim)
        trial.noticed(victim)
        trial.newcomers.start()
        trial.heal(victim)
        trial.recovered(within_s=HEAL_S)
        trial.addresses()
    assert after.harmless, after


@requirement("RES-4")
@disruptive
def test_promises_hold_again_after_a_restart_of_the_overlay(trial: Trial, victim: ClusterNode) -> None:
    """A node's own part in the overlay ends and starts again; its containers stay.

    Expected: neighbours, nodes and names are as before within OVERLAY_S of its start; no address is
    handed out twice; traffic between the other nodes never stopped.
    """
    with trial.around(victim) as after:
        trial.stop_overlay(victim)
        trial.start_overlay(victim)
        trial.recovered(within_s=OVERLAY_S)
        trial.addresses()
    assert after.harmless, after
