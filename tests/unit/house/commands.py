"""Command lines of Markdown pages: where they are, and what of them does not exist in this checkout."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab import commands as lab_commands
from lab.faults import FAULTS
from lab.overlays import IN_LABS

PROGRAMS = ("./run", "pytest", ".ci/run", ".ci/nightly")
MODULE = re.compile(r"^(?:python3?|\$PY) -m ([\w.]+)")
BLOCK = re.compile(r"^```[a-z]*\n.*?^```$|^(?:    [^\n]*\n)+", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
END_OF_COMMAND = {"||", "&&", "|", ";", ">", ">>", "<"}
PLACEHOLDER = re.compile(r"[A-Z][A-Z_\[\]]*|.*[…<].*")
PATH = re.compile(
    r"(?:suites|fixtures|lab|reports|tests|docs|benchmarks|\.ci|\.github|\.gitlab)/[\w./<>*-]*"
    r"|(?:README|CONTRIBUTING|CHANGELOG)\.md|requirements\.txt|pyproject\.toml|conftest\.py|LICENSE"
)
MADE_BY_A_RUN = ("reports/out", "reports/node_modules")
FAULT = re.compile(r"([a-z][a-z0-9-]+)@u[0-9]+")
DOTTED = re.compile(r"(?:suites|fixtures|lab|reports|tests|benchmarks)(?:\.\w+)+")
SAVED = re.compile(r"(?:Save this as|Create|create) `([^`]+)`")
"""How a page says that its reader makes a file, which the checkout therefore lacks."""
NAMED = re.compile(r'^ *(?:name = )?"([a-z][a-z0-9-]+)",?$', re.M)
"""A fault's or an overlay's name in code that the reader is to write."""
PARSE = """
import json, os, sys
from _pytest.config import _prepareconfig
import pytest
arguments, answers = json.load(sys.stdin), os.fdopen(os.dup(1), "w")  # pytest captures both from here on
drill, other = (_prepareconfig(words)._parser for words in (["tests/drill"], ["suites"]))
for words in arguments:
    try:
        option = (drill if any(word.startswith("tests/drill") for word in words) else other).parse(words)
    except pytest.UsageError as error:
        told = {"error": " ".join(str(error).split())}
    else:
        told = {"paths": option.file_or_dir, "overlay": option.overlay, "fault": option.fault}
    print("told", json.dumps(told), file=answers)
answers.close()
"""
"""Reads lists of pytest arguments, and prints what the parser of this checkout makes of each."""


@dataclass(frozen=True)
class Command:
    """One command of a page."""

    line: int
    """Its line in the page; 0: inline code, which may name a command without its arguments."""
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """As the page has it, without a comment behind it."""
        return " ".join(self.words)


def commands_in(text: str) -> list[Command]:
    """The commands of code blocks and of inline code that run something of this checkout."""
    found: list[Command] = []
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start()) + 1
        for number, line in enumerate(re.sub(r" *\\\n *", " ", block[0]).splitlines()):
            command, *_ = re.split(r"\s{2,}", line.strip().removeprefix("$ "))  # what stands apart is a remark
            found.extend(_commands_of(command, first + number))
    for inline in INLINE.finditer(BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)):
        found.extend(_commands_of(inline[1], 0))
    return found


def _commands_of(line: str, number: int) -> Iterator[Command]:
    if not (line.startswith(PROGRAMS) or MODULE.match(line) or re.search(r"(?:&& |; )(?:\./run|pytest|python)", line)):
        return
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # an unfinished quotation: a sentence, not a command
        return
    command: list[str] = []
    for word in [*words, ";"]:
        ends = word in END_OF_COMMAND or word.endswith(";")
        if word not in END_OF_COMMAND:
            command.append(word.rstrip(";"))
        if ends:
            if command and (command[0] in PROGRAMS or MODULE.match(" ".join(command[:3]))):
                yield Command(number, tuple(command))
            command = []


def _is_placeholder(word: str) -> bool:
    return PLACEHOLDER.fullmatch(word) is not None


def pytest_words(command: Command) -> list[str] | None:
    """The command's arguments for pytest; None when it runs something else."""
    words = list(command.words)
    if words[0] in ("./run", "pytest"):
        rest = words[1:]
    elif words[1:3] == ["-m", "pytest"]:
        rest = words[3:]
    else:
        return None
    return [word for word in rest if word != "…"]


def made_by_the_reader(text: str) -> list[str]:
    """Paths, faults and overlays that the page tells its reader to make."""
    return [*SAVED.findall(text), *(name for block in BLOCK.findall(text) for name in NAMED.findall(block))]


