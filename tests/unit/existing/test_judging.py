"""What is wrong in readings of a cluster, and what looks so and is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.existing.judging import LONG_S, Finding, agreed, not_understood
from fixtures.existing.model import Attachment, Namespace, Registered, Translation, View, named
from fixtures.existing.netlink import (
    DELAY,
    NOARP,
    PERMANENT,
    REACHABLE,
    STALE,
    Address,
    FdbEntry,
    Link,
    Neighbour,
    Tracked,
)
from tests.unit.existing.canned import (
    DB,
    DB_ADDRESS,
    DB_MAC,
    GONE,
    GONE_MAC,
    NODE1,
    NODE2,
    WEB,
    WEB_ADDRESS,
    WEB_MAC,
    changed,
    container,
    healthy,
    inside,
    renamed,
    with_more,
)

Change = Callable[[View], View]


def later(view: View) -> View:
    """The next reading, three seconds later."""
    return replace(view, read_at=view.read_at + 3)


def confirmed(change: Change) -> list[Finding]:
    """What two readings agree on."""
    return agreed(change(healthy()), later(change(healthy())))


def only(change: Change, requirement: str) -> str:
    """The text of the one thing that is wrong."""
    found = confirmed(change)
    assert [finding.requirement for finding in found] == [requirement], found
    return found[0].text


def test_a_good_network_is_not_accused() -> None:
    assert agreed(healthy(), None) == [] and confirmed(lambda view: view) == []
    assert set(healthy().judged) == {WEB, DB}


def registered(address: str, ident: str = "web-1", **more: bool) -> Registered:
    return Registered("shop", ident, "u1", address, 80, **more)


# -- EXT-1 -------------------------------------------------------------------


def test_docker_knows_another_address() -> None:
    def change(view: View) -> View:
        return renamed(view, {**view.inhabitants, WEB: (container("web", "u1", "10.32.0.22", WEB_MAC),)})

    assert only(change, "EXT-1") == ("u1/web: its own interfaces have 10.32.0.2, according to Docker it has 10.32.0.22")


def test_a_container_lost_its_address() -> None:
    text = only(lambda view: changed(view, WEB, addresses=()), "EXT-1")
    assert text == "u1/web: its own interfaces have none, according to Docker it has 10.32.0.2"


def test_a_container_has_an_address_that_docker_does_not_know() -> None:
    text = only(lambda view: with_more(view, WEB, addresses=(Address(2, "10.32.0.33", 24),)), "EXT-1")
    assert "have 10.32.0.2, 10.32.0.33, according to Docker it has 10.32.0.2" in text


def test_a_virtual_address_is_allowed() -> None:
    def change(view: View) -> View:
        both = with_more(view, WEB, addresses=(Address(2, "10.32.0.44", 32),))
        return with_more(both, DB, addresses=(Address(2, "10.32.0.44", 32),))

    assert confirmed(change) == []


def test_docker_knows_another_mac() -> None:
    def change(view: View) -> View:
        return renamed(view, {**view.inhabitants, WEB: (container("web", "u1", WEB_ADDRESS, GONE_MAC),)})

    assert only(change, "EXT-1").endswith(f"has the MAC {WEB_MAC}, according to Docker it is {GONE_MAC}")
    assert (
        confirmed(lambda view: renamed(view, {**view.inhabitants, WEB: (container("web", "u1", WEB_ADDRESS),)})) == []
    )


def test_containers_that_share_a_namespace_are_one() -> None:
    log = container("log", "u1")

    def change(view: View) -> View:
        return renamed(view, {**view.inhabitants, WEB: (*view.inhabitants[WEB], log)})

    assert confirmed(change) == []
    assert named("u1", (log, container("web", "u1", WEB_ADDRESS))) == "u1/web (with u1/log)"


@pytest.mark.parametrize("state", [PERMANENT, NOARP, REACHABLE])
def test_a_neighbour_entry_has_another_mac(state: int) -> None:
    entry = Neighbour(2, DB_ADDRESS, GONE_MAC, state)
    text = only(lambda view: changed(view, WEB, neighbours=(entry,)), "EXT-1")
    assert text.startswith(f"u1/web: neighbour entry {DB_ADDRESS} lladdr {GONE_MAC} dev eth0 ")
    assert text.endswith(f"u2/db there has {DB_MAC}")


@pytest.mark.parametrize("state", [STALE, DELAY])
def test_a_neighbour_entry_that_will_be_asked_for_again_is_not_accused(state: int) -> None:
    assert confirmed(lambda view: changed(view, WEB, neighbours=(Neighbour(2, DB_ADDRESS, GONE_MAC, state),))) == []


def test_a_neighbour_entry_may_have_any_mac_of_the_holder() -> None:
    def change(view: View) -> View:
        two = with_more(view, DB, links=(Link(5, "eth1", GONE_MAC, "veth", None, 99),))
        return changed(two, WEB, neighbours=(Neighbour(2, DB_ADDRESS, GONE_MAC, REACHABLE),))

    assert confirmed(change) == []


def test_where_routers_answer_arp_macs_are_not_compared() -> None:
    def change(view: View) -> View:
        return replace(changed(view, WEB, neighbours=(Neighbour(2, DB_ADDRESS, GONE_MAC, PERMANENT),)), routed=True)

    assert confirmed(change) == []


def test_a_neighbour_outside_of_the_overlay_is_not_judged() -> None:
    entry = Neighbour(2, "192.168.56.77", GONE_MAC, PERMANENT)
    assert confirmed(lambda view: with_more(view, NODE1, neighbours=(entry,))) == []


def test_an_fdb_entry_leads_to_another_node() -> None:
    entry = FdbEntry(4, DB_MAC, PERMANENT, "192.168.56.3")
    text = only(lambda view: changed(view, NODE1, fdb=(entry,)), "EXT-1")
    assert (
        text
        == f"u1: FDB entry {DB_MAC} dev vx-a dst 192.168.56.3 permanent leads the MAC of u2/db to u1 (192.168.56.3)"
    )


def test_an_fdb_entry_leads_to_another_containers_port() -> None:
    def change(view: View) -> View:
        return changed(view, NODE1, fdb=(FdbEntry(7, DB_MAC, PERMANENT),))

    assert only(change, "EXT-1").endswith("leads the MAC of u2/db to u1/web")


def test_an_fdb_entry_leads_a_local_container_away() -> None:
    text = only(lambda view: changed(view, NODE1, fdb=(FdbEntry(4, WEB_MAC, NOARP),)), "EXT-1")
    assert text.endswith("permanent leads the MAC of u1/web away from its own port")


def test_where_no_port_is_known_nothing_is_said_of_it() -> None:
    def change(view: View) -> View:
        unknown = changed(view, WEB, links=(Link(2, "eth0", WEB_MAC, "macvlan", None, 2),))
        return changed(unknown, NODE1, fdb=(FdbEntry(4, WEB_MAC, NOARP),))

    assert confirmed(change) == []


def test_a_port_is_that_of_a_veth_whose_ends_name_each_other() -> None:
    """Indices are those of a namespace: in another one the same number is something else."""

    def change(view: View) -> View:
        other = changed(view, WEB, links=(Link(9, "eth0", WEB_MAC, "veth", None, 7),))
        return changed(other, NODE1, fdb=(FdbEntry(7, DB_MAC, PERMANENT),))

    assert confirmed(change) == []


@pytest.mark.parametrize(
    ("updated", "accused"), [(1.0, True), (2.99, True), (3.0, False), (50.0, False), (None, False)]
)
def test_a_learned_fdb_entry_is_accused_when_frames_confirm_it(updated: float | None, accused: bool) -> None:
    entry = FdbEntry(4, DB_MAC, REACHABLE, "192.168.56.3", updated)

    def change(view: View) -> View:
        return changed(view, NODE1, fdb=(entry,))

    assert bool(confirmed(change)) is accused
    assert agreed(change(healthy()), None), "the first reading has to ask for another one"


@pytest.mark.parametrize("remote", ["192.168.56.4", "192.168.56.99"])
def test_an_fdb_entry_to_the_right_or_to_an_unknown_peer_is_not_accused(remote: str) -> None:
    assert confirmed(lambda view: changed(view, NODE1, fdb=(FdbEntry(4, DB_MAC, PERMANENT, remote),))) == []


def test_a_mac_that_two_have_has_no_place() -> None:
    def change(view: View) -> View:
        twin = with_more(view, WEB, links=(Link(5, "eth1", DB_MAC, "veth", None, 99),))
        return changed(twin, NODE1, fdb=(FdbEntry(4, DB_MAC, PERMANENT, "192.168.56.3"),))

    assert confirmed(change) == []


@pytest.mark.parametrize("ident", ["alloc-7-task", "web-id0000000-80", "host:web:80"])
def test_consul_has_another_address_for_a_container(ident: str) -> None:
    web = container("web", "u1", WEB_ADDRESS, WEB_MAC, environment={"NOMAD_ALLOC_ID": "alloc-7"})

    def change(view: View) -> View:
        return replace(renamed(view, {**view.inhabitants, WEB: (web,)}), registered=(registered(DB_ADDRESS, ident),))

    assert only(change, "EXT-1") == (
        f"u1/web has {WEB_ADDRESS}, and Consul lists it as shop: {ident} at {DB_ADDRESS}:80, registered by u1"
    )


@pytest.mark.parametrize(
    ("address", "ident"), [(WEB_ADDRESS, "host:web:80"), ("192.168.56.3", "host:web:80"), (DB_ADDRESS, "other")]
)
def test_a_right_registration_is_not_accused(address: str, ident: str) -> None:
    assert confirmed(lambda view: replace(view, registered=(registered(address, ident),))) == []


# -- EXT-2 -------------------------------------------------------------------


def twin(view: View, prefix: int = 24) -> View:
    return with_more(view, DB, addresses=(Address(2, WEB_ADDRESS, prefix),))


def test_an_address_is_held_twice_by_interfaces() -> None:
    found = {finding.requirement: finding.text for finding in confirmed(twin)}
    assert found["EXT-2"] == f"{WEB_ADDRESS} is held twice: by u1/web and u2/db"


def test_a_single_address_of_a_virtual_prefix_is_held_twice_when_docker_gave_it_to_one() -> None:
    assert [finding.requirement for finding in confirmed(lambda view: twin(view, 32))] == ["EXT-2"]


def test_engines_give_an_address_twice() -> None:
    def change(view: View) -> View:
        db = container("db", "u2", WEB_ADDRESS, DB_MAC)
        moved = changed(view, DB, addresses=(Address(2, WEB_ADDRESS, 24),))
        quiet = changed(changed(moved, WEB, neighbours=()), DB, neighbours=())
        return renamed(quiet, {**view.inhabitants, DB: (db,)})

    assert only(change, "EXT-2") == f"{WEB_ADDRESS} is held twice: by u1/web and u2/db"


def test_something_else_on_a_node_holds_a_containers_address() -> None:
    def change(view: View) -> View:
        squatter = inside(("u2", 44), "u2 namespace /run/netns/squatter", WEB_ADDRESS, GONE_MAC, port=77)
        return replace(view, namespaces={**view.namespaces, ("u2", 44): squatter})

    assert only(change, "EXT-2") == f"{WEB_ADDRESS} is held twice: by u1/web and u2 namespace /run/netns/squatter"


def test_two_nodes_may_have_the_same_gateway() -> None:
    def change(view: View) -> View:
        first = with_more(view, NODE1, addresses=(Address(3, "10.32.0.1", 24),))
        return with_more(first, NODE2, addresses=(Address(3, "10.32.0.1", 24),))

    assert confirmed(change) == []


# -- EXT-3 -------------------------------------------------------------------


@pytest.mark.parametrize("state", [PERMANENT, NOARP])
def test_a_neighbour_entry_stays_behind(state: int) -> None:
    entry = Neighbour(2, GONE, GONE_MAC, state)
    text = only(lambda view: with_more(view, WEB, neighbours=(entry,)), "EXT-3")
    assert text.startswith(f"u1/web: neighbour entry {GONE} lladdr {GONE_MAC} dev eth0 ")


@pytest.mark.parametrize("state", [REACHABLE, STALE])
def test_a_learned_neighbour_entry_of_the_gone_ages(state: int) -> None:
    assert confirmed(lambda view: with_more(view, WEB, neighbours=(Neighbour(2, GONE, GONE_MAC, state),))) == []


def test_an_fdb_entry_stays_behind() -> None:
    entry = FdbEntry(4, GONE_MAC, PERMANENT, "192.168.56.4")
    text = only(lambda view: with_more(view, NODE1, fdb=(entry,)), "EXT-3")
    assert text.startswith(f"u1: FDB entry {GONE_MAC} dev vx-a dst 192.168.56.4 permanent (u2) leads to a MAC")
    assert only(lambda view: with_more(view, NODE1, fdb=(FdbEntry(7, GONE_MAC, NOARP),)), "EXT-3")


@pytest.mark.parametrize(
    "entry",
    [
        FdbEntry(4, GONE_MAC, REACHABLE, "192.168.56.4", 0.1),
        FdbEntry(4, GONE_MAC, PERMANENT, "192.168.56.99"),
        FdbEntry(2, GONE_MAC, PERMANENT),
        FdbEntry(77, GONE_MAC, PERMANENT),
        FdbEntry(4, "33:33:00:00:00:01", PERMANENT),
        FdbEntry(4, "00:00:00:00:00:00", PERMANENT, "192.168.56.4"),
        FdbEntry(4, "02:00:00:00:04:01", PERMANENT),
    ],
    ids=["learned", "foreign peer", "not the overlay's device", "unknown device", "multicast", "flood list", "own"],
)
def test_an_fdb_entry_that_is_no_leftover(entry: FdbEntry) -> None:
    assert confirmed(lambda view: with_more(view, NODE1, fdb=(entry,))) == []


def test_a_dnat_rule_stays_behind() -> None:
    rule = Translation("u2", "-A PREROUTING -j DNAT --to-destination 10.32.0.99:80", (WEB_ADDRESS, GONE))
    text = only(lambda view: replace(view, translations=(rule,)), "EXT-3")
    assert text == f"u2: DNAT rule `{rule.rule}` leads to {GONE}, which no container or node has"


@pytest.mark.parametrize("address", [WEB_ADDRESS, "192.0.2.1", "127.0.0.11"])
def test_a_dnat_rule_to_somebody_is_not_accused(address: str) -> None:
    assert confirmed(lambda view: replace(view, translations=(Translation("u2", "x", (address,)),))) == []


def tracked(timeout_s: int, destination: str = GONE, dialled: str = "192.168.56.3") -> Tracked:
    return Tracked(17, "192.0.2.1", 5000, dialled, 53, destination, 53, timeout_s)


@pytest.mark.parametrize(
    ("first", "second", "accused"),
    [
        (tracked(30), tracked(30), True),
        (tracked(30), tracked(29), False),
        (tracked(LONG_S + 4), tracked(LONG_S + 1), True),
        (tracked(LONG_S + 3), tracked(LONG_S), False),
        (tracked(30, WEB_ADDRESS), tracked(30, WEB_ADDRESS), False),
        (tracked(9999, GONE, GONE), tracked(9999, GONE, GONE), False),
        (tracked(30, "192.0.2.7"), tracked(30, "192.0.2.7"), False),
    ],
    ids=["refreshed", "ages", "long", "not long", "alive", "not translated", "not of the overlay"],
)
def test_a_translated_connection_to_the_gone(first: Tracked, second: Tracked, accused: bool) -> None:
    one, other = (replace(healthy(), tracked={NODE1: (entry,)}) for entry in (first, second))
    found = agreed(one, later(other))
    assert bool(found) is accused
    if accused:
        assert found[0].requirement == "EXT-3"
        assert found[0].text.startswith(f"u1: conntrack entry of 192.0.2.1:5000 to 192.168.56.3:53 leads to {GONE}:53")


def test_a_service_at_the_address_of_nobody() -> None:
    text = only(lambda view: replace(view, registered=(registered(GONE),)), "EXT-3")
    assert text.startswith(f"Consul lists shop: web-1 at {GONE}:80, registered by u1")
    assert confirmed(lambda view: replace(view, registered=(registered(GONE, critical=True),))) == []


def test_who_comes_and_goes_is_not_gone() -> None:
    def change(view: View) -> View:
        entry = with_more(view, WEB, neighbours=(Neighbour(2, GONE, GONE_MAC, PERMANENT),))
        return replace(entry, coming_and_going=frozenset({GONE}))

    assert confirmed(change) == []


def test_what_only_one_reading_finds_is_not_found() -> None:
    wrong = with_more(healthy(), WEB, neighbours=(Neighbour(2, GONE, GONE_MAC, PERMANENT),))
    assert agreed(wrong, later(healthy())) == [] and agreed(healthy(), later(wrong)) == []


def test_rules_that_are_not_understood_are_named() -> None:
    view = replace(
        healthy(), translations=(Translation("u1", "dnat to @m", ()), Translation("u1", "x", (WEB_ADDRESS,)))
    )
    assert not_understood([view, view]) == ["u1: where `dnat to @m` leads is not understood"]


def test_a_container_that_is_not_on_the_overlay_is_not_judged() -> None:
    away = container("away", "u1")
    away = replace(away, attachments=(Attachment("side", "172.30.0.2"),))
    view = healthy()
    place = ("u1", 55)
    space = Namespace("u1", 55, "u1/away", "/proc/55/ns/net", addresses=(Address(2, "172.30.0.3", 24),))
    view = replace(view, namespaces={**view.namespaces, place: space})
    view = renamed(view, {**view.inhabitants, place: (away,)})
    assert place not in view.judged and agreed(view, later(view)) == []
