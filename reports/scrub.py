"""Removes secrets from what is attached to a report."""

from __future__ import annotations

import re

_MARK = "[removed]"
_NAME = r"password|passwd|passphrase|secret(?:[\ _-]?id)?|api_?key|token|private_?key|authorization|encrypt|auth"
_BLOCKS = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY[A-Z ]*)-----.*?(?:-----END \1-----|\Z)", re.S)
_NAMED = re.compile(
    rf"""(?ix)
    ( [\w-]* (?:{_NAME}) (?:[_-][\w-]*)? \\*["']? \s* [:=] \s* )
    (?: "(?:[^"\\]|\\.)*" | \\+"[^"]*" | '[^']*' | [^\s,;}}&"'{{\[]+ )"""
)
_OPTIONS = re.compile(rf"(?i)((?:^|\s)--?[\w-]*(?:{_NAME})[\w-]* +)(?!-)\S+")
_HEADERS = re.compile(r"""(?i)((?:authorization|cookie|x-(?:consul|nomad|vault)-token)\s*:\s*)[^\s"'][^"'\n]*""")
_ADDRESSES = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)")
_SHAPES = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|hv[sb]\.[\w-]{20,}|gh[opsu]_\w{20,}|SWMTKN-1-[\w-]{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)"
)
"""AWS access keys, Vault and GitHub tokens, Docker Swarm's join tokens, JSON web tokens (RFC 7519)."""


def scrub(text: str) -> str:
    """The text without private keys, tokens, passwords and authorization headers."""
    text = _BLOCKS.sub(f"-----{_MARK} \\1-----", text)
    text = _HEADERS.sub(rf"\g<1>{_MARK}", text)
    text = _NAMED.sub(rf"\g<1>{_MARK}", text)
    text = _OPTIONS.sub(rf"\g<1>{_MARK}", text)
    text = _ADDRESSES.sub(rf"\g<1>{_MARK}", text)
    return _SHAPES.sub(_MARK, text)
