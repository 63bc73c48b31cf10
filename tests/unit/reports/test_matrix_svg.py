"""matrix.svg: well formed at any size, and each outcome has a glyph besides its colour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from xml.etree import ElementTree

import pytest

from reports.model import Outcome
from reports.writers.matrix_svg import STYLES, draw

SVG = "{http://www.w3.org/2000/svg}"
TRANSPORTS = ("icmp", "tcp", "udp")


def rows(number: int, outcome: str = "answered") -> list[dict[str, str]]:
    names = [f"u{index % 3 + 1}/a{index + 1}" for index in range(number)]
    return [
        {"source": source, "destination": destination, "transport": transport, "outcome": outcome}
        for source, destination in permutations(names, 2)
        for transport in TRANSPORTS
    ]


def titles(picture: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in picture.iter(f"{SVG}title")]


def texts(picture: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("number", [2, 3, 60])
def test_every_edge_is_in_the_picture(number: int) -> None:
    picture = ElementTree.fromstring(draw(rows(number), title="all pairs"))
    made = titles(picture)
    assert len(made) == len(set(made)) == number * (number - 1) * len(TRANSPORTS)
    assert "u1/a1 → u2/a2 icmp: answered" in made
    assert {f"u{index % 3 + 1}/a{index + 1}" for index in range(number)} <= set(texts(picture))
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for box in picture.iter(f"{SVG}rect"):
        x, y = float(box.get("x", 0)), float(box.get("y", 0))
        assert x + float(box.attrib["width"]) <= width and y + float(box.attrib["height"]) <= height
    assert min(float(text.get("font-size", 0)) for text in picture.iter(f"{SVG}text")) >= 4


def test_cells_do_not_overlap() -> None:
    picture = ElementTree.fromstring(draw(rows(60)))
    boxes = [box for box in picture.iter(f"{SVG}rect") if box.find(f"{SVG}title") is not None]
    corners = [(float(box.attrib["x"]), float(box.attrib["y"]), float(box.attrib["width"])) for box in boxes]
    assert len({(x, y) for x, y, _ in corners}) == len(corners)
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
    assert len(legend) == 1 and len(boxes) == 18 + 1
    assert texts(picture).count(glyph) == (18 + 1 if glyph else 0)


def test_outcomes_are_told_apart_without_colour() -> None:
    assert set(STYLES) == {outcome.value for outcome in Outcome}
    glyphs = [glyph for _, glyph in STYLES.values()]
    assert len(set(glyphs)) == len(glyphs)


def test_only_what_occurs_is_in_the_legend() -> None:
    assert "lost" not in texts(ElementTree.fromstring(draw(rows(3))))


def mixed() -> Sequence[dict[str, str]]:
    broken = {"transport": "udp", "source": "u1/a1"}
    return [row | {"outcome": "lost"} if broken.items() <= row.items() else row for row in rows(3)]


def test_a_lost_edge_names_its_transport() -> None:
    picture = ElementTree.fromstring(draw(mixed()))
    assert [title for title in titles(picture) if title.endswith("lost")] == [
        "u1/a1 → u2/a2 udp: lost",
        "u1/a1 → u3/a3 udp: lost",
    ]


def test_names_are_sorted_as_people_count() -> None:
    found = [text for text in texts(ElementTree.fromstring(draw(rows(12)))) if text.startswith("u1/a")]
    assert found == ["u1/a1", "u1/a4", "u1/a7", "u1/a10"] * 2


def test_names_are_escaped() -> None:
    row = {"source": "<a&b>", "destination": '"c"', "transport": "udp", "outcome": "lost"}
    picture = ElementTree.fromstring(draw([row], title="<t>"))
    assert '<a&b> → "c" udp: lost' in titles(picture) and "<t>" in texts(picture)


def test_an_empty_mesh_is_an_empty_picture() -> None:
    assert not titles(ElementTree.fromstring(draw([], title="nothing")))


def test_an_unknown_outcome_is_an_error() -> None:
    with pytest.raises(KeyError):
        draw(rows(2, "fine"))
