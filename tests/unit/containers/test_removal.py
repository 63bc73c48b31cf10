"""A container is removed when its engine does not know it any more, whatever the engine said meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker
import pytest
import requests

from fixtures.containers import removal
from lab.errors import HarnessError


class Engine:
    """An engine that answers a removal with each of these errors once, and then has removed the container."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.gone = False

    def get(self, name: str) -> Any:
        if self.gone:
            raise docker.errors.NotFound("no such container")
        return SimpleNamespace(remove=self.remove)

    def remove(self, *, force: bool) -> None:
        assert force
        if self.errors:
            raise self.errors.pop(0)
        self.gone = True


def container(engine: Engine) -> Any:
    class Made:
        id = "c1"
        node = SimpleNamespace(docker=SimpleNamespace(containers=engine))

        def __str__(self) -> str:
            return "u1/x"

    return Made()


def refusal(status: int) -> docker.errors.APIError:
    answer = requests.Response()
    answer.status_code = status
    return docker.errors.APIError("did not receive an exit event", response=answer)


@pytest.mark.parametrize("status", [409, 500])
def test_an_engine_that_refuses_at_first_is_asked_again(status: int) -> None:
    engine = Engine(refusal(status))
    removal.remove(container(engine))
    assert engine.gone and not engine.errors


def test_an_engine_that_goes_on_refusing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "GONE_S", 0.0)
    told = "^u1/x: its engine still has it 0 s after it was removed; 500 Server Error"
    with pytest.raises(HarnessError, match=told):
        removal.remove(container(Engine(refusal(500), refusal(500))))


def test_an_engine_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(HarnessError, match=r"^u1/x: it cannot be removed: gone away$"):
        removal.remove(container(Engine(OSError("gone away"))))
