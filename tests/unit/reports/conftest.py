"""Small suites for the tests of the report: without Node.js, so that the plain page is made, at once."""

from __future__ import annotations

import pytest

from tests.unit.reports.small_suites import ROOT, SmallSuites


@pytest.fixture
def suites(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> SmallSuites:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(pytester.path))
    return SmallSuites(pytester)
