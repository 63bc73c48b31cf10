"""Errors of the cluster side, each one line that says what is wrong and the way out."""

from __future__ import annotations

LONGEST_LINE = 1500
"""Characters of an error that a person can read; what is wrong stands in front."""


def printable(text: str, *, keep: str = "") -> str:
    """The text with every character written out that a terminal would obey or a file could not hold.

    A node, or whoever wrote a file, must not move the cursor of the terminal that shows an error, nor make two lines of
    one. `keep`: characters that stay, such as the ends of lines.
    """
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape").decode()
        for letter in text
    )


class HarnessError(Exception):
    """The instrument failed (SSH lost, agent died, container gone); says nothing about the network."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n\t")


class LabError(HarnessError):
    """The lab or the cluster cannot be used; exit code 3."""


class UsageError(Exception):
    """What a person wrote (option, file, name) does not make sense; exit code 4. Its message is one line."""

    def __str__(self) -> str:
        text = printable(super().__str__())
        return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


class InventoryError(UsageError):
    """A cluster file is unusable; the message names the file and the key."""


EXIT_UNUSABLE = 3
EXIT_USAGE = 4
