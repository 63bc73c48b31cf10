"""An audit of dependencies that needs no uplink: all are pinned, complete, as installed, and unchanged since.

Whether a pinned version has a known hole is not asked here: the lists of those are on the net.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
LINES = [line.partition("#")[0].strip() for line in TEXT.splitlines()]
PINNED = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES if line)}
IMPORTED = re.findall(r"^([\w.-]+)==", TEXT.partition("# --- what checks Flatnet")[0], re.M)
"""The packages of the first part, which run where a cluster's keys are."""


def changed_files(package: Distribution) -> list[str]:
    """Files of an installed package that are not what its own list (RECORD) says."""
    found = []
    for file in package.files or ():
        if file.hash is None or file.hash.mode != "sha256":
            continue
        place = Path(str(file.locate()))
        if place.suffix == ".pyc":
            continue
        digest = hashlib.sha256(place.read_bytes()).digest() if place.exists() else b""
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            found.append(str(file))
    return found


def test_every_line_pins_one_version() -> None:
    assert [line for line in LINES if line and not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert len(PINNED) == sum(1 for line in LINES if line), "a package is there twice"


def test_what_is_pinned_is_what_is_installed() -> None:
    wrong = []
    for name, version in PINNED.items():
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            installed = "none"
        if installed != version:
            wrong.append(f"{name}: pinned {version}, installed {installed}")
    assert wrong == []


def test_what_the_pinned_packages_need_is_pinned_too() -> None:
    """Else pip would choose a version of its own, which nobody looked at."""
    missing = [
        f"{name} needs {needed.name}"
        for name in PINNED
        for needed in map(Requirement, distribution(name).requires or ())
        if (needed.marker is None or needed.marker.evaluate({"extra": ""}))
        and canonicalize_name(needed.name) not in PINNED
    ]
    assert missing == []


@pytest.mark.parametrize("name", IMPORTED)
def test_an_installed_package_is_unchanged(name: str) -> None:
    package = distribution(name)
    assert package.files and changed_files(package) == []


def test_a_changed_file_is_found(tmp_path: Path) -> None:
    info = tmp_path / "x-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"good").digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(f"x.py,sha256={digest},4\nx-1.dist-info/RECORD,,\n")
    (tmp_path / "x.py").write_bytes(b"good")
    assert changed_files(Distribution.at(info)) == []
    (tmp_path / "x.py").write_bytes(b"evil")
    assert changed_files(Distribution.at(info)) == ["x.py"]


def test_the_pages_program_is_pinned_by_hashes() -> None:
    locked = json.loads((ROOT / "reports" / "package-lock.json").read_text())["packages"]
    assert [
        name for name, entry in locked.items() if name and not str(entry.get("integrity", "")).startswith("sha512-")
    ] == []
