"""Words that this project does not use."""

from __future__ import annotations

import pytest

from tests.unit.house.language import avoided_words
from tests.unit.house.test_architecture import FILES, ROOT

NOT_OURS = ("CHANGELOG.md", "LICENSE", "reports/package-lock.json", "tests/unit/house/language.py")
"""History, others' texts, and the list itself with what shows that it works."""
NOT_PROSE = (".xz", ".svg", ".json", ".png")


def test_no_file_uses_words_to_avoid() -> None:
    texts = [
        (path, (ROOT / path).read_text(encoding="utf-8"))
        for path in FILES
        if path not in (*NOT_OURS, "tests/unit/house/test_language.py") and not path.endswith(NOT_PROSE)
    ]
    assert len(texts) > 150
    found = "\n".join(line for path, text in texts for line in avoided_words(path, text))
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "a packet that is no echo", "these are no nodes", "a clone passes for its origin", "made anew", "sent astray",
        "a rule of somebody's", "nobody's container", "nobody may answer", "the address by Docker's word",
        "by their engines' word", "Consul's own word for it", "what a node says of itself", "held for ever",
        "a witness of the frame", "it is\n# no node",
    ],
)  # fmt: skip
def test_an_avoided_word_is_found(text: str) -> None:
    assert len(avoided_words("x.py", text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "there is no route", "is no longer used", "is no more than that", "somebody else has it", "years", "a new one",
        "the word for it", "there are no leftovers", "for every node",
    ],
)  # fmt: skip
def test_plain_english_is_not_accused(text: str) -> None:
    assert avoided_words("x.py", text) == []


def test_the_place_is_given() -> None:
    assert avoided_words("a.md", "one\nmade anew\n") == ["a.md:2: 'anew'; write: again"]
