"""What an experiment has found stands, whatever it cannot see besides."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.resilience.aftermath import Aftermath
from fixtures.resilience.experiment import Experiment
from lab.errors import HarnessError
from reports.model import NotProved


def experiment(error: Exception | None, *findings: str) -> Experiment:
    """An experiment that has found this, and whose new containers fail with an error, or are found in order."""

    def start() -> None:
        if error is not None:
            raise error

    made = cast(Any, Experiment.__new__(Experiment))
    made._began, made._aftermath = 0.0, Aftermath(list(findings))
    made._evidence = SimpleNamespace(step=lambda title: nullcontext())
    made.newcomers = SimpleNamespace(start=start, findings=lambda: ["10.32.0.9 is held twice"])
    return cast(Experiment, made)


@pytest.mark.parametrize("error", [HarnessError("u2 refuses"), NotProved("no new container could be started")])
def test_what_cannot_be_seen_after_a_finding_is_noted(error: Exception) -> None:
    found = experiment(error, "not recovered")
    found.check_new_addresses()
    assert found._aftermath.findings == ["not recovered"]
    assert found._aftermath.notes[0].endswith(f"new containers: {error}")


@pytest.mark.parametrize("error", [HarnessError("u2 refuses"), NotProved("no new container could be started")])
def test_what_cannot_be_seen_without_a_finding_is_raised(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        experiment(error).check_new_addresses()


def test_what_is_found_is_added() -> None:
    found = experiment(None, "not recovered")
    found.check_new_addresses()
    assert found._aftermath.findings == ["not recovered", "10.32.0.9 is held twice"]
