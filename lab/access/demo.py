"""The demo image in a node's engine: loaded when it is missing, and removed again by whoever loaded it.

That it was loaded stands in the engine itself, as a second name of the image (BORROWED). So it is known after the
run was killed as well, and an image that was there before has no such name and stays.
"""

from __future__ import annotations

import contextlib

import docker
import requests

from lab.errors import HarnessError
from lab.images import BORROWED, DEMO_IMAGE, demo_image

ERRORS = (docker.errors.DockerException, requests.RequestException, OSError, EOFError)


def borrow(node: str, engine: docker.DockerClient) -> bool:
    """Load the demo image into the engine of `node` unless it is there; whether it was loaded.

    Raises HarnessError when the engine refuses.
    """
    try:
        if engine.images.list(DEMO_IMAGE):
            return False
        engine.images.load(demo_image(DEMO_IMAGE, BORROWED))
    except ERRORS as error:
        reason = str(error) or "the connection was lost"
        raise HarnessError(f"node {node}: Docker refused the demo image: {reason}") from None
    return True


def give_back(node: str, engine: docker.DockerClient) -> None:
    """Remove the demo image if `borrow` loaded it and no container uses it, such as those of another run.

    Raises HarnessError when the engine does not answer or refuses.
    """
    try:
        marked = [image.id for image in engine.images.list(BORROWED)]
        if not marked or engine.containers.list(all=True, filters={"ancestor": BORROWED}):
            return
        named = [DEMO_IMAGE] if [image.id for image in engine.images.list(DEMO_IMAGE)] == marked else []
        for name in [*named, BORROWED]:
            with contextlib.suppress(docker.errors.ImageNotFound):  # another run was faster
                engine.images.remove(name)
    except ERRORS as error:
        raise HarnessError(f"node {node}: Docker does not remove the demo image: {error}") from None
