"""Secrets never leave with a report: what is attached passes here first."""

from __future__ import annotations

import re

_MARK = "[removed]"
_BLOCKS = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.S)
_NAMED = re.compile(
    r"""(?ix)
    ( ["']? [\w-]* (?: password | passwd | passphrase | secret | api_?key | token | secret_?id ) [\w-]* ["']?
      \s* [:=] \s* ) ( "[^"]*" | '[^']*' | [^\s,;}]+ )"""
)
_HEADERS = re.compile(r"(?im)^(\s*(?:authorization|x-(?:consul|nomad|vault)-token)\s*:\s*).+$")
_SHAPES = re.compile(r"\b(?:AKIA[0-9A-Z]{16}|hv[sb]\.[\w-]{20,})")


def scrub(text: str) -> str:
    """The text without private keys, tokens, passwords and authorization headers."""
    text = _BLOCKS.sub(f"-----{_MARK} \\1-----", text)
    text = _HEADERS.sub(rf"\g<1>{_MARK}", text)
    text = _NAMED.sub(rf"\g<1>{_MARK}", text)
    return _SHAPES.sub(_MARK, text)
