"""The matrix: well formed at any size, read without colour, and narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from xml.etree import ElementTree

import pytest

from reports.model import Outcome
from reports.pictures.matrix import draw
from reports.pictures.svg import STYLES, on

SVG = "{http://www.w3.org/2000/svg}"
TRANSPORTS = ("icmp", "tcp", "udp")


def rows(number: int, outcome: str = "answered") -> list[dict[str, str]]:
    names = [f"u{index % 3 + 1}/a{index + 1}" for index in range(number)]
    return [
        {"source": source, "destination": destination, "transport": transport, "outcome": outcome}
        for source, destination in permutations(names, 2)
        for transport in TRANSPORTS
    ]


def cells(picture: ElementTree.Element) -> dict[str, list[ElementTree.Element]]:
    """{title of a cell: its boxes}"""
    return {str(cell.findtext(f"{SVG}title")): list(cell.iter(f"{SVG}rect")) for cell in picture.iter(f"{SVG}g")}


def texts(picture: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("number", [2, 3, 60])
def test_every_edge_is_in_the_picture(number: int) -> None:
    picture = ElementTree.fromstring(draw(rows(number), title="all pairs"))
    made = cells(picture)
    assert len(made) == number * (number - 1)
    assert "u1/a1 → u2/a2: icmp, tcp, udp answered" in made
    assert {f"a{index + 1}" for index in range(number)} <= set(texts(picture))
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for box in picture.iter(f"{SVG}rect"):
        x, y = float(box.get("x", 0)), float(box.get("y", 0))
        assert x + float(box.attrib["width"]) <= width and y + float(box.attrib["height"]) <= height
    assert min(float(text.get("font-size", 0)) for text in picture.iter(f"{SVG}text")) >= 8


def test_thirty_containers_fit_on_a_phone() -> None:
    """A window of 390 pixels, of which the page leaves 366."""
    assert float(ElementTree.fromstring(draw(rows(30))).attrib["width"]) <= 366


def test_cells_do_not_overlap() -> None:
    boxes = [box for found in cells(ElementTree.fromstring(draw(mixed(60)))).values() for box in found]
    corners = [(float(box.attrib["x"]), float(box.attrib["y"]), float(box.attrib["width"])) for box in boxes]
    assert len({(x, y) for x, y, _ in corners}) == len(corners) > 60 * 59
    lines: dict[float, list[tuple[float, float]]] = {}
    for x, y, width in corners:
        lines.setdefault(y, []).append((x, width))
    for line in lines.values():
        line.sort()
        assert all(x + width <= following + 0.06 for (x, width), (following, _) in pairwise(line))


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_drawn_and_explained(outcome: Outcome) -> None:
    picture = ElementTree.fromstring(draw(rows(3, outcome.value)))
    fill, glyph = STYLES[outcome.value]
    legend = [text for text in texts(picture) if text == outcome.value]
    boxes = [box for box in picture.iter(f"{SVG}rect") if box.get("fill") == fill]
    assert len(legend) == 1 and len(boxes) == 6 + 1
    assert texts(picture).count(glyph) == (6 + 1 if glyph else 0)


def test_outcomes_are_told_apart_without_colour() -> None:
    assert set(STYLES) == {outcome.value for outcome in Outcome}
    glyphs = [glyph for _, glyph in STYLES.values()]
    assert len(set(glyphs)) == len(glyphs)


@pytest.mark.parametrize(("fill", "read"), [("#000000", "#ffffff"), ("#e69f00", "#000000"), ("#ffffff", "#000000")])
def test_a_glyph_stands_out_from_its_box(fill: str, read: str) -> None:
    assert on(fill) == read


def test_only_what_occurs_is_in_the_legend() -> None:
    assert "lost" not in texts(ElementTree.fromstring(draw(rows(3))))


def mixed(number: int = 3) -> Sequence[dict[str, str]]:
    broken = {"transport": "udp", "source": "u1/a1"}
    return [row | {"outcome": "lost"} if broken.items() <= row.items() else row for row in rows(number)]


def test_a_cell_is_split_where_transports_differ() -> None:
    made = cells(ElementTree.fromstring(draw(mixed())))
    assert {title: len(boxes) for title, boxes in made.items() if "lost" in title} == {
        "u1/a1 → u2/a2: icmp answered, tcp answered, udp lost": 3,
        "u1/a1 → u3/a3: icmp answered, tcp answered, udp lost": 3,
    }
    assert sum(map(len, made.values())) == 4 + 2 * 3


def test_a_screen_reader_is_told_what_failed() -> None:
    picture = ElementTree.fromstring(draw(mixed(), title="all pairs"))
    assert picture.attrib["role"] == "img" and picture.findtext(f"{SVG}title") == "all pairs"
    assert picture.findtext(f"{SVG}desc") == (
        "18 edges by 3 transports. 2 were not answered: u1/a1 to u2/a2 by udp: lost; u1/a1 to u3/a3 by udp: lost."
    )
    assert "All were answered." in draw(rows(2))
    assert "; and 10 more." in draw(rows(6, "lost")[:30])


def test_names_are_sorted_as_people_count_under_their_node() -> None:
    found = [text for text in texts(ElementTree.fromstring(draw(rows(12)))) if text in ("u1", "a1", "a4", "a7", "a10")]
    assert found == ["u1", "a1", "a4", "a7", "a10"] * 2


def test_names_are_escaped() -> None:
    row = {"source": "<a&b>", "destination": '"c"', "transport": "udp", "outcome": "lost"}
    picture = ElementTree.fromstring(draw([row], title="<t>"))
    assert list(cells(picture)) == ['<a&b> → "c": udp lost'] and picture.findtext(f"{SVG}title") == "<t>"


def test_an_empty_mesh_is_an_empty_picture() -> None:
    picture = ElementTree.fromstring(draw([], title="nothing"))
    assert not cells(picture) and texts(picture) == ["No edge was probed."]


def test_an_unknown_outcome_is_an_error() -> None:
    with pytest.raises(KeyError):
        draw(rows(2, "fine"))
