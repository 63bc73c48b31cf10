"""The small suites of the report's tests, for the tests of a run's life."""

from tests.unit.reports.conftest import suites

__all__ = ["suites"]
