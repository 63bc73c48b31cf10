"""What a mesh says of its deliveries, and how a port is found that can be served."""

from __future__ import annotations

import errno
import os

import pytest

from fixtures.probes import mesh as mesh_module
from fixtures.probes.client import PortTaken
from fixtures.probes.delivery import Transport
from fixtures.probes.mesh import PORTS, Mesh, run_stages, serve_on_free_port
from lab.errors import HarnessError
from reports.model import NotProved, Outcome
from tests.unit.probes.canned import NAT, good

ONE = good(Transport.UDP)
ANSWERED, LOST = ONE.judged(), ONE.undelivered().judged()
DELIVERED = ONE.unanswered().judged()
REWRITTEN = ONE.changing(ONE.arrived, source=NAT).judged()
REWRITTEN_UNANSWERED = ONE.unanswered().changing(ONE.arrived, source=NAT).judged()
MESH = Mesh((ANSWERED, LOST, DELIVERED, REWRITTEN, REWRITTEN_UNANSWERED), 1.5, 3, {"open": 1.0})


def test_deliveries_by_what_a_test_asks_of_them() -> None:
    assert REWRITTEN.outcome is REWRITTEN_UNANSWERED.outcome is Outcome.REWRITTEN
    assert MESH.unanswered == (LOST, DELIVERED, REWRITTEN_UNANSWERED)
    assert MESH.undelivered == (LOST,)
    assert MESH.rewritten == (REWRITTEN, REWRITTEN_UNANSWERED)
    assert MESH.unjudged == (LOST, DELIVERED)


def test_two_meshes_add_up() -> None:
    both = MESH + Mesh((LOST,), 0.5, 2)
    assert both.deliveries == (*MESH.deliveries, LOST)
    assert (both.duration_s, both.round_trips) == (2.0, 5)
    assert (Mesh(()).duration_s, Mesh(()).round_trips) == (0.0, 0)


def test_a_matrix_has_a_row_for_each_edge() -> None:
    assert Mesh((LOST,)).rows == [{"source": "u1/a1", "destination": "u2/a2", "transport": "udp", "outcome": "lost"}]


@pytest.mark.parametrize(
    ("count", "shown", "more"), [(1, 1, None), (12, 12, None), (13, 12, "… and 1 more"), (15, 12, "… and 3 more")]
)
def test_an_explanation_begins_with_an_example_and_shows_some(count: int, shown: int, more: str | None) -> None:
    text = Mesh((LOST,) * 20).explain((LOST,) * count)
    lines = text.splitlines()
    assert lines[0] == f"{count} of 20 edges, such as {str(LOST).splitlines()[0]}"
    assert text.count("u1/a1 sent") == shown
    assert lines[-1].startswith(more) if more else not lines[-1].startswith("…")


def test_an_explanation_gives_the_first_edge_as_its_example() -> None:
    assert (
        Mesh((LOST, DELIVERED)).explain((DELIVERED, LOST)).startswith(f"2 of 2 edges, such as {DELIVERED.edge}: deliv")
    )


def test_an_explanation_of_nothing() -> None:
    assert Mesh((LOST,)).explain(()) == "0 of 1 edges, such as "


def test_no_edge_needs_no_agent() -> None:
    assert run_stages({}, [[], []]) == (Mesh(()), Mesh(()))


TAKEN = os.strerror(errno.EADDRINUSE)


class Server:
    """Serves on a port unless it is taken; `others` are refusals that come first."""

    def __init__(self, *refusals: HarnessError | None) -> None:
        self.refusals = list(refusals)
        self.asked: list[int] = []

    def __call__(self, port: int) -> None:
        self.asked.append(port)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is DRAWN:
            raise PortTaken(f"node u2: TCP port {port} in the node: {TAKEN}", port)
        if refusal is not None:
            raise refusal


DRAWN = HarnessError("stands for a refusal of the port that was drawn")
CHOSEN = PortTaken(f"node u2: TCP port 80 in the node: {TAKEN}", 80)


def test_the_first_port_that_can_be_served_is_taken() -> None:
    serve = Server()
    assert serve_on_free_port(serve) == serve.asked[0] and serve.asked[0] in PORTS


def test_another_port_is_drawn_when_one_is_taken_and_none_twice() -> None:
    serve = Server(DRAWN, DRAWN, DRAWN)
    assert serve_on_free_port(serve) == serve.asked[-1]
    assert len(set(serve.asked)) == 4


def test_four_taken_ports_are_an_error() -> None:
    serve = Server(*[DRAWN] * 9)
    with pytest.raises(HarnessError, match=TAKEN):
        serve_on_free_port(serve)
    assert len(serve.asked) == 4


def test_any_other_refusal_is_an_error_at_once() -> None:
    serve = Server(HarnessError(f"node u2: namespace gone: {TAKEN}"))
    with pytest.raises(HarnessError, match="namespace gone"):
        serve_on_free_port(serve)
    assert len(serve.asked) == 1


def test_a_chosen_port_is_waited_for_with_the_same_drawn_port(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", sleep)
    serve = Server(CHOSEN, CHOSEN)
    assert serve_on_free_port(serve) == serve.asked[0] == serve.asked[2] and slept == [0.05, 0.05]
    serve = Server(*[CHOSEN] * 1000)
    with pytest.raises(HarnessError, match="port 80"):
        serve_on_free_port(serve)
    assert sum(slept[2:]) == pytest.approx(mesh_module.TAKEN_S, abs=0.11)
    assert mesh_module.TAKEN_S == 5.0


def test_a_chosen_port_is_waited_for_with_the_last_drawn_port_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    serve = Server(DRAWN, DRAWN, DRAWN, CHOSEN)
    assert serve_on_free_port(serve) == serve.asked[4] == serve.asked[3]


@pytest.mark.parametrize(
    ("refusal", "late_s", "works"),
    [(CHOSEN, 5.0, True), (CHOSEN, 5.1, False), (DRAWN, 5.0, True), (DRAWN, 5.1, True)],
)
def test_only_a_chosen_port_has_a_deadline(
    monkeypatch: pytest.MonkeyPatch, refusal: HarnessError, late_s: float, works: bool
) -> None:
    times = iter([100.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times, 100.0 + late_s))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    serve = Server(refusal)
    if works:
        assert serve_on_free_port(serve) == serve.asked[1]
    else:
        with pytest.raises(HarnessError, match="port 80"):
            serve_on_free_port(serve)


def test_ports_are_below_those_that_linux_gives_to_clients() -> None:
    assert (PORTS.start, PORTS.stop) == (20000, 30000)
    assert mesh_module.WINDOW_S == 1.5


def test_an_explanation_of_a_single_edge_is_that_edge() -> None:
    assert Mesh((LOST,)).explain((LOST,)) == str(LOST)


def test_headers_prove_something_where_everything_was_exchanged() -> None:
    whole = Mesh((ANSWERED, REWRITTEN))
    assert whole.exchanged == (ANSWERED, REWRITTEN) and whole.or_not_proved() is whole
    broken = Mesh((ANSWERED, LOST, DELIVERED))
    assert broken.exchanged == (ANSWERED,)
    with pytest.raises(NotProved, match=r"^the exchange failed") as error:
        broken.or_not_proved()
    assert str(LOST) in str(error.value) and str(error.value).endswith("(and so on for 1 more)")
    with pytest.raises(NotProved) as error:
        Mesh((LOST,)).or_not_proved()
    assert str(error.value) == f"the exchange failed, so it proves nothing: {LOST}"
