"""Settings of a machine's package clients that tests.hosts takes."""

from __future__ import annotations

import pytest

from tests.hosts.clients import (
    VARIABLES,
    NoSettings,
    named_places,
    pip_places,
)


def test_places_of_packages_are_found_in_pips_settings() -> None:
    text = (
        "[global]\nconstraint = /etc/pip/constraints.txt\nfind-links = /opt/wheels /srv/more\n"
        "extra-index-url =\n    file:///opt/index/simple\n    https://mirror.example/simple\n"
        "[install]\ncert=/srv/ca.crt\ncache-dir = /root/.cache/pip\n"
    )
    named = [str(path) for value in pip_places(text) for path in named_places(value)]
    assert named == ["/etc/pip/constraints.txt", "/opt/wheels", "/srv/more", "/opt/index", "/srv/ca.crt"]


def test_a_pip_conf_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(NoSettings, match=r"^pip\.conf: .*; mend it$"):
        pip_places("index-url = x\n")


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("PIP_FIND_LINKS", True), ("npm_config_cafile", True), ("NPM_CONFIG_REGISTRY", True), ("HTTPS_PROXY", True),
        ("no_proxy", True), ("PIP_CACHE_DIR", False), ("PIP_TARGET", False), ("npm_config_cache", False),
        ("npm_config_prefix", False), ("PATH", False), ("VIRTUAL_ENV", False), ("FLATNET_CACHE", False),
    ],
)  # fmt: skip
def test_of_the_environment_only_the_way_to_packages_is_taken(name: str, taken: bool) -> None:
    assert bool(VARIABLES.fullmatch(name)) is taken
