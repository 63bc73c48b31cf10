"""The words that this project does not use, and where a text uses one."""

from __future__ import annotations

import re

NOT_THERE = r"(?<!there\s)(?<!where\s)"
"""`there is no route` is plain English; `a packet that is no echo` is not."""
AVOIDED = {
    rf"{NOT_THERE}is no (?!longer|more|less|later|sooner|earlier|other|one)\w+": "is not a …",
    rf"{NOT_THERE}(?:are|was|were) no (?!longer|more|less|later|sooner|earlier|other|one)\w+": "are not …",
    r"passes for": "is taken for; or say what happens",
    r"passing for": "taken for",
    r"\banew\b": "again",
    r"\bastray\b": "to the wrong …",
    r"\bof somebody's\b": "of another …",
    r"\bof somebody else's\b": "of another …",
    r"\bnobody's\b": "say whose it is not",
    r"\bnobody may\b": "must not",
    r"\bwherewith\b": "with which",
    r"\bby (?:the |their |its |an? )?(?:\w+'s|\w+s'|its|their) (?:own )?word\b": "according to …",
    r"'s (?:own )?word (?:for|of|on|is)\b": "what … reports",
    r"\bsays? of itself\b": "reports, declares",
    r"\beverybody's word\b": "what all of them report",
    r"\bears\b": "recorders, listeners",
    r"\bwitness(?:es)?\b": "recorder, observer",
    r"\bfor ever\b": "without end",
    r"\btakes? its? revenge\b": "say what happens",
}
"""Pattern → what to write."""


def avoided_words(path: str, text: str) -> list[str]:
    """`path:line: 'words'; write …` for each place; a phrase may be broken over two lines."""
    found = []
    for pattern, better in AVOIDED.items():
        spaced = pattern.replace(" ", r"(?:\s+(?:#\s+)?)")
        for match in re.finditer(spaced, text, re.IGNORECASE):
            words = " ".join(match[0].split())
            found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {words!r}; write: {better}")
    return sorted(found)
