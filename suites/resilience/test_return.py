"""What held before a disturbance holds again after it, within a bound, and the other nodes' traffic never stopped."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.resilience.experiment import Experiment
from fixtures.session.marks import disruptive, requirement

ENGINE_S = 75.0
NODE_S = 120.0
HEAL_S = 60.0
OVERLAY_S = 15.0
"""Bounds on the return of the steady state, seconds from the act that gives back. A node boots, starts its engine
and joins Consul and the overlay. An engine of a swarm waits up to 20 s for its managers before it answers, and
as long again for a container's network. After a partition an operator has Consul join its members again; without
that right, its agents look for members they gave up every 30 s (Serf's reconnect interval), and names wait for
that; engines of a swarm tell each other of containers as seldom."""


@requirement("RES-1")
@disruptive
def test_promises_hold_again_after_a_restart_of_the_engine(experiment: Experiment, victim: ClusterNode) -> None:
    """A node's Docker engine is restarted, and containers that ended with it are started again.

    Expected: neighbours, nodes and names are as before within ENGINE_S of the engine's start; no
    address is handed out twice; traffic between the other nodes never stopped.
    """
    with experiment.disturbing(victim) as aftermath:
        experiment.stop_docker(victim)
        experiment.start_docker(victim)
        experiment.check_recovery(within_s=ENGINE_S)
        experiment.check_new_addresses()
    assert aftermath.harmless, aftermath.text


@requirement("RES-2")
@disruptive
def test_promises_hold_again_after_loss_and_return_of_a_node(experiment: Experiment, victim: ClusterNode) -> None:
    """A node is lost without a shutdown, Consul on the others gives it up, and it returns with its disk.

    Expected: neighbours, nodes and names are as before within NODE_S of its power-on; no address is
    handed out twice; traffic between the other nodes never stopped.
    """
    with experiment.disturbing(victim) as aftermath:
        experiment.power_off(victim)
        experiment.wait_until_given_up(victim)
        experiment.power_on(victim)
        experiment.check_recovery(within_s=NODE_S)
        experiment.check_new_addresses()
    assert aftermath.harmless, aftermath.text


@requirement("RES-3")
@disruptive
def test_promises_hold_again_after_a_partition_heals(experiment: Experiment, victim: ClusterNode) -> None:
    """The underlay between one node and the others is cut, containers are started on both sides, it heals.

    Consul on the node is told to join the others again, as an operator does.

    Expected: on each side traffic between neighbours never stopped; within HEAL_S of the heal everything is
    as before, and no address was handed out twice, not even while the sides could not ask each other.
    """
    with experiment.disturbing(victim, watch_both_sides=True) as aftermath:
        experiment.cut(victim)
        experiment.wait_until_given_up(victim)
        experiment.newcomers.start(may_refuse=True)
        experiment.heal(victim)
        experiment.check_recovery(within_s=HEAL_S)
        experiment.check_new_addresses()
    assert aftermath.harmless, aftermath.text


@requirement("RES-4")
@disruptive
def test_promises_hold_again_after_a_restart_of_the_overlay(experiment: Experiment, victim: ClusterNode) -> None:
    """A node's own part in the overlay ends and starts again; its containers stay.

    Expected: neighbours, nodes and names are as before within OVERLAY_S of its start; no address is
    handed out twice; traffic between the other nodes never stopped.
    """
    with experiment.disturbing(victim) as aftermath:
        experiment.stop_overlay(victim)
        experiment.start_overlay(victim)
        experiment.check_recovery(within_s=OVERLAY_S)
        experiment.check_new_addresses()
    assert aftermath.harmless, aftermath.text
