"""Where apt gets Debian from, until when an index is valid, and what dpkg has installed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lab.embedded.debian import (
    NoDebian,
    acquire_settings,
    debian_mirrors,
    installed_packages,
    sources,
    valid_until,
)

TARGETS = """\
Debian|Debian|http://mirror.example/debian/
Other|Tools|https://tools.example/apt/
Debian|Debian|http://second.example/debian/
Debian|Debian-Security|http://mirror.example/debian-security/
"""
INDEX = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Suite: unstable
Codename: sid
Date: Thu, 26 Nov 2026 02:13:47 UTC
Valid-Until: Thu, 03 Dec 2026 02:13:47 UTC
"""


def lines(release: str, mirrors: dict[str, str]) -> list[str]:
    return [source.line for source in sources(release, mirrors)]


def test_mirrors_are_those_that_debian_signs() -> None:
    assert debian_mirrors(TARGETS) == {
        "Debian": "http://mirror.example/debian",
        "Debian-Security": "http://mirror.example/debian-security",
    }
    assert debian_mirrors("") == {}


def test_a_stable_release_has_updates_and_security() -> None:
    assert lines("trixie", debian_mirrors(TARGETS)) == [
        "deb http://mirror.example/debian trixie main\n",
        "deb http://mirror.example/debian trixie-updates main\n",
        "deb http://mirror.example/debian-security trixie-security main\n",
    ]


def test_sid_has_neither() -> None:
    assert lines("sid", debian_mirrors(TARGETS)) == ["deb http://mirror.example/debian sid main\n"]


def test_a_machine_without_a_security_mirror_asks_for_none() -> None:
    assert "security" not in "".join(lines("trixie", {"Debian": "http://mirror.example/debian"}))


def test_the_index_of_a_suite_is_asked_of_its_own_archive() -> None:
    asked = [source.index for source in sources("trixie", debian_mirrors(TARGETS))]
    assert asked[0] == "http://mirror.example/debian/dists/trixie/InRelease"
    assert asked[2] == "http://mirror.example/debian-security/dists/trixie-security/InRelease"


def test_how_apt_fetches_is_taken_and_what_it_fetches_is_not() -> None:
    dump = (
        'Acquire "";\nAcquire::http::Proxy "http://p:3128";\nAcquire::https "";\nAcquire::Retries "3";\n'
        'Acquire::IndexTargets::deb::Packages "";\nAcquire::Languages "none";\n'
    )
    assert acquire_settings(dump) == (
        'Acquire::http::Proxy "http://p:3128";\nAcquire::https "";\nAcquire::Retries "3";\n'
    )


def test_an_index_says_until_when_it_is_valid() -> None:
    assert valid_until(INDEX) == datetime(2026, 12, 3, 2, 13, 47, tzinfo=UTC)
    assert valid_until(INDEX.replace("UTC", "GMT")) == datetime(2026, 12, 3, 2, 13, 47, tzinfo=UTC)
    assert valid_until(INDEX.replace("Valid-Until", "Other")) is None, "the index of a stable release has no such field"


def test_a_date_that_is_none_is_an_error() -> None:
    with pytest.raises(NoDebian, match=r"Valid-Until is 'soon', which is not a date"):
        valid_until("Valid-Until: soon\n")


def test_a_package_counts_when_it_is_installed() -> None:
    listed = "ii |runc|1.1.5+ds1-1+b1\nrc |consul|1.8.7\niU |podman|5.4\n"
    assert installed_packages(listed) == {"runc": "1.1.5+ds1-1+b1"}
