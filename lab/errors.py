"""Errors of the cluster side, each one line that says what is wrong and the way out."""

from __future__ import annotations


class HarnessError(Exception):
    """The instrument failed (SSH lost, agent died, container gone); says nothing about the network."""


class LabError(HarnessError):
    """The lab or the cluster cannot be used; exit code 3."""


class UsageError(Exception):
    """What a person wrote (option, file, name) does not make sense; exit code 4."""


class InventoryError(UsageError):
    """A cluster file is unusable; the message names the file and the key."""


EXIT_UNUSABLE = 3
EXIT_USAGE = 4
