"""What a path still carries after nothing was sent on it for a while."""

from fixtures.cluster.addressing import Family
from fixtures.path.idle import Idle
from fixtures.session.marks import NotProved, at_end, requirement


@requirement("PATH-7")
@at_end
def test_an_idle_connection_still_carries_data(idle: Idle, family: Family) -> None:
    """A TCP connection on which nothing was sent while the run lasted still works.

    Expected: one connection from every node to every other one in each subnet, opened when the run began and idle
    since (with `--thorough` for more than 900 s), carries data to its other end and the answer back.
    """
    used = idle.use(family)
    assert not used.broken, used.explain(used.broken)
    if used.unopened:
        raise NotProved(f"nothing can be said of connections that were not opened: {used.explain(used.unopened)}")
