"""The addresses of a container as three parties see them, as a person reads them."""

from fixtures.probes.views import Views


def test_views_name_who_sees_what() -> None:
    views = Views(frozenset({"10.32.0.3", "10.32.0.2"}), frozenset({"10.32.0.2"}), frozenset(), "u2/a2")
    assert str(views) == (
        "on its own interfaces 10.32.0.2, 10.32.0.3, according to Docker 10.32.0.2, in packets that u2/a2 received none"
    )
