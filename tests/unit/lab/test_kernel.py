"""What a kernel lacks is told by what needs it; netlink's answers are read from their bytes."""

from __future__ import annotations

import os
import struct

import pytest

from lab.embedded import kernel
from lab.embedded.kernel import PARTS, examine_kernel, family_request, refused


def test_every_part_that_an_overlay_needs_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(kernel, "has_link", lambda kind: kind == "vxlan")
    monkeypatch.setattr(kernel, "has_family", lambda name: name != "ovs_datapath")
    monkeypatch.setattr(kernel, "has_esp", lambda: False)
    found = examine_kernel()
    assert [(finding.what.split()[1], finding.holds, finding.fatal) for finding in found] == [
        ("vxlan", True, False),
        ("dummy", False, False),
        ("wireguard", False, False),
        ("esp4", False, False),
        ("ip_vs", True, False),
        ("openvswitch", False, False),
    ]
    assert "does not launch" in found[1].way_out
    assert "wireguard-go" in found[2].way_out
    assert "sleeve" in found[-1].way_out


def test_without_root_nothing_is_said_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (finding,) = examine_kernel()
    assert not finding.holds
    assert all(part.module in finding.what for part in PARTS)
    assert finding.way_out == "not tried, which takes root"


def test_a_request_for_a_family_has_the_layout_of_generic_netlink() -> None:
    message = family_request("ovs_datapath")
    length, kind, flags, *_ = struct.unpack_from("=IHHII", message)
    assert (length, kind, flags) == (len(message), 16, 1)
    assert message[16:20] == b"\x03\x01\x00\x00"
    assert struct.unpack_from("=HH", message, 20) == (4 + 13, 2)
    assert message[24:37] == b"ovs_datapath\0"
    assert len(message) % 4 == 0


def test_an_error_of_netlink_is_a_refusal_and_any_other_answer_is_not() -> None:
    no_such = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -2)
    assert refused(no_such)
    assert not refused(struct.pack("=IHHIIi", 36, 2, 0, 1, 0, 0))
    assert not refused(struct.pack("=IHHII", 20, 16, 0, 1, 0) + b"\x01\x02\x00\x00")
    with pytest.raises(ValueError, match="netlink answered"):
        refused(b"")
