"""No broad exceptions, hidden errors or patched environment; and what suites may not contain."""

from __future__ import annotations

import pytest

from tests.unit.house.exceptions import lax_places, unreadable_in_a_suite
from tests.unit.house.test_architecture import MODULES, SUITES


def test_no_place_is_lax() -> None:
    found = "\n".join(line for path, text in MODULES for line in lax_places(path, text))
    assert not found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fixtures/x.py", "try:\n    f()\nexcept Exception:\n    pass"),
        ("suites/x.py", "try:\n    f()\nexcept (OSError, BaseException) as error:\n    pass"),
        ("fixtures/x.py", "try:\n    f()\nexcept:\n    pass"),
        ("fixtures/x.py", 'node.run("ip route 2>/dev/null")'),
        ("fixtures/x.py", 'node.run(f"{look} 2> /dev/null || true")'),
        ("fixtures/x.py", 'node.run("ip route &>/dev/null")'),
        ("lab/x.py", "with patch.dict(os.environ, clear=True):\n    f()"),
        ("reports/x.py", "with mock.patch.dict('os.environ'):\n    f()"),
    ],
)
def test_a_lax_place_is_found(path: str, text: str) -> None:
    assert len(lax_places(path, text)) == 1


def test_narrow_exceptions_and_tests_are_left_alone() -> None:
    assert lax_places("fixtures/x.py", "try:\n    f()\nexcept (OSError, ValueError):\n    pass") == []
    assert lax_places("fixtures/x.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise") == []
    assert lax_places("tests/x.py", "try:\n    f()\nexcept Exception:\n    pass") == []
    assert lax_places("fixtures/x.py", 'run("ip route >/dev/null")') == []


def test_suites_are_readable() -> None:
    found = "\n".join(line for path, text in SUITES for line in unreadable_in_a_suite(path, text))
    assert not found


@pytest.mark.parametrize(
    "text", ["f(lambda x=x: x)", "f(lambda *, x=1: x)", "f(x)  # type: ignore[misc]", "f(x)  #type:ignore"]
)
def test_what_a_reader_stumbles_over_is_found(text: str) -> None:
    assert unreadable_in_a_suite("suites/x.py", text)
    assert not unreadable_in_a_suite("fixtures/x.py", text)


def test_a_plain_lambda_is_allowed() -> None:
    assert not unreadable_in_a_suite("suites/x.py", "f(lambda x: x)  # typed")