def wrong_commands(commands: Sequence[Command], root: Path, saved: Sequence[str] = ()) -> list[str]:
    """What the commands name and the checkout lacks; `saved` are paths and names that the reader makes."""
    found: list[str] = []
    for command in commands:
        words = pytest_words(command)
        if words is not None:
            told = _parsed(words, root)
            found.extend(f"{command.text}: {what}" for what in _wrong_for_pytest(told, root, saved))
        module = MODULE.match(command.text)
        if command.words[0].startswith(".ci/") and not (root / command.words[0]).is_file():
            found.append(f"{command.text}: no such file")
        elif module and module[1] == "lab":
            wrong = _wrong_for_lab(list(command.words[3:]))
            found.extend(f"{command.text}: {what}" for what in wrong if command.line or "are required" not in what)
        elif module and module[1] != "pytest":
            found.extend(f"{command.text}: {what}" for what in _wrong_for_module(module[1], command.words[3:], root))
    return found


_TOLD: dict[tuple[str, ...], dict[str, object]] = {}


def parse(arguments: Sequence[Sequence[str]], root: Path) -> None:
    """Have pytest's parser read lists of arguments, all in one process: starting it takes longer than all the rest."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE], input=json.dumps([list(words) for words in arguments]), cwd=root,
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    answers = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("told ")]
    _TOLD.update(zip(map(tuple, arguments), answers, strict=True))


def _parsed(words: list[str], root: Path) -> dict[str, object]:
    if tuple(words) not in _TOLD:
        parse([words], root)
    return _TOLD[tuple(words)]


def _wrong_for_pytest(told: dict[str, object], root: Path, saved: Sequence[str]) -> Iterator[str]:
    if "error" in told:
        yield str(told["error"])
        return
    paths, faults = told["paths"], told["fault"] or []
    assert isinstance(paths, list) and isinstance(faults, list)
    for path in paths:
        place = str(path).partition("::")[0]
        if not _is_placeholder(place) and place not in saved and not (root / place).exists():
            yield f"no file {place}"
    yield from _wrong_names(told["overlay"], faults, saved)


def _wrong_names(overlay: object, faults: Sequence[str], saved: Sequence[str] = ()) -> Iterator[str]:
    if overlay is not None and overlay not in (*IN_LABS, *saved) and not _is_placeholder(str(overlay)):
        yield f"no overlay {overlay}"
    for text in faults:
        name = text.partition("@")[0]
        if name not in (*FAULTS, *saved) and not _is_placeholder(name):
            yield f"no fault {name}"


def _wrong_for_lab(words: list[str]) -> Iterator[str]:
    """What `python -m lab` would not understand."""
    said = io.StringIO()
    words = ["3" if word == "N" else word for word in words if word != "…"]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            options = lab_commands._parser().parse_args(words)
    except SystemExit as ended:
        if ended.code:
            yield said.getvalue().strip()
        return
    yield from _wrong_names(getattr(options, "overlay", None), getattr(options, "faults", ()))


def _wrong_for_module(name: str, words: Sequence[str], root: Path) -> Iterator[str]:
    try:
        known = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        known = False
    if not known:
        yield f"no module {name}"
        return
    cut = words.index("--") if "--" in words else len(words)
    options = [word.partition("=")[0] for word in words[:cut] if word.startswith("--")]
    if options:
        helped = _help_of(name, root)
        yield from (f"no option {word}" for word in options if word not in helped)


@cache
def _help_of(module: str, root: Path) -> str:
    words = [sys.executable, "-m", module, "--help"]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False).stdout


def wrong_names(text: str, root: Path) -> list[str]:
    """Paths, modules and faults in inline code that the checkout lacks."""
    saved, found = SAVED.findall(text), []
    prose = BLOCK.sub("", text)
    for inline in INLINE.findall(prose):
        fault = FAULT.fullmatch(inline)
        if fault and fault[1] not in FAULTS:
            found.append(f"no fault {fault[1]}")
        if PATH.fullmatch(inline) and not inline.startswith(MADE_BY_A_RUN) and inline not in saved:
            pattern = re.sub(r"<[a-z]+>", "*", inline)
            if not any(root.glob(pattern.rstrip("/"))):
                found.append(f"no file {inline}")
        if DOTTED.fullmatch(inline):
            found += _wrong_for_module(inline, [], root)
    return found


def anchors(text: str) -> set[str]:
    """The anchors that a forge gives to the page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower().replace("`", "")).strip().replace(" ", "-") for title in titles}
