"""The file of --expect-diff: what is written can be read again, and mistakes are one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.change.declaration import read_declaration, write_declaration
from fixtures.change.differences import Declared, Difference
from lab.errors import UsageError

FOUND = [
    Difference("u2", "versions", "engine", "20.10.24", "26.1.5"),
    Difference("u2", "filter", "nft ip filter FORWARD", None, "-A FORWARD ! -i x -m comment --comment 'a: b' -j DROP"),
]


def test_what_is_written_declares_exactly_what_was_found(tmp_path: Path) -> None:
    file = tmp_path / "diff.yaml"
    write_declaration(file, FOUND, "What `x` changed")
    assert file.read_text().startswith("# What `x` changed\n# Keep what is meant")
    declared = read_declaration(file)
    assert declared == tuple(Declared(one.node, one.section, one.what, one.before, one.after) for one in FOUND)
    assert all(entry.matches(one) for entry, one in zip(declared, FOUND, strict=True))


def test_nothing_found_is_an_empty_declaration(tmp_path: Path) -> None:
    write_declaration(tmp_path / "diff.yaml", [], "nothing")
    assert read_declaration(tmp_path / "diff.yaml") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "differences: [{section: versions, whatt: x}]",
            "differences.0.what: is missing; write it; docs/change-gate.md",
        ),
        ("differences: [{section: v, what: x, nodes: u2}]", "differences.0.nodes: is not a known key"),
        ("difference: []", "difference: is not a known key"),
        ("differences: [", "is not YAML"),
        ("- a", "docs/change-gate.md has an example"),
    ],
)
def test_a_mistake_is_one_line_with_the_file(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "diff.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        read_declaration(file)
    assert told in str(error.value) and f"--expect-diff {file}" in str(error.value) and "\n" not in str(error.value)


def test_what_is_left_out_means_anything(tmp_path: Path) -> None:
    file = tmp_path / "diff.yaml"
    file.write_text("differences: [{section: versions, what: engine, before: null}]")
    assert read_declaration(file) == (Declared("*", "versions", "engine", None, "*"),)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--expect-diff .*: no such file; --write-diff writes one"):
        read_declaration(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match=r"--write-diff .*: No such file or directory; choose a file"):
        write_declaration(tmp_path / "none" / "diff.yaml", [], "x")
