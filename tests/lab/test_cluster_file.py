"""A lab's inventory as a cluster file, used from a machine on its network as an operator would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab.embedded.keys import make_key
from tests.lab.conftest import Place
from tests.lab.warm import Warm

SUITE = "suites/expose"
PROOF = "test_after_expose_every_node_reaches_every_container"


@pytest.fixture(scope="module")
def written(kept: Place) -> dict[str, Any]:
    """What `python -m lab inventory` prints, as a mapping."""
    done = kept.lab("inventory")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(done.stdout)
    return document


@pytest.fixture
def cluster_file(written: dict[str, Any], tmp_path: Path) -> Path:
    """The file that the lab's operator would have written: nothing in it says that this is a lab."""
    document = {key: value for key, value in written.items() if key not in ("kind", "runner")}
    document["nodes"] = [{key: node[key] for key in node if key != "power"} for node in written["nodes"]]
    file = tmp_path / "cluster.yaml"
    YAML().dump(document, file)
    return file


def verdict(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.out / "latest" / "verdict.json").read_text())
    return found


def test_a_cluster_file_gives_the_verdict_of_the_lab(kept: Place, cluster_file: Path) -> None:
    as_lab = kept.pytest(SUITE, "--lab", "lab", "--no-disruptive")
    of_lab = verdict(kept)
    inside = ["nsenter", f"--net=/proc/{kept.facts('lab')['manager']}/ns/net"]
    as_cluster = kept.pytest(SUITE, "--cluster", str(cluster_file), prefix=inside)
    of_cluster = verdict(kept)
    assert (as_lab.returncode, as_cluster.returncode) == (0, 0), as_lab.stdout + as_cluster.stdout
    assert (of_lab["cluster"]["kind"], of_cluster["cluster"]["kind"]) == ("embedded", "cluster")

    def proved(document: dict[str, Any]) -> dict[str, tuple[str, int]]:
        return {name: (entry["status"], entry["passed"]) for name, entry in document["requirements"].items()}

    assert proved(of_cluster) == proved(of_lab)
    _assert_page_tells(kept.out / "latest" / "index.html", of_cluster)
    assert proved(of_cluster)["HOST-2"] == ("pass", 2)
    assert "before_expose" not in as_cluster.stdout, "proofs that disturb are left out on a cluster file's cluster"
    assert not (kept.top / "state" / "flatnet").exists()


def _assert_page_tells(page: Path, document: dict[str, Any]) -> None:
    """The page that Allure's generator made begins with the verdict and every requirement; the tests come behind."""
    text = page.read_text(encoding="utf-8")
    head, _, tests = text[text.index("<main") :].partition("</main>")
    flatnet = document["flatnet"]
    assert f">Flatnet {flatnet['version']} ({flatnet['revision']}): {document['verdict']} (" in head
    assert "allure" in tests
    shown = {
        name
        for name, entry in document["requirements"].items()
        if f'<details class="req {entry["status"]}" id="{name}">' in head
    }
    assert shown == set(document["requirements"])


def test_a_run_that_cannot_begin_ends_in_one_line(kept: Place) -> None:
    """The fault needs a kernel module; where that is missing, the run takes back what it had prepared."""
    done = kept.pytest("suites/control_plane/test_peers.py", "--lab", "lab", "--fault", "higher-latency")
    text = done.stdout + done.stderr
    assert "Traceback" not in text and done.returncode in (0, 3), text
    assert done.returncode == 0 or "fault higher-latency: node u2's kernel lacks what it needs" in text


def test_the_inventory_as_printed_is_a_cluster_file(
    kept: Place, ready: Warm, written: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "cluster.yaml"
    YAML().dump(written, file)
    words = kept.pytest_words(SUITE, "-k", PROOF, "--cluster", str(file))
    done = ready.pytest(words[3:], kept.environment, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("key", r"ssh root@192\.168\.56\.3:22: key \S+ was refused; add its public half to authorized_keys"),
        ("known_hosts", r"ssh root@192\.168\.56\.3:22: its host key is not the one in \S+; if the node"),
        ("nobody", r"ssh root@192\.168\.56\.3:22: no host key for it in \S+; add one"),
    ],
)
def test_wrong_ssh_keys_are_one_line(
    kept: Place, ready: Warm, written: dict[str, Any], tmp_path: Path, key: str, said: str
) -> None:
    other = make_key(tmp_path / "key", comment="other")
    hosts = [f"{node['address']} {other}" for node in written["nodes"]] if key == "known_hosts" else []
    (tmp_path / "known_hosts").write_text("\n".join(hosts) + "\n")
    name = "key" if key == "key" else "known_hosts"
    nodes = [{**node, "ssh": {**node["ssh"], name: str(tmp_path / name)}} for node in written["nodes"]]
    file = tmp_path / "cluster.yaml"
    YAML().dump({**written, "nodes": nodes}, file)
    done = ready.pytest(kept.pytest_words(SUITE, "--cluster", str(file))[3:], kept.environment, tmp_path)
    assert_unusable(done.returncode, done.stdout + done.stderr, rf"node u1: {said}.*; node u2: ")


def test_a_lab_name_that_is_taken_is_one_line(kept: Place, ready: Warm, tmp_path: Path) -> None:
    done = ready.pytest(kept.pytest_words(SUITE, "--keep-lab")[3:], kept.environment, tmp_path)
    assert_unusable(done.returncode, done.stdout + done.stderr, r"lab name 'lab' is taken by a running lab; use it")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("up",), 3, r"lab name 'lab' is taken by a running lab; use it"),
        (("exec", "u9", "--", "true"), 4, r"lab 'lab' has no running node 'u9'; it has: u1, u2"),
        (("exec", "u1"), 4, r"exec: no command; write it after `--`"),
        (("enter", "u9"), 4, r"lab 'lab' has no running node 'u9'"),
        (("power-on", "u1"), 3, r"lab 'lab': node 'u1' is running already"),
        (("power-off", "u9"), 3, r"lab 'lab': node 'u9' is not running"),
    ],
)
def test_bad_commands_to_a_running_lab_are_one_line(kept: Place, words: tuple[str, ...], code: int, said: str) -> None:
    done = kept.lab(*words)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert re.search(said, done.stderr), done.stderr


def assert_unusable(code: int, text: str, said: str) -> None:
    assert code == 3, text
    assert "Traceback" not in text and "INTERNALERROR" not in text
    assert len([line for line in text.splitlines() if re.search(said, line)]) == 1, text


def attached_to(result: dict[str, Any]) -> Iterator[str]:
    """Names of what is attached to a result of Allure's, or to a step of it."""
    yield from (attachment["name"] for attachment in result.get("attachments", ()))
    for step in result.get("steps", ()):
        yield from attached_to(step)


def test_a_test_that_passes_has_no_diagnosis(kept: Place) -> None:
    """A diagnosis takes seconds, so only tests that fail have one."""
    done = kept.pytest("suites/path/test_packets.py", "--lab", "lab")
    results = [json.loads(file.read_text()) for file in (kept.out / "latest" / "allure-results").glob("*-result.json")]
    attached = {name for result in results for name in attached_to(result)}
    assert done.returncode == 0, done.stdout
    assert {"probes", "packets judged"} <= attached
    assert not [name for name in attached if name.startswith(("state of", "trail", "second look"))]
