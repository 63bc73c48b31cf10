"""The example jobs do what they say: each step is run once, by its own commands, on a lab as the staging cluster."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab.programs import find_program
from tests.hosts.clients import collect
from tests.lab.conftest import COMMAND_TIMEOUT_S, ROOT, Place, Result, place_with_lab
from tests.lab.jobs import Step, commands, github, gitlab
from tests.lab.traces import wait_until

pytestmark = pytest.mark.nightly
BASE_PACKAGES = "python3,python3-venv,busybox-static,iproute2,git,ca-certificates,nodejs"
"""What the image's base has, since a lab's node has no mirror."""
BASE = "debian-with-packages"
READY_BASE = "FLATNET_TEST_BASE"
"""Variable with a tar of the base that was made before, to save the minutes that it takes."""
HOME = "/srv/flatnet"
RECORDER = '#!/bin/sh\nprintf "%s\\n" "$0" "$@" >>"$RECORDED"\n'
"""A program in the place of one that would reach a forge."""
NOMAD_TIMEOUT_S = 600.0
LOG = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_with_lab(tmp_path_factory.mktemp("staging"), "--nodes", "2", "--no-nomad") as made:
        yield made


def cluster_file(place: Place, folder: Path, keys: str | None = None) -> Path:
    """The lab as its operator's cluster file, with copies of the keys beside it, which the reader finds in `keys`."""
    written: dict[str, Any] = YAML(typ="safe", pure=True).load(place.lab("inventory").stdout)
    document = {key: value for key, value in written.items() if key not in ("kind", "runner", "nomad")}
    document["name"] = "staging"
    document["nodes"] = []
    for node in written["nodes"]:
        ssh = dict(node["ssh"])
        for name in ("key", "known_hosts"):
            shutil.copy(ssh[name], folder / name)
            ssh[name] = f"{keys or folder}/{name}"
        document["nodes"].append({**{key: node[key] for key in node if key != "power"}, "ssh": ssh})
    file = folder / "cluster.yaml"
    YAML().dump(document, file)
    return file


@pytest.fixture
def repository(staging: Place, tmp_path: Path) -> Path:
    """The infrastructure's repository, checked out; and programs that record what a forge would be told."""
    place = tmp_path / "infrastructure"
    (tmp_path / "bin").mkdir()
    place.mkdir()
    cluster_file(staging, place)
    for program in (tmp_path / "bin" / "gh", tmp_path / "bin" / "curl", place / "apply.sh"):
        program.write_text(RECORDER)
        program.chmod(0o755)
    return place


