"""Text is read and written as UTF-8, whatever the locale of the machine says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(
    path
    for folder in ("lab", "fixtures", "reports")
    for path in (ROOT / folder).rglob("*.py")
    # The agents' own files run on the nodes, and read what kernels write there, which is ASCII.
    if not path.is_relative_to(ROOT / "fixtures" / "probes" / "agent")
    and not {"node_modules", "out"} & set(path.relative_to(ROOT).parts)
)


def by_locale(source: str) -> Iterator[int]:
    """The lines of calls that take their encoding from the locale."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and not any(word.arg in ("encoding", None) for word in call.keywords):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            given = {word.arg: word.value for word in call.keywords}
            is_text = isinstance(text := given.get("text"), ast.Constant) and text.value is True
            reads = name == "read_text" and not call.args
            writes = name == "write_text" and len(call.args) == 1
            if is_text or reads or writes or (name in ("open", "fdopen") and _is_text_mode(call, given.get("mode"))):
                yield call.lineno


def _is_text_mode(call: ast.Call, named: ast.expr | None) -> bool:
    """Whether a call of something named open gives a mode of text; one of a method without a mode may open anything."""
    if ast.unparse(call.func) in ("tarfile.open", "os.open"):
        return False
    is_method = isinstance(call.func, ast.Attribute) and call.func.attr == "open"
    place = 0 if is_method else 1
    mode = named or (call.args[place] if len(call.args) > place else None)
    if mode is None:
        return not is_method
    return isinstance(mode, ast.Constant) and str(mode.value) in {"r", "w", "a", "x", "r+", "w+", "a+", "rt", "wt"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_is_read_or_written_in_the_encoding_of_the_locale(path: Path) -> None:
    assert not [f"{path}:{line}" for line in by_locale(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.read_text()", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.write_text(text)", True),
        ("run(words, text=True)", True),
        ("run(words, text=True, encoding='utf-8')", False),
        ("open(path)", True),
        ("open(path, 'rb')", False),
        ("path.open('w')", True),
        ("path.open('wb')", False),
        ("connection.open()", False),
        ("tarfile.open(mode='w')", False),
    ],
)
def test_calls_that_take_the_locales_encoding_are_found(source: str, found: bool) -> None:
    assert bool(list(by_locale(source))) is found
