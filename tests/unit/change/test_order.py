"""What the command line asks of a rehearsal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.change.differences import Declared
from fixtures.change.order import Order, read_order
from lab.errors import UsageError

HERE = Path("/here")


def options(change: str | None = "./apply.sh", **given: Any) -> Any:
    return SimpleNamespace(**{"change": change, "outage_bound": None, "expect_diff": None, "write_diff": None, **given})


def test_without_a_change_there_is_no_order() -> None:
    assert read_order(options(None), HERE) is None


@pytest.mark.parametrize("name", ["outage_bound", "expect_diff", "write_diff"])
def test_what_belongs_to_a_change_needs_one(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} belongs to a change; give --change COMMAND"):
        read_order(options(None, **{name: "5"}), HERE)


def test_the_command_alone() -> None:
    assert read_order(options(), HERE) == Order("./apply.sh", HERE)
    with pytest.raises(UsageError, match="--change: the command is empty"):
        read_order(options("  "), HERE)


@pytest.mark.parametrize(("text", "bound"), [("500", 500.0), ("0", 0.0), ("0.5", 0.5)])
def test_a_bound_in_milliseconds(text: str, bound: float) -> None:
    order = read_order(options(outage_bound=text), HERE)
    assert order is not None and order.bound_ms == bound


@pytest.mark.parametrize("text", ["x", "-1", "inf", "nan", ""])
def test_a_bound_that_is_not_a_number_of_milliseconds(text: str) -> None:
    with pytest.raises(UsageError, match=f"--outage-bound {text}: not a number of milliseconds; write one such as 500"):
        read_order(options(outage_bound=text), HERE)


def test_files_of_differences(tmp_path: Path) -> None:
    file = tmp_path / "diff.yaml"
    file.write_text("differences: [{section: versions, what: engine}]")
    order = read_order(options(expect_diff=file, write_diff=tmp_path / "new.yaml"), HERE)
    assert order is not None and order.declared == (Declared("*", "versions", "engine"),)
    assert order.write_diff == tmp_path / "new.yaml"
    with pytest.raises(UsageError, match=r"--write-diff .*: there is no such folder"):
        read_order(options(write_diff=tmp_path / "none" / "new.yaml"), HERE)
