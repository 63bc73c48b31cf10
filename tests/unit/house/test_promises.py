"""A promise has one name, and it leads to five places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.requirements import load

ROOT = Path(__file__).resolve().parents[3]
PROMISES = sorted(path.name for path in (ROOT / "suites").iterdir() if path.is_dir() and path.name != "__pycache__")


def missing_places(root: Path, promise: str) -> list[str]:
    """What of the five places of a promise a checkout lacks."""
    wanted = {
        f"suites/{promise}/": bool(list((root / "suites" / promise).glob("test_*.py"))),
        f"fixtures/{promise}/": _has_modules(root / "fixtures" / promise),
        f"lab/faults/{promise}.py": _has_faults(root / "lab" / "faults" / f"{promise}.py"),
        f"docs/requirements/{promise}.md": (root / "docs" / "requirements" / f"{promise}.md").is_file(),
        f"tests/unit/{promise}/": bool(list((root / "tests" / "unit" / promise).glob("test_*.py"))),
    }
    return [place for place, there in wanted.items() if not there]


def _has_modules(package: Path) -> bool:
    return any(path.name != "__init__.py" for path in package.glob("*.py"))


def _has_faults(module: Path) -> bool:
    return module.is_file() and re.search(r"^    Fault\(", module.read_text(), re.M) is not None


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_its_five_places(promise: str) -> None:
    missing = missing_places(ROOT, promise)
    assert not missing


def test_promises_are_those_of_the_catalogue() -> None:
    assert sorted({entry.suite for entry in load(ROOT / "suites" / "catalogue.yaml").values()}) == PROMISES


def test_a_missing_place_is_found(tmp_path: Path) -> None:
    places = {
        "suites/x/test_a.py": "", "fixtures/x/a.py": "", "lab/faults/x.py": "FAULTS = (\n    Fault(\n",
        "docs/requirements/x.md": "", "tests/unit/x/test_a.py": "",
    }  # fmt: skip
    for name, text in places.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "fixtures/x/__init__.py").touch()
    assert missing_places(tmp_path, "x") == []
    for name in places:
        content = (tmp_path / name).read_text()
        (tmp_path / name).unlink()
        assert len(missing_places(tmp_path, "x")) == 1, name
        (tmp_path / name).write_text(content)
    (tmp_path / "lab/faults/x.py").write_text("FAULTS = ()\n")
    assert missing_places(tmp_path, "x") == ["lab/faults/x.py"]
