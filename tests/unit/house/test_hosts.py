"""Settings of a machine's package clients that tests.hosts takes."""

from __future__ import annotations

import pytest

from tests.hosts.clients import (
    VARIABLES,
    NoSettings,
    acquire_settings,
    debian_mirrors,
    named_places,
    pip_places,
    sources,
)

TARGETS = """\
Debian|Debian|http://mirror.example/debian/
Other|Tools|https://tools.example/apt/
Debian|Debian|http://second.example/debian/
Debian|Debian-Security|http://mirror.example/debian-security/
"""


def test_mirrors_are_those_that_debian_signs() -> None:
    assert debian_mirrors(TARGETS) == {
        "Debian": "http://mirror.example/debian",
        "Debian-Security": "http://mirror.example/debian-security",
    }
    assert debian_mirrors("") == {}


def test_a_stable_release_has_updates_and_security() -> None:
    assert sources("trixie", debian_mirrors(TARGETS)).splitlines() == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]


def test_sid_has_neither() -> None:
    assert sources("sid", debian_mirrors(TARGETS)) == "deb http://mirror.example/debian sid main\n"


def test_a_machine_without_a_security_mirror_asks_for_none() -> None:
    assert "security" not in sources("trixie", {"Debian": "http://mirror.example/debian"})


def test_how_apt_fetches_is_taken_and_what_it_fetches_is_not() -> None:
    dump = (
        'Acquire "";\nAcquire::http::Proxy "http://p:3128";\nAcquire::https "";\nAcquire::Retries "3";\n'
        'Acquire::IndexTargets::deb::Packages "";\nAcquire::Languages "none";\n'
    )
    assert acquire_settings(dump) == (
        'Acquire::http::Proxy "http://p:3128";\nAcquire::https "";\nAcquire::Retries "3";\n'
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