def do(step: Step, environment: Mapping[str, str], repository: Path, staging: Place) -> Result:
    """Run a step as a runner does; what judges, from a machine on the cluster's network."""
    inside = ["nsenter", f"--net=/proc/{staging.facts('lab')['manager']}/ns/net"] if step.judges else []
    words = [*inside, "bash", "-e", "-o", "pipefail", "-c", step.script]
    given = {**environment, **dict.fromkeys(step.environment, "7")}
    return subprocess.run(
        words, cwd=repository, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=2 * COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip


JOBS = {
    "github schedule": github("schedule"),
    "github pull_request": github("pull_request"),
    "gitlab night": gitlab("night"),
    "gitlab change": gitlab("change"),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_of_a_forge(staging: Place, repository: Path, tmp_path: Path, job: str) -> None:
    variables, steps = JOBS[job]
    history = staging.top / "history"
    history.mkdir(exist_ok=True)
    (history / "runs").mkdir(exist_ok=True)
    environment = {
        **staging.environment, **variables, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HISTORY": str(history),
        "FLATNET_REPOSITORY": str(ROOT), "FLATNET_REVISION": revision(), "RECORDED": str(tmp_path / "recorded"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "CI_API_V4_URL": "https://forge.example/api/v4",
        "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7", "FLATNET_TOKEN": "secret",
    }  # fmt: skip
    for step in steps:
        done = do(step, environment, repository, staging)
        LOG.info("%s: exit code %d\n%s%s", step.name, done.returncode, done.stdout, done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((repository / "out" / "latest" / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["gate"]) == ("conformant", True)
    assert verdict["cluster"]["name"] == "staging"
    assert verdict["flatnet"]["revision"] and verdict["flatnet"]["revision"] in revision()
    assert_told(job, tmp_path, repository, history)


def assert_told(job: str, top: Path, repository: Path, history: Path) -> None:
    """The summary went where the job says, and only nights are kept."""
    summary = (repository / "out" / "latest" / "summary.md").read_text()
    recorded = (top / "recorded").read_text() if (top / "recorded").exists() else ""
    if job.startswith("github"):
        assert (top / "summary").read_text() == summary
    change = job in ("github pull_request", "gitlab change")
    assert ("apply.sh" in recorded) is change
    assert ("summary.md" in recorded) is change
    run = (repository / "out" / "latest").resolve().name
    assert (history / "runs" / run).is_dir() is not change


def revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian root file system as a tar, with what the Dockerfile would install, and the Python packages as files."""
    if READY_BASE in os.environ:
        return Path(os.environ[READY_BASE])
    top = tmp_path_factory.mktemp("base")
    clients = collect("bookworm")
    (top / "apt.conf").write_text(clients.apt)
    wheels = [sys.executable, "-m", "pip", "wheel", "-q", "-w", str(top / "wheels")]
    subprocess.run([*wheels, "-r", str(ROOT / "requirements.txt")], check=True, capture_output=True)
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={BASE_PACKAGES}"]
    words += [f"--aptopt={top / 'apt.conf'}", f"--customize-hook=copy-in {top / 'wheels'} /"]
    words += ["bookworm", str(top / "root.tar"), "-"]
    sources = "".join(source.line for source in clients.sources)
    subprocess.run(words, input=sources, text=True, check=True, capture_output=True)
    return top / "root.tar"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Iterator[Place]:
    """A lab with Nomad, on whose node u1 the image is made, by the Dockerfile's own commands."""
    if find_program("nomad") is None:
        pytest.skip("this machine has no Nomad")
    out = ROOT / "reports" / "out"
    with (
        place_with_lab(tmp_path_factory.mktemp("site"), "--nodes", "2") as made,
        tempfile.TemporaryDirectory(dir=out, prefix="jobs-") as seen_by_nodes,
    ):
        prepare(made, base, Path(seen_by_nodes))
        yield made


def on_u1(place: Place, script: str, timeout: float = COMMAND_TIMEOUT_S) -> str:
    done = place.lab("exec", "u1", "--", "sh", "-ec", script, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def prepare(place: Place, base: Path, top: Path) -> None:
    """What a person has on the node: a clone, the base image, the cluster file; /srv is the node's own.

    `top`: a folder that nodes see; each has a /tmp of its own.
    """
    clone = top / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    folder = top / "etc"
    folder.mkdir()
    cluster_file(place, folder, keys=HOME)
    image = top / base.name
    shutil.copy(base, image)
    on_u1(place, f"mount -t tmpfs tmpfs /srv && mkdir {HOME} && cp {folder}/* {HOME}")
    settings = "--change 'ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels'"
    on_u1(place, f"docker import {settings} {image} {BASE}", timeout=2 * COMMAND_TIMEOUT_S)
    (build,) = commands("Dockerfile", "docker")[:1]
    build[2:2] = ["--network", "none", "--build-arg", f"BASE={BASE}"]
    LOG.info("%s", on_u1(place, f"cd {clone} && {shlex.join(build)}", timeout=2 * COMMAND_TIMEOUT_S))


def test_the_image_runs_on_a_node(site: Place) -> None:
    run = commands("Dockerfile", "docker")[1]
    LOG.info("%s", on_u1(site, shlex.join(run), timeout=2 * COMMAND_TIMEOUT_S))
    verdict = json.loads(on_u1(site, f"cat {HOME}/out/latest/verdict.json"))
    assert verdict["exit_code"] == 0 and verdict["flatnet"]["revision"] in revision()


def test_a_periodic_job_of_nomad(site: Place) -> None:
    submit, force = commands("flatnet-nightly.nomad", "nomad")
    # u2 does not have the image, and there is no registry.
    nomad(site, "node", "eligibility", "-disable", ids_of_nodes(site)["u2"])
    LOG.info("%s%s", nomad(site, *submit[1:]), nomad(site, *force[1:]))

    def ended() -> str:
        children = re.findall(
            r"^(flatnet-nightly/periodic-\d+) ", nomad(site, "job", "status", "flatnet-nightly"), re.M
        )
        shown = "".join(nomad(site, "job", "status", child) for child in children)  # 1.1 has no `job allocs`
        statuses: list[str] = re.findall(r"^[0-9a-f]{8} +[0-9a-f]{8} +\S+ +\d+ +\w+ +(\w+)", shown, re.M)
        return next((status for status in statuses if status in ("complete", "failed")), "")

    assert wait_until(ended, bool, within_s=NOMAD_TIMEOUT_S) == "complete"
    (kept,) = on_u1(site, f"ls -d {HOME}/runs/*").split()
    verdict = json.loads(on_u1(site, f"cat {kept}/verdict.json"))
    LOG.info("%s", on_u1(site, f"cat {kept}/summary.md"))
    assert verdict["exit_code"] == 0 and verdict["flatnet"]["revision"] in revision()


def nomad(place: Place, *words: str) -> str:
    """A command of Nomad's client, typed on u1 in the checkout."""
    server = next(node["address"] for node in inventory(place)["nodes"] if node.get("nomad_server"))
    line = shlex.join([str(find_program("nomad")), *words])
    return on_u1(place, f"cd {ROOT} && TMPDIR=/tmp NOMAD_ADDR=http://{server}:4646 {line}")


def ids_of_nodes(place: Place) -> dict[str, str]:
    """{name: Nomad's id}"""
    listed = json.loads(nomad(place, "node", "status", "-json"))
    return {node["Name"]: node["ID"] for node in listed}


def inventory(place: Place) -> dict[str, Any]:
    made: dict[str, Any] = YAML(typ="safe", pure=True).load(place.lab("inventory").stdout)
    return made
