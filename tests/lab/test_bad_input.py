"""Wrong usage: an error of one line, the exit code of DESIGN §8, and nothing left behind.

All commands of this module are run once, and then judged one by one.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lab.embedded.keys import make_key
from tests.lab import traces
from tests.lab.conftest import Place, Result
from tests.lab.warm import Warm

UNUSABLE, USAGE = 3, 4
SUITE = "suites/expose"
GOOD = """\
name: office
ssh: {port: PORT, key: key, known_hosts: known_hosts}
nodes:
  - {name: n1, address: 127.0.0.1}
  - {name: n2, address: 127.0.0.2}
overlay: {name: vxlan, range: 10.32.0.0/16, subnets: {a: 10.32.0.0/24, b: 10.32.1.0/24}}
"""
READS_ALL = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""Other users may be unable to read the checkout, as in root's home."""
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *READS_ALL]


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


@dataclass(frozen=True)
class Bad:
    """A command that fails, its exit code, and regular expressions that its one line matches."""

    words: tuple[str, ...]
    code: int
    said: tuple[str, ...]
    file: str | None = None
    """Text of a cluster file; FILE in the words is its path."""
    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def cluster(text: str, *said: str, more: tuple[str, ...] = ()) -> Bad:
    return Bad((SUITE, "--cluster", "FILE", *more), USAGE, (r"/cluster\.yaml: ", *said), file=text)


def usage(*words: str, said: str) -> Bad:
    return Bad((SUITE, *words), USAGE, (said,))


FILES = {
    "missing": Bad((SUITE, "--cluster", "/no/such.yaml"), USAGE, (r"/no/such\.yaml: cannot be read: .*; give",)),
    "malformed": cluster("nodes: [\n", r"line 2: not YAML: .*; correct"),
    "empty": cluster("", r"is empty; lab/examples/"),
    "unknown key": cluster(edited("nodes:", "noeds: 3\nnodes:"), r"noeds: unknown key; did you mean 'nodes'\?"),
    "key twice": cluster(edited("b: 10.32.1", "a: 10.32.1"), r"line 6: the key 'a' is there twice; remove one"),
    "no address": cluster(edited(", address: 127.0.0.2", ""), r"nodes\.n2\.address: is missing; write it"),
    "ranges overlap": cluster(edited("10.32.1.0/24", "10.32.0.128/25"), r"overlay\.subnets\.b: .* overlaps .*; keep"),
    "name twice": cluster(edited("name: n2", "name: n1"), r"nodes\[\]\.name: 'n1' is used twice; give every"),
    "overlay": cluster(edited("vxlan", "pigeon"), r"overlay\.name: 'pigeon' is unknown; there are: .*vxlan"),
    "with --gate": cluster(edited("key: key", "key: none"), r"nodes\.n1\.ssh\.key: no file .*none", more=("--gate",)),
}  # fmt: skip
OPTIONS = {
    "overlay": usage("--overlay", "pigeon", said=r"--overlay pigeon: unknown; there are: .*vxlan"),
    "no nodes": usage("--nodes", "0", said=r"--nodes 0: a lab has 1 to 20 nodes"),
    "nodes no number": usage("--nodes", "abc", said=r"--nodes abc: not a number; write one"),
    "no known issues": usage("--known-issues", "/no/file", said=r"--known-issues /no/file: no such file; give"),
    "no baseline": usage("--baseline", "/no/file", "--gate", said=r"--baseline /no/file: no such file; give"),
    "out": Bad((SUITE, "--out", "/dev/null/out"), USAGE, (r"--out /dev/null/out: .*; choose",)),
    "two clusters": usage("--lab", "x", "--cluster", "y", said=r"--cluster and --lab exclude each other.*; leave"),
    "workers": usage("-n", "2", "--nodes", "0", said=r"--nodes 0"),
}  # fmt: skip
CLOSED = r"node n1: ssh root@127\.0\.0\.1:\d+: unreachable: .*; node n2: "
LACKS = tuple(rf"program {name} \(install " for name in ("docker", "tini", "sv", "busybox", "consul"))
"""The programs that are not in sbin, which is searched whatever PATH says."""
MACHINE = {
    "unreachable": Bad((SUITE, "--cluster", "FILE"), UNUSABLE, (CLOSED,), file=GOOD),
    "unreachable, --gate": Bad((SUITE, "--cluster", "FILE", "--gate", "--edited"), UNUSABLE, (CLOSED,), file=GOOD),
    "unreachable, workers": Bad((SUITE, "--cluster", "FILE", "-n", "2"), UNUSABLE, (CLOSED,), file=GOOD),
    "lab not up": Bad((SUITE, "--lab", "away"), UNUSABLE, (r"lab 'away' is not up \(up: none\); start it with",)),
    "not root": Bad((SUITE,), UNUSABLE, (r"cannot carry a lab: missing root \(run as root",), prefix=tuple(NOBODY)),
    "not root, lab": Bad((SUITE, "--lab", "away"), UNUSABLE, (r"only root reaches a lab",), prefix=tuple(NOBODY)),
    "daemons missing": Bad((SUITE,), UNUSABLE, LACKS, environment={"PATH": "/no", "FLATNET_CACHE": "/no"}),
}  # fmt: skip
CASES = {**FILES, **{f"option: {name}": bad for name, bad in OPTIONS.items()}, **MACHINE}


