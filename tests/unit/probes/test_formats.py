"""What runner and agent write to each other is written down once."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from pathlib import Path

import pytest

from fixtures.probes.agent import formats
from fixtures.probes.client import MODULES, agent_source

PROBES = Path(formats.__file__).parents[1]
SOURCES = {str(path.relative_to(PROBES)): ast.parse(path.read_text()) for path in sorted(PROBES.rglob("*.py"))}
FORMATS = "agent/formats.py"
OTHERS = [name for name in SOURCES if name != FORMATS]


def struct_formats(tree: ast.Module) -> set[str]:
    """Format strings of the module's calls of struct's functions."""
    return {
        str(argument.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "struct"
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant)
    }


def fields(text: str) -> int:
    return sum(letter.isalpha() for letter in text)


def test_no_format_of_several_fields_is_written_down_in_two_modules() -> None:
    places = defaultdict(list)
    for name, tree in SOURCES.items():
        for text in struct_formats(tree):
            places[text].append(name)
    twice = {text: found for text, found in places.items() if len(found) > 1 and fields(text) > 2}
    assert len(places) > 10 and not twice


def constants(tree: ast.Module) -> dict[str, object]:
    """{name: value} of the literals that a module gives names to, by themselves or several at once."""
    found: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names, values = [node.targets[0]], [node.value]
            if isinstance(names[0], ast.Tuple) and isinstance(values[0], ast.Tuple):
                names, values = names[0].elts, values[0].elts
            for name, value in zip(names, values, strict=True):
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    found[name.id] = value.value
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_module_defines_a_constant_of_the_formats(name: str) -> None:
    shared = constants(SOURCES[FORMATS])
    assert {"MAGIC", "OUTGOING", "UDP"} <= shared.keys()
    assert not shared.items() & constants(SOURCES[name]).items()


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_module_writes_a_magic_number_down(name: str) -> None:
    written = {node.value for node in ast.walk(SOURCES[name]) if isinstance(node, ast.Constant)}
    assert not written & {formats.MAGIC, formats.ANSWER}


def test_the_agent_is_sent_all_of_its_modules_each_after_those_it_imports() -> None:
    sent = [name for name, _ in json.loads(agent_source())]
    assert sorted(sent) == sorted(path.stem for path in (PROBES / "agent").glob("*.py") if path.stem != "__init__")
    assert tuple(sent) == MODULES
    for place, name in enumerate(sent):
        tree = SOURCES[f"agent/{name}.py"]
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level}
        assert imported <= set(sent[:place])


def test_a_tag_is_at_the_beginning_of_request_and_answer() -> None:
    request = formats.request_payload(b"mesh", 7)
    assert request == b"FLNqmesh\0\0\0\7\0\0\0\0"
    assert formats.answer_payload(request, b"identity") == b"FLNamesh\0\0\0\7identity"
    assert formats.TAG_SIZE == 12
