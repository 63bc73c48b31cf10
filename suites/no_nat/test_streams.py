"""Promise 1 in numbers: what is sent between nodes arrives, and once."""

from fixtures.cluster.addressing import Family
from fixtures.no_nat.streams import Streams
from fixtures.session.marks import NotProved, requirement


@requirement("NET-8")
def test_every_datagram_of_a_stream_arrives_once(streams: Streams, family: Family) -> None:
    """Nothing is lost and nothing is doubled between nodes, in either direction.

    Expected: of 2,000 numbered datagrams (`--thorough`: 50,000) from every node to every other one in each subnet, all
    side by side and paced, every one arrives, and none of them twice.
    """
    streamed = streams.send(streams.between_nodes(family))
    assert not streamed.broken, streamed.explain([*streamed.broken, *streamed.dead])
    if streamed.dead:
        raise NotProved(f"nothing arrived, so no rate can be told (see NET-1): {streamed.explain(streamed.dead)}")
