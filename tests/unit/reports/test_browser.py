"""index.html in a real browser, opened from disk, without any network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.browser import Page, browser, missing
from fixtures.probes.ledger import LEDGER
from reports.pictures import table, way
from reports.pictures.table import Row, Tone
from reports.pictures.way import Mark, Place
from reports.writers import index_html
from tests.unit.reports.test_overview import CAUSE, TESTS, report, result

REASON = missing() or ("" if shutil.which("node") else "there is no node on this machine")
REASON = REASON or ("" if (index_html.REPORTS / "node_modules" / "allure").exists() else "./run installs node_modules")
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "it can be run")
ATTACHMENTS = "[...document.querySelectorAll('[data-testid=\"test-result-attachment-header\"]')]"
VIEW = "document.body?.dataset.view"
APP = "document.querySelector('#app').textContent"
SHADOW = "document.querySelector('.flatnet-attachment').shadowRoot"


def ledger() -> str:
    rows = [Row(("u1/a1", f"u2/a{number}", "udp", "answered", "1", "2", f"{number}.5", "7", "")) for number in range(8)]
    rows.append(Row(("u3/a3", "u2/a2", "tcp", "rewritten", "1", "2", "100.5", "7", "masquerade"), Tone.BAD))
    return table.draw("9 edges", LEDGER, rows, numeric=("sent at", "seen at"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a failed run: one cause, a test with a ledger and a picture, and equal attachments."""
    folder = tmp_path_factory.mktemp("run")
    made = report(folder, causes=[CAUSE])
    drawn = way.draw([Place("u1", "u1/a1", Mark.LAST), Place("u1", "br0", Mark.NEVER)], title="t", outcome="lost")
    result(made.allure_results, TESTS[0], picture=drawn)
    result(made.allure_results, TESTS[1])
    for number, place in enumerate(sorted(made.allure_results.glob("*-result.json"))):
        data = json.loads(place.read_text())
        name = f"ledger{number}-attachment.html"
        (made.allure_results / name).write_text(ledger())
        data["steps"][0]["attachments"].append({"name": "probes", "type": "text/html", "source": name})
        data |= {"start": 1, "stop": 2, "fullName": data["name"], "statusDetails": {"message": "AssertionError: lost"}}
        place.write_text(json.dumps(data))
    index_html.write(made)
    return folder / "index.html"


@pytest.fixture
def opened(page: Path) -> Iterator[Page]:
    """A browser that shows the report; nothing may have gone wrong in it by the end."""
    with browser() as window:
        window.size(1440, 900)
        window.open(page)
        window.wait(f"{VIEW} === 'overview' && document.readyState === 'complete'")
        yield window
        assert window.problems == []


def test_two_clicks_lead_from_the_first_cause_to_its_evidence(opened: Page) -> None:
    opened.click("document.querySelector('#cause-1 a.evidence')")
    opened.wait(f"{ATTACHMENTS}.length >= 2")
    opened.click(f"{ATTACHMENTS}.find((each) => each.textContent.includes('probes'))")
    opened.wait(f"document.querySelector('.flatnet-attachment') && {SHADOW}.querySelector('tr.bad')")
    assert opened.ask(f"{SHADOW}.querySelector('tr.bad').cells[3].textContent") == "rewritten"


def test_a_ledger_is_sorted_and_filtered(opened: Page) -> None:
    opened.click("document.querySelector('#cause-1 a.evidence')")
    opened.wait(f"{ATTACHMENTS}.length >= 2")
    opened.click(f"{ATTACHMENTS}.find((each) => each.textContent.includes('probes'))")
    opened.wait(f"document.querySelector('.flatnet-attachment') && {SHADOW}.querySelector('th button')")
    column = f"[...{SHADOW}.querySelectorAll('tbody tr:not([hidden])')].map((row) => row.cells[6].textContent)"
    head = f"{SHADOW}.querySelectorAll('th')[6]"
    opened.ask(f"{head}.querySelector('button').click()")
    assert opened.ask(column) == [f"{number}.5" for number in (*range(8), 100)], "by number, not by text"
    assert opened.ask(f"{head}.getAttribute('aria-sort')") == "ascending"
    opened.ask(f"{head}.querySelector('button').click()")
    assert opened.ask(column)[0] == "100.5" and opened.ask(f"{head}.getAttribute('aria-sort')") == "descending"
    field = f"{SHADOW}.querySelector('input')"
    opened.ask(f"{field}.value = 'tcp masq'; {field}.dispatchEvent(new Event('input'))")
    assert opened.ask(column) == ["100.5"]


def test_the_browser_leads_back_to_the_overview(opened: Page) -> None:
    opened.click("document.querySelector('#cause-1 a.evidence')")
    opened.wait(f"{VIEW} === 'tests' && {APP}.includes('title')")
    opened.ask("history.back()")
    opened.wait("document.body.dataset.view === 'overview'")
    opened.ask("history.forward()")
    opened.wait("document.body.dataset.view === 'tests'")
    opened.click("document.querySelector('[data-flatnet-go=overview]')")
    assert opened.ask("document.body.dataset.view") == "overview"
    opened.click("document.querySelector('[data-flatnet-go=tests]')")
    opened.wait(f"{APP}.includes('Quality Gates')")


def test_a_requirement_of_a_cause_opens(opened: Page) -> None:
    opened.click("document.querySelector('#cause-1 [data-flatnet-requirement]')")
    opened.wait("document.querySelector('#NET-2').open")
    assert opened.ask("document.body.dataset.view") == "overview"


def test_a_link_to_a_requirement_opens_it(page: Path) -> None:
    with browser() as window:
        window.open(page, "#NET-2")
        window.wait(f"{VIEW} === 'overview' && document.querySelector('#NET-2')?.open")
        assert window.ask("location.hash") == "" and window.problems == []


def test_a_link_to_a_test_opens_it(page: Path) -> None:
    with browser() as window:
        window.size(1440, 900)
        window.open(page)
        window.wait("document.querySelector('a.evidence')")
        address = window.ask("document.querySelector('a.evidence').getAttribute('href')")
    with browser() as window:
        window.open(page, address)
        window.wait(f"{VIEW} === 'tests' && {APP}.includes('lost')")
        assert window.problems == []


def test_a_phone_scrolls_in_one_direction_only(page: Path) -> None:
    with browser() as window:
        window.size(390, 844, phone=True)
        window.open(page)
        window.wait("document.body?.dataset.view === 'overview' && document.querySelector('#NET-2')")
        assert window.ask("document.documentElement.scrollWidth") == 390
        assert window.ask("getComputedStyle(document.querySelector('.cause h3')).fontSize") == "17px"


def test_equal_attachments_are_stored_once(page: Path) -> None:
    """Allure's own page of two tests has 3.6 MB; a hundred equal ledgers add next to nothing to this one."""
    assert page.stat().st_size < 1_800_000
