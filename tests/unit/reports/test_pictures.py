"""Tables, states and ways: complete, escaped, and read without colour."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from reports.pictures import state, table, way
from reports.pictures.svg import told, wrapped
from reports.pictures.table import Row, Tone
from reports.pictures.way import Mark, Place

SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_shows_what_is_bad_first_and_the_rest_in_order() -> None:
    rows = [Row(("u1", "1")), Row(("u2", "2"), Tone.DOUBT), Row(("u3", "3"), Tone.BAD), Row(("u4", "4"))]
    page = table.draw("4 <edges>", ("who", "number"), rows, numeric=("number",))
    order = [page.index(f"<td>u{number}") for number in (3, 2, 1, 4)]
    assert order == sorted(order)
    assert '<tr class="bad"><td>u3<td class="n">3' in page and '<tr class="doubt"><td>u2' in page
    assert "<caption>4 &lt;edges&gt;</caption>" in page and page.count("<script") == 0


def test_a_cell_is_escaped_and_a_row_of_another_width_is_refused() -> None:
    assert "<td>&lt;b&gt; &amp;" in table.draw("", ("a",), [Row(("<b> &",))])
    with pytest.raises(ValueError, match="shorter"):
        table.draw("", ("a", "b"), [Row(("1",))])


LISTING = """table ip nat {
	chain POSTROUTING {
		ip saddr 10.32.0.0/16 counter packets 7 bytes 420 masquerade
		ip saddr 172.17.0.0/16 counter packets 0 bytes 0 masquerade
	}
}"""


def test_a_state_shows_which_rules_moved_and_marks_them_where_they_stand() -> None:
    moved = ["+2 chain FORWARD: counter  accept", "+3 chain POSTROUTING: ip saddr 10.32.0.0/16 counter  masquerade"]
    page = state.draw("u1", moved, {"routes": "default via <a>", "packet filter, nft": LISTING})
    assert page.index("masquerade") < page.index("accept"), "what acts on packets comes first"
    assert '<tr class="bad"><td class="n">+3<td>chain POSTROUTING<td>ip saddr 10.32.0.0/16 counter masquerade' in page
    assert page.count("<mark>") == 1 and "<mark>\t\tip saddr 10.32.0.0/16 counter packets 7" in page
    assert "<details><summary>routes" in page and "<details open><summary>packet filter, nft" in page
    assert "via &lt;a&gt;" in page


def test_iptables_rules_are_found_in_their_listing() -> None:
    line = "[7:420] -A POSTROUTING -s 10.32.0.0/16 -j MASQUERADE"
    page = state.draw("u1", ["+3 *nat: -A POSTROUTING -s 10.32.0.0/16 -j MASQUERADE"], {"legacy": f"*nat\n{line}\n"})
    assert f"<mark>{line}</mark>" in page


def test_a_listing_that_could_not_be_read_is_in_doubt() -> None:
    page = state.draw("u1", ["(unknown: packet filter, nft: there is no program nft)"], {})
    assert '<tr class="doubt">' in page and "there is no program nft" in page


def test_no_rule_moved_and_nothing_probed_are_told_apart() -> None:
    assert "probed again: none" in state.draw("u1", [], {})
    assert "probed again" not in state.draw("u1", None, {"routes": ""})
    assert "(empty)" in state.draw("u1", None, {"routes": ""})


WAY = [
    Place("u1", "u1/a1", Mark.SEEN, "sent 10.32.0.64 > 10.32.0.128"),
    Place("u1", "bridge fn-a", Mark.LAST),
    Place("u2", "NIC eth0", Mark.NEVER),
    Place("u2", "u2/<a2>", Mark.NEVER),
]


def test_a_way_shows_each_place_with_what_it_saw_in_words_and_signs() -> None:
    picture = ElementTree.fromstring(way.draw(WAY, title="u1/a1->u2/<a2>-udp", outcome="lost, never seen"))
    texts = [str(text.text) for text in picture.iter(f"{SVG}text")]
    assert [text for text in texts if text[0] in "✓◉✕"] == [
        "✓ seen",
        "◉ last seen here",
        "✕ never seen",
        "✕ never seen",
    ]
    assert {"node u1", "node u2", "underlay", "u2/<a2>", "sent 10.32.0.64 > 10.32.0.128"} <= set(texts)
    assert picture.attrib["role"] == "img" and picture.findtext(f"{SVG}title") == "u1/a1->u2/<a2>-udp"
    assert picture.findtext(f"{SVG}desc") == (
        "lost, never seen. From the sender to the receiver: u1/a1 on u1: seen as sent 10.32.0.64 > 10.32.0.128; "
        "bridge fn-a on u1: last seen here; NIC eth0 on u2: never seen; u2/<a2> on u2: never seen."
    )
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    assert width <= 366, "it fits on a phone"
    for box in picture.iter(f"{SVG}rect"):
        assert float(box.get("y", 0)) + float(box.attrib["height"]) <= height


def test_a_way_within_one_node_crosses_no_underlay() -> None:
    assert "underlay" not in way.draw(WAY[:2], title="t", outcome="lost")


def test_long_text_is_wrapped_and_a_long_word_stands_alone() -> None:
    lines = wrapped("one two three " + "x" * 80, 100, 12)
    assert lines == ["one two three", "x" * 80]


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["icmp"], "icmp"), (["icmp", "tcp", "udp"], "icmp, tcp and udp")]
)
def test_names_are_listed_as_people_do(names: list[str], text: str) -> None:
    assert told(names) == text
