"""Ways to fool a gate: what somebody does to a checkout or a command line, the exit code that follows, and the line.

tests/unit/reports/test_gate.py runs each of them, and docs/gate.md lists them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

from tests.unit.reports.small_suites import CATALOGUE, SmallSuites

PASSES = {"one": "ONE-1: assert True", "two": "ONE-2: assert True"}
CONFTEST = """
import os
from fixtures.session import life, version
from fixtures.session.run import RUN, Unusable, named
from lab.version import Version
from reports.plugin import REPORT

pytest_plugins = ["fixtures.plugins"]
version.read_version = lambda: Version("0.9.0", REVISION)
life.start = lambda config, unusable=None: None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    listed = config.pluginmanager.get_plugin("fixtures.plugins")
    for name in ["fixtures.plugins"] if listed is None else listed.pytest_plugins:
        if not config.pluginmanager.has_plugin(name):
            raise pytest.UsageError(f"-p no:{name}: without this plugin a run comes to no verdict; leave that out")


def pytest_runtestloop(session):
    if REPORT in session.config.stash:
        session.config.stash[REPORT].facts = {"nodes": 3}
        session.config.stash[REPORT].cluster = {**named(session.config.stash[RUN].planned), "versions": {}}
"""
"""As the checkout's own, and with a cluster that is said to be up."""
HOOK_HEAD = "import pytest\n"


@dataclass(frozen=True)
class Way:
    """One way to fool a gate."""

    done: str
    """What somebody does, as docs/gate.md tells it."""
    code: int
    line: str
    """A part of the line that says why."""
    words: tuple[str, ...] = ()
    """Arguments besides `suites --gate`."""
    prepare: Callable[[SmallSuites], None] = lambda suites: None
    environment: Mapping[str, str] = field(default_factory=dict)
    revision: str = "2fa19c2"
    apart: bool = False
    """Whether it needs a process of its own."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    conftest: str = ""
    """What is added to the conftest.py."""


def one(body: str) -> Callable[[SmallSuites], None]:
    """suites/one with this test for ONE-1."""
    return lambda suites: suites.suite("one", **{**PASSES, "one": f"ONE-1:\n{body}"})


def issues(text: str, failing: bool = False) -> Callable[[SmallSuites], None]:
    def prepare(suites: SmallSuites) -> None:
        suites.write("known.yaml", f"[{{requirement: ONE-1, owner: network team, link: '#1', reason: known, {text}}}]")
        if failing:
            one('assert 1 == 2, "one is two"')(suites)

    return prepare


def catalogue(old: str, new: str) -> Callable[[SmallSuites], None]:
    def prepare(suites: SmallSuites) -> None:
        assert old in CATALOGUE
        suites.write("suites/catalogue.yaml", CATALOGUE.replace(old, new))

    return prepare


def baseline(change: Callable[[dict[str, Any]], object]) -> Callable[[SmallSuites], None]:
    """A verdict.json of the small suites that was changed afterwards."""

    def prepare(suites: SmallSuites) -> None:
        document = earlier()
        made = change(document)
        suites.write("earlier/verdict.json", made if isinstance(made, str) else json.dumps(document))

    return prepare


def earlier() -> dict[str, Any]:
    """The verdict.json of an earlier run of the small suites on a lab of three nodes."""
    entry = {"level": "must", "status": "pass", "planned": 1, "passed": 1, "failed": 0, "errors": 0}
    return {
        "schema": 1,
        "flatnet": {"version": "0.9.0", "revision": "1111111"},
        "verdict": "conformant",
        "exit_code": 0,
        "cluster": {
            "name": "run-1", "kind": "embedded", "overlay": "vxlan", "versions": {},
            "nodes": {"u1": "192.168.56.3", "u2": "192.168.56.4", "u3": "192.168.56.5"},
        },
        "started": "2026-11-26T02:17:31+00:00",
        "duration_s": 90.0,
        "seed": 1,
        "requirements": {"ONE-1": {**entry, "reason": "", "tests": ["suites/one/test_it.py::test_one"]}},
        "probes": {"sent": 0},
    }  # fmt: skip


def more_files(suites: SmallSuites) -> None:
    """A second file that proves ONE-1."""
    head = (suites.folder / "suites/one/test_it.py").read_text().partition("@")[0]
    suites.write("suites/one/test_more.py", f'{head}@requirement("ONE-1")\ndef test_more():\n    assert False\n')


def empty(suites: SmallSuites) -> None:
    for name in ("one", "two"):
        suites.write(f"suites/{name}/test_it.py", "")


def all_skip(suites: SmallSuites) -> None:
    for name, tests in {"one": ("ONE-1", "ONE-2"), "two": ("TWO-1",)}.items():
        suites.suite(name, **{f"t{number}": f'{test}: pytest.skip("x")' for number, test in enumerate(tests)})


def add_test(text: str) -> Callable[[SmallSuites], None]:
    """A test that is added to suites/one."""

    def prepare(suites: SmallSuites) -> None:
        place = suites.folder / "suites/one/test_it.py"
        place.write_text(f"{place.read_text()}\n\n{dedent(text)}")

    return prepare


def damage(document: dict[str, Any]) -> None:
    document["requirements"]["ONE-1"] = ["pass"]


def killed(suites: SmallSuites) -> None:
    """The folder of a run that ended before its verdict."""
    suites.write("earlier/planned.json", "{}")


NOTHING_TO_TEST = """
    @requirement("ONE-1")
    @pytest.mark.parametrize("subject", [])
    def test_all(subject):
        assert False
