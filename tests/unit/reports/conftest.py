"""Small suites for the tests of the report: without Node.js, so that the plain page is made, at once."""

from __future__ import annotations

import pytest

from lab.version import Version
from tests.unit.reports.small_suites import ROOT, SmallSuites


@pytest.fixture
def suites(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> SmallSuites:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(pytester.path))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setattr("fixtures.session.version.read_version", lambda: Version("0.9.0", "2fa19c2"))
    return SmallSuites(pytester)
