"""The demo image goes from an engine when Flatnet loaded it, and stays when it was there before."""

from __future__ import annotations

import io
import json
import tarfile
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import docker
import pytest

from lab import images
from lab.access import demo
from lab.errors import HarnessError
from lab.images import BORROWED, DEMO_IMAGE


class _Engine:
    """The part of docker.DockerClient that `lab.access.demo` uses: names of images, and containers of them."""

    def __init__(self, **named: str) -> None:
        self.named = dict(named)
        self.users: list[str] = []
        self.refuses = ""
        self.images = self.containers = self  # both collections of the SDK are this object

    def list(self, name: str = "", **options: Any) -> list[Any]:
        if options:
            assert options["all"], "a container that has stopped uses its image too"
            wanted = self.named[options["filters"]["ancestor"]]
            return [user for user in self.users if user == wanted]
        return [SimpleNamespace(id=self.named[name])] if name in self.named else []

    def load(self, data: bytes) -> None:
        if self.refuses:
            raise docker.errors.APIError(self.refuses)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            (entry,) = json.load(manifest)
        self.named |= dict.fromkeys(entry["RepoTags"], entry["Config"])

    def remove(self, name: str) -> None:
        if self.refuses:
            raise docker.errors.APIError(self.refuses)
        if name not in self.named:
            raise docker.errors.ImageNotFound(f"No such image: {name}")
        del self.named[name]


@pytest.fixture(autouse=True)
def busybox(tmp_path: Any) -> Any:
    """A file in busybox's place: this test needs none."""
    (tmp_path / "busybox").write_bytes(b"\x7fELF")
    images.demo_image.cache_clear()
    with patch("lab.images.find_program", lambda name: str(tmp_path / name)):
        yield
    images.demo_image.cache_clear()


def test_an_image_that_was_borrowed_is_given_back() -> None:
    engine: Any = _Engine()
    assert demo.borrow("u1", engine)
    assert set(engine.named) == {DEMO_IMAGE, BORROWED}
    demo.give_back("u1", engine)
    assert engine.named == {}


def test_an_image_that_was_there_before_stays() -> None:
    engine: Any = _Engine(**{DEMO_IMAGE: "theirs"})
    assert not demo.borrow("u1", engine)
    demo.give_back("u1", engine)
    assert engine.named == {DEMO_IMAGE: "theirs"}


def test_an_image_that_a_container_uses_stays_until_the_container_has_gone() -> None:
    engine: Any = _Engine()
    demo.borrow("u1", engine)
    engine.users = [engine.named[DEMO_IMAGE]]
    demo.give_back("u1", engine)
    assert set(engine.named) == {DEMO_IMAGE, BORROWED}
    engine.users = ["another image"]
    demo.give_back("u1", engine)
    assert engine.named == {}


def test_a_name_that_was_given_to_another_image_meanwhile_stays() -> None:
    engine: Any = _Engine()
    demo.borrow("u1", engine)
    engine.named[DEMO_IMAGE] = "theirs"
    demo.give_back("u1", engine)
    assert engine.named == {DEMO_IMAGE: "theirs"}


def test_what_was_half_removed_by_a_killed_run_is_removed() -> None:
    engine: Any = _Engine(**{BORROWED: "ours"})
    demo.give_back("u1", engine)
    assert engine.named == {}


def test_another_run_may_be_faster() -> None:
    engine: Any = _Engine()
    demo.borrow("u1", engine)
    remove = engine.remove

    def remove_late(name: str) -> None:
        engine.named.pop(name)
        remove(name)

    engine.remove = remove_late
    demo.give_back("u1", engine)
    assert engine.named == {}


def test_a_refusal_names_the_node() -> None:
    engine: Any = _Engine()
    engine.refuses = "no space left on device"
    with pytest.raises(HarnessError, match=r"^node u1: Docker refused the demo image: no space left on device$"):
        demo.borrow("u1", engine)
    engine.named = {DEMO_IMAGE: "ours", BORROWED: "ours"}
    with pytest.raises(HarnessError, match=r"^node u1: Docker does not remove the demo image: no space left"):
        demo.give_back("u1", engine)