"""
CRASH = """
    @pytest.fixture
    def thing():
        raise KeyError("no such key")


    @requirement("ONE-1")
    def test_thing(thing):
        pass
"""
LAB_DEAD = """

def pytest_collection_finish(session):
    raise Unusable("lab 'lab': node u1: sshd did not come up")
"""
LEAVES = """

def pytest_runtest_logfinish(nodeid):
    pytest.exit("enough", returncode=0)
"""
PAST, LATER = "expires: 2020-01-31", "expires: 2099-01-31"
KNOWN = ("--known-issues", "known.yaml")
EARLIER = ("--baseline", "earlier")

WAYS: dict[str, Way] = {
    # --- which tests run ---
    "all skipped": Way("every test is skipped", 6, "skipped, although it applies: x", prepare=all_skip),
    "nothing matches": Way(
        "`-k` that matches nothing", 5, "verdict: not-proved", ("-k", "nothing_like_it"),
        statuses={"ONE-1": "not-proved"}
    ),
    "deselected must": Way(
        "a `must` is deselected: `-k`, `-m`, `--deselect`", 6, "collected, but never run",
        ("--deselect", "suites/one/test_it.py::test_one"), statuses={"ONE-1": "not-proved"},
    ),
    "ignored file": Way(
        "one of a requirement's files is hidden: `--ignore`, `collect_ignore`", 6, "1 of 2 tests were not run",
        ("--ignore", "suites/one/test_more.py"), prepare=more_files, statuses={"ONE-1": "not-proved"},
    ),
    "other names": Way(
        "tests are not recognized as such: `-o python_functions=…`", 6, "1 of 2 tests were not run",
        ("-o", "python_functions=test_one test_two"), prepare=lambda suites: suites.suite(
            "one", **PASSES, hidden="ONE-1: assert False"
        ), statuses={"ONE-1": "not-proved"},
    ),
    "no disturbing": Way(
        "`--no-disruptive` where a `must` needs a disturbance", 6,
        "its proof disturbs the cluster; run with --disruptive",
        ("--no-disruptive",), statuses={"TWO-1": "not-proved"},
    ),
    "one folder": Way("only a part of the suites", 6, "suites/two was not run", ("--ignore", "suites/two")),
    "single test": Way(
        "only a single test", 4, "--gate judges every requirement; give it folders",
        ("suites/one/test_it.py::test_two",)
    ),
    "empty suites": Way("the suites are empty", 5, "verdict: not-proved", prepare=empty),
    "zero containers": Way(
        "there is nothing to test, such as no container", 6, "skipped, although it applies: got empty parameter set",
        prepare=add_test(NOTHING_TO_TEST), statuses={"ONE-1": "not-proved"},
    ),
    "expected to fail": Way(
        "a failing test is marked `xfail`", 6, "--known-issues is the place for what is accepted",
        prepare=one('pytest.xfail("we know")'),
    ),
    "stops early": Way(
        "`--maxfail`, `-x`: the run stops before a `must`", 6, "collected, but never run", ("-x",),
        prepare=lambda suites: suites.suite("one", a='ONE-2: raise NotProved("x")', b="ONE-1: assert True"),
    ),
    "leaves early": Way(
        "something ends the run with exit code 0", 6, "collected, but never run", conftest=LEAVES,
    ),
    "set-up only": Way(
        "no test runs: `--collect-only`, `--setup-only`, `--fixtures`, `--help` …", 4,
        "--gate judges a run, and with --collect-only there is none", ("--collect-only",),
    ),
    # --- how they run ---
    "killed worker": Way(
        "a worker of xdist is killed", 3, "the process that ran it was lost", ("-n", "1"),
        prepare=one("os._exit(0)"), apart=True, statuses={"ONE-1": "error"},
    ),
    "dead lab": Way(
        "the lab or the cluster does not come up", 3, "node u1: sshd did not come up", conftest=LAB_DEAD, statuses={},
    ),
    "lost node": Way(
        "a node is lost during the run", 3, "node u1: ssh: lost",
        prepare=one('raise HarnessError("node u1: ssh: lost")'),
        statuses={"ONE-1": "error"},
    ),
    "crash in a fixture": Way(
        "a fixture crashes", 3, "no such key", prepare=add_test(CRASH),
        statuses={"ONE-1": "error"},
    ),
    "interrupted": Way(
        "the run is interrupted", 2, "verdict: error", prepare=one("raise KeyboardInterrupt"), apart=True,
        statuses={"ONE-1": "error"},
    ),
    "no assertions": Way(
        "Python leaves assertions out: `PYTHONOPTIMIZE`, `-O`", 4,
        "Python leaves assertions out, so nothing could fail",
        environment={"PYTHONOPTIMIZE": "1"}, apart=True, prepare=one("assert False"),
    ),
    "variable": Way(
        "`PYTEST_ADDOPTS` adds options", 4,
        "PYTEST_ADDOPTS='-k two': --gate takes its options from the command line only",
        environment={"PYTEST_ADDOPTS": "-k two"}, prepare=one("assert False"),
    ),
    # --- what judges ---
    "no verdict": Way(
        "our plugin is switched off: `-p no:reports.plugin`", 4, "-p no:reports.plugin: without this plugin",
        ("-p", "no:reports.plugin"), prepare=all_skip,
    ),
    "no options": Way(
        "the plugin with the options is switched off", 4, "unrecognized arguments: --gate",
        ("-p", "no:fixtures.session.options"),
    ),
    "no conftest": Way("`--noconftest`", 4, "unrecognized arguments: --gate", ("--noconftest",)),
    "no results": Way(
        "a plugin that the report needs is switched off", 4, "-p no:allure_pytest: the report needs this plugin",
        ("-p", "no:allure_pytest"),
    ),
    "no plugins": Way(
        "`PYTEST_DISABLE_PLUGIN_AUTOLOAD`", 4, "-p no:allure_pytest: the report needs this plugin",
        environment={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, apart=True,
    ),
    "weaker catalogue": Way(
        "a `must` becomes a `should` in the catalogue", 4,
        "is not the released one: ONE-1 is a should, released as a must",
        prepare=catalogue("suite: one, level: must", "suite: one, level: should"),
    ),
    "shorter catalogue": Way(
        "a requirement is removed from the catalogue", 4, "is not the released one: TWO-1 is missing",
        prepare=catalogue(CATALOGUE.splitlines()[3], ""),
    ),
    "narrower catalogue": Way(
        "a requirement is made not to apply", 4, "is not the released one: ONE-1 asks for something else",
        prepare=catalogue('kept.", source: "field failure"}\n- {id: ONE-2', 'kept.", source: "field failure", '
                          'applies: [nomad]}\n- {id: ONE-2'),
    ),
    "edited checkout": Way(
        "a test, or the code that judges, is edited and not committed", 4,
        "has changes that are in no commit (2fa19c2-dirty)", revision="2fa19c2-dirty",
    ),
    # --- known issues ---
    "expired issue": Way(
        "a known issue is past its last day", 4, "ONE-1: expired on 2020-01-31; network team must fix", KNOWN,
        prepare=issues(PAST, failing=True),
    ),
    "unmatched issue": Way(
        "a known issue matches no test", 3, "no failure matches it any more; remove it", KNOWN,
        prepare=issues(f"{LATER}, tests: '*nothing*'"),
    ),
    "passing issue": Way(
        "a known issue's test passes", 3, "known issues: ONE-1 (*): no failure matches it any more", KNOWN,
        prepare=issues(LATER),
    ),
    # --- the baseline ---
    "other cluster": Way(
        "the baseline is of another cluster", 4,
        "is of another cluster (overlay swarm, here vxlan); give a run of this",
        EARLIER, prepare=baseline(lambda document: document["cluster"].update(overlay="swarm")),
    ),
    "cut baseline": Way(
        "the baseline is cut off, or not JSON", 4, "is not JSON, or only a part of it", EARLIER,
        prepare=baseline(lambda document: json.dumps(document)[:200]),
    ),
    "other schema": Way(
        "the baseline is of another schema", 4, "is of schema 7; this Flatnet compares with schema 1", EARLIER,
        prepare=baseline(lambda document: document.update(schema=7)),
    ),
    "damaged baseline": Way(
        "the baseline has entries that are not mappings", 4,
        "is damaged: requirements.ONE-1: Input should be a valid dict",
        EARLIER, prepare=baseline(damage),
    ),
    "killed baseline": Way(
        "the baseline's run came to no verdict", 4, "has no verdict.json: that run came to no verdict", EARLIER,
        prepare=killed,
    ),
}  # fmt: skip
