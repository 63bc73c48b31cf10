"""Starting the containers that hold swarm's networks on a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import docker
import pytest

from lab.overlays.swarm import _refusal


@dataclass
class Refused:
    """A container whose first starts Docker refuses."""

    times: int

    def start(self) -> None:
        if self.times:
            self.times -= 1
            raise docker.errors.APIError("refused", explanation="context deadline exceeded")


@pytest.mark.parametrize("times", [0, 1])
def test_a_start_that_docker_refuses_says_why_and_may_be_made_again(times: int) -> None:
    """The second attempt is a start of the same container."""
    container: Any = Refused(times)
    said = [_refusal(cast("Any", container)) for _ in range(times + 1)]
    assert said == ["context deadline exceeded"] * times + [None]
