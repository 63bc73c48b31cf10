"""What a test is called in a report, and how its parameters read there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAMES = {"Consul", "Docker", "Linux", "Nomad", "Weave"}
"""Words that have a capital wherever they stand."""


def title(docstring: str, parameters: Mapping[str, str] | None = None) -> str:
    """`u1/a1 → u2/a2, udp: no device on the way rewrites source or destination`.

    The first sentence of a test's docstring states the promise. `parameters`: {name: text}, as `in_words` makes it.
    """
    first = " ".join(docstring.strip().partition("\n\n")[0].split()).rstrip(".")
    subjects = [f"{name} {text}" if name == "subnet" else text for name, text in (parameters or {}).items()]
    return f"{', '.join(subjects)}: {_within(first)}" if subjects else first


def _within(sentence: str) -> str:
    """A sentence as it reads behind a colon: a name or an abbreviation keeps its capital."""
    word = sentence.partition(" ")[0].removesuffix("'s")
    ordinary = (word[1:].islower() or len(word) == 1) and word not in NAMES
    return sentence[:1].lower() + sentence[1:] if ordinary else sentence


def in_words(value: object) -> str:
    """A parameter as a person writes it: `u1/a1 → u2/a2` for a pair, and what `str` makes of anything else."""
    if isinstance(value, tuple | list):
        return (" → " if len(value) == 2 else ", ").join(map(in_words, value))
    return str(value)


def severity(levels: Iterable[str]) -> str:
    """Allure's severity of a test that proves requirements of these levels (`must`, `should`)."""
    return "critical" if "must" in levels else "normal"
