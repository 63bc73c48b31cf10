"""A test that does not end is an error that names the place where it waits, and its fixtures are torn down."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures.session import bounds
from fixtures.session.bounds import TookTooLong, bounded, unbounded
from lab.errors import HarnessError
from tests.unit.reports.small_suites import SmallSuites

pytest_plugins = ["pytester"]


def test_a_block_is_interrupted_wherever_it_waits() -> None:
    waited = r"^it did not end within 0\.1 s; it waited at tests/unit/session/test_bounds\.py:\d+$"
    with pytest.raises(TookTooLong, match=waited), bounded(0.1, "it"):
        threading.Event().wait(30)


def hang(swallowed: list[BaseException]) -> None:
    try:
        time.sleep(30)
    except (HarnessError, AssertionError, Exception) as error:  # noqa: BLE001 (what is tested)
        swallowed.append(error)


def test_no_handler_of_errors_takes_it_for_one() -> None:
    swallowed: list[BaseException] = []
    with pytest.raises(TookTooLong), bounded(0.1, "it"):
        hang(swallowed)
    assert not swallowed


def test_a_block_that_waits_again_is_interrupted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "AGAIN_S", 0.1)
    stuck = threading.Event()
    try:
        # A pool waits for its threads when it is left, also by an exception.
        with pytest.raises(TookTooLong), bounded(0.1, "it"), ThreadPoolExecutor() as pool:
            pool.submit(stuck.wait, 30).result()
    finally:
        stuck.set()


def test_a_block_that_ends_in_time_leaves_no_timer_and_restores_the_outer_one() -> None:
    with bounded(50, "outer"):
        with bounded(20, "inner"):
            assert 10 < signal.getitimer(signal.ITIMER_REAL)[0] <= 20
        assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    left_s, _ = signal.getitimer(signal.ITIMER_REAL)
    assert left_s == 0 or left_s > 50  # no timer, or the one of this very test


def test_what_has_a_bound_of_its_own_does_not_count() -> None:
    with bounded(0.2, "it"):
        with unbounded():
            time.sleep(0.3)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_test_that_hangs_is_an_error_and_its_fixtures_end(suites: SmallSuites, workers: tuple[str, ...]) -> None:
    suites.write(
        "conftest.py",
        """
        import time
        import pytest
        from fixtures.session import bounds

        pytest_plugins = ["fixtures.session.options", "reports.plugin", "fixtures.session.bounds"]
        bounds.QUIET_S = 0.5

        @pytest.fixture
        def lab():
            yield
            open("taken-down", "w").close()
        """,
    )
    suites.suite("one", hangs="ONE-1: time.sleep(60)", next="ONE-2: assert True")
    place = suites.folder / "suites/one/test_it.py"
    place.write_text("import time\n" + place.read_text().replace("def test_hangs()", "def test_hangs(lab)"))
    done = suites.run("suites", *workers)
    assert done.verdict == ("error", 3), done.output
    assert done.statuses == {"ONE-1": "error", "ONE-2": "pass"}
    assert "test_hangs did not end within 0.5 s; it waited at" in done.reason("ONE-1")
    assert (suites.folder / "taken-down").exists()
    (result,) = [
        place.read_text()
        for place in (suites.folder / "reports/out/latest/allure-results").glob("*-result.json")
        if "test_hangs" in place.read_text()
    ]
    assert '"status": "broken"' in result
