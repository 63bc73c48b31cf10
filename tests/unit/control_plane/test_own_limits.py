"""The runner's own limits of neighbours reach the workers, which begin in a lab's network namespace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.control_plane import limits


def test_a_worker_uses_what_its_controller_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_number", lambda path: 1024 if "ipv4" in str(path) else None)
    controller: Any = SimpleNamespace(stash=pytest.Stash())
    limits.pytest_configure(controller)
    node = SimpleNamespace(config=controller, workerinput={})
    limits.pytest_configure_node(node)

    monkeypatch.setattr(limits, "_number", lambda _: None)  # as in a network namespace of a lab
    worker: Any = SimpleNamespace(stash=pytest.Stash(), workerinput=node.workerinput)
    limits.pytest_configure(worker)
    assert worker.stash[limits._OWN_LIMITS] == controller.stash[limits._OWN_LIMITS] == (1024, None)