@dataclass(frozen=True)
class Outcome:
    """How one bad command ended, and what it left in its own place."""

    bad: Bad
    done: Result
    left: list[str]


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port of the loopback addresses that is reserved and on which nothing listens."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.2", first.getsockname()[1]))
        yield first.getsockname()[1]


@dataclass(frozen=True)
class Everything:
    outcomes: dict[str, Outcome]
    before: traces.Machine
    after: traces.Machine
    stayed: dict[int, str]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, closed_port: int, ready: Warm) -> Everything:
    """All bad commands."""
    top = tmp_path_factory.mktemp("bad")

    def run(index: int, bad: Bad) -> Outcome:
        place = Place(top / str(index))
        words = list(bad.words)
        place.out.mkdir(parents=True)
        if bad.file is not None:
            make_key(place.top / "key", comment="operator")
            (place.top / "known_hosts").write_text(f"127.0.0.1 {make_key(place.top / 'host', comment='n1')}\n")
            (place.top / "cluster.yaml").write_text(bad.file.replace("PORT", str(closed_port)))
            words[words.index("FILE")] = str(place.top / "cluster.yaml")
        for folder in (place.top, place.out):
            folder.chmod(0o777)
        environment = {**place.environment, **bad.environment}
        if bad.prefix:
            done = place.pytest(*words, prefix=bad.prefix)
        else:
            done = ready.pytest(place.pytest_words(*words)[3:], environment, place.out)
        return Outcome(bad, done, place.left())

    before, others = traces.machine(), traces.descendants()
    outcomes = {name: run(index, bad) for index, (name, bad) in enumerate(CASES.items())}
    stayed = {pid: words for pid, words in traces.descendants().items() if pid not in others}
    return Everything(outcomes, before, traces.machine(), stayed)


@pytest.mark.parametrize("name", [name for name, bad in CASES.items() if bad.code == USAGE])
def test_wrong_usage_is_one_line_and_exit_code_4(everything: Everything, name: str) -> None:
    outcome = everything.outcomes[name]
    assert_one_line(outcome.done, outcome.bad)
    assert outcome.done.stdout == ""
    assert outcome.left == []


@pytest.mark.parametrize("name", [name for name, bad in CASES.items() if bad.code == UNUSABLE])
def test_an_unusable_lab_or_cluster_is_one_line_and_exit_code_3(everything: Everything, name: str) -> None:
    outcome = everything.outcomes[name]
    assert_one_line(outcome.done, outcome.bad)
    assert outcome.left == []


def test_bad_commands_leave_nothing_on_the_machine(everything: Everything) -> None:
    assert everything.stayed == {}
    assert everything.before.difference(everything.after) == []


def assert_one_line(done: Result, bad: Bad) -> None:
    """Assert the exit code, and that the output is one line with all of the expected parts."""
    text = done.stdout + done.stderr
    assert done.returncode == bad.code, text
    assert "Traceback" not in text and "INTERNALERROR" not in text, text
    saying = [line for line in text.splitlines() if re.search(bad.said[0], line)]
    assert len(saying) == 1, text
    for pattern in bad.said:
        assert re.search(pattern, saying[0]), (pattern, text)
