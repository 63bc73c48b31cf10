"""The text of a recorded contract, and that an untrue one is not printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.existing.contract import load_contract
from fixtures.existing.grouping import sections
from fixtures.existing.record import _header, _lines, _verify, main
from fixtures.existing.selection import Party
from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import HarnessError
from tests.unit.existing.test_grouping import DB, EVERYONE, GATE, WEBS, seen, within
from tests.unit.existing.test_selection import party

INVENTORY = plan.inventory(LabSpec(name="x", nodes=3))


def text_of(everyone: list[Party] = EVERYONE) -> str:
    shown = seen(within, everyone)
    written = sections(everyone, shown)
    return _header(INVENTORY, "--lab x", everyone, shown, 3.2) + "".join(_lines(written))


def test_a_recorded_contract_is_read_back(tmp_path: Path) -> None:
    text = text_of()
    assert "  # shop/web: 3 containers in a\n  - from: {subnet: a}\n" in text
    assert (
        "    to: {label: [com.docker.compose.project=shop, com.docker.compose.service=db]}\n    port: [5432, 9000]\n"
        in text
    )
    assert text.startswith("# Contract of cluster x: what was true on 20") and "pairs reached each other" in text
    assert text.endswith("  - from: any\n    to: any\n    expect: unreachable\n")
    place = tmp_path / "contract.yaml"
    place.write_text(text)
    assert len(load_contract(place).rules) == 5
    _verify(text, EVERYONE, seen(within))


def test_names_are_quoted_where_yaml_would_read_something_else(tmp_path: Path) -> None:
    odd = [
        party("off", ports=(40000,)),
        party("1e3", ports=(80,)),
        party("x-1", ports=(81,)),
        party("x-2", ports=(81,)),
    ]
    text = text_of(odd)
    assert (
        'name: "1e3"' in text
        and 'name: "off"' in text
        and 'name: "x-*"' in text
        and "port: 40000  # a client's port, which may change" in text
    )
    _verify(text, odd, seen(within, odd))


def test_an_untrue_contract_is_not_printed() -> None:
    shown = seen(within)
    for source, target, outcome in ((WEBS[0], WEBS[1], False), (WEBS[0], DB, True), (GATE, DB, None)):
        wrong = {
            **shown,
            (source.place, target.place, target.addresses[0][1], min(target.serves(target.addresses[0][1]))): outcome,
        }
        with pytest.raises(HarnessError, match=r"would not be what was seen \(1 pairs wrong, 0 missing; line "):
            _verify(text_of(), EVERYONE, wrong)
    with pytest.raises(HarnessError, match="no container reaches a listening port"):
        _verify("rules:\n", EVERYONE, {})
    first_only = text_of()[: text_of().index("  # shop/db")]
    with pytest.raises(HarnessError, match="0 pairs wrong, "):
        _verify(first_only, EVERYONE, shown)


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cluster", str(tmp_path / "nothing.yaml")]) == 4
    assert capsys.readouterr().err.startswith(f"lab record: {tmp_path / 'nothing.yaml'}: cannot be read")
    assert main(["--lab", "no-such-lab"]) == 3
    assert capsys.readouterr().err.count("\n") == 1
