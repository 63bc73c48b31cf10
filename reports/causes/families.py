"""Families of requirements, and which of them can be a consequence of which. Pure.

A lower family carries the ones above it: when packets are dropped on a node, its names, its jobs and its Consul fail as
well, and not the other way round.
"""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """What a requirement is about."""

    SETTING = "settings of the node"
    IDENTITY = "identity of the node"
    PEERS = "peers of the overlay"
    LIMIT = "limits of the node"
    PACKETS = "packets"
    TRANSLATION = "translation"
    LEAK = "isolation"
    ADDRESS = "addresses"
    STALE = "entries that are stale"
    EXPOSE = "expose"
    QUORUM = "Consul's servers"
    CONTRACT = "contract"
    SCHEDULER = "Nomad's servers"
    NAMES = "names"
    JOBS = "jobs"
    SERVICES = "addresses of services"
    RETURN = "return to the steady state"
    OTHER = "other"


_OF_REQUIREMENTS = {
    "NET-2": Family.TRANSLATION, "NET-3": Family.ADDRESS, "NET-4": Family.ADDRESS, "NET-9": Family.STALE,
    "NET": Family.PACKETS, "PATH": Family.PACKETS, "HOST-1": Family.LEAK, "HOST-3": Family.TRANSLATION,
    "HOST-5": Family.EXPOSE, "HOST-6": Family.LEAK, "HOST": Family.PACKETS, "DNS": Family.NAMES,
    "ISO-2": Family.PACKETS, "ISO-8": Family.ADDRESS, "ISO": Family.LEAK, "CP-1": Family.PEERS, "CP-2": Family.QUORUM,
    "CP-3": Family.SCHEDULER, "CP-4": Family.IDENTITY, "CP-5": Family.SETTING, "CP-6": Family.LIMIT,
    "JOB-3": Family.JOBS, "JOB": Family.JOBS, "JOB-7": Family.SERVICES,
    "JOB-8": Family.SERVICES, "JOB-9": Family.SERVICES, "JOB-10": Family.SERVICES,
    "EXT-1": Family.ADDRESS, "EXT-2": Family.ADDRESS, "EXT-3": Family.STALE,
    "EXT-4": Family.CONTRACT, "RES": Family.RETURN,
}  # fmt: skip
LAYERS = {
    Family.SETTING: 0, Family.LIMIT: 0, Family.IDENTITY: 1, Family.TRANSLATION: 1, Family.ADDRESS: 1, Family.STALE: 1,
    Family.PACKETS: 2, Family.LEAK: 2, Family.PEERS: 2, Family.EXPOSE: 2, Family.CONTRACT: 3, Family.QUORUM: 3,
    Family.SCHEDULER: 4, Family.NAMES: 5, Family.JOBS: 6, Family.SERVICES: 6, Family.RETURN: 7, Family.OTHER: 7,
}  # fmt: skip
"""The layer of each: a cause explains what is in its own layer or above, on the same node."""
NEVER = {
    (Family.LEAK, Family.NAMES), (Family.LEAK, Family.QUORUM), (Family.LEAK, Family.PACKETS),
    (Family.TRANSLATION, Family.QUORUM), (Family.STALE, Family.QUORUM), (Family.ADDRESS, Family.QUORUM),
    (Family.EXPOSE, Family.QUORUM), (Family.CONTRACT, Family.QUORUM), (Family.CONTRACT, Family.NAMES),
}  # fmt: skip
"""(cause, consequence) that do not go together although their layers do: what lets too much pass breaks no name."""


def family(requirement: str) -> Family:
    """The family of a requirement, by its id or by the word before its number."""
    word = requirement.partition("-")[0]
    return _OF_REQUIREMENTS.get(requirement) or _OF_REQUIREMENTS.get(word) or Family.OTHER


def explains(cause: Family, consequence: Family) -> bool:
    """Whether trouble of one family can be the cause of trouble of another, on the same node."""
    return LAYERS[cause] <= LAYERS[consequence] and (cause, consequence) not in NEVER
