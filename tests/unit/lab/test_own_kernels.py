"""What a lab asks of an overlay follows the kernels that its nodes have, not the machine's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.overlays.weave import FAST_MTU, SLEEVE_MTU, WeaveProxy


@pytest.mark.parametrize(
    ("machines", "here", "fast"),
    [("", False, False), ("", True, True), ("vm", False, True), ("u3=vm", False, False), ("u3=vm", True, True)],
)
def test_weave_has_its_fast_datapath_where_every_kernel_has_open_vswitch(
    monkeypatch: pytest.MonkeyPatch, machines: str, here: bool, fast: bool
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: here if path.name == "openvswitch" else False)
    options = plan.inventory(LabSpec(name="x", nomad=False, overlay=WeaveProxy.name, machines=machines)).overlay.options
    assert options["mtu"] == (FAST_MTU if fast else SLEEVE_MTU)
    assert ("WEAVE_NO_FASTDP=1" in str(options["command"])) is not fast
