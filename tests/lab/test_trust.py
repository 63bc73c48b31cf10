"""Secrets stay where they belong, and a lab's daemons are reachable from nowhere but the lab."""

from __future__ import annotations

import base64
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.images import DEMO_IMAGE
from tests.lab.conftest import COMMAND_TIMEOUT_S, Place

SECRET = re.compile(rb"PRIVATE KEY-----|^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*$", re.M)
"""A private key, or a file that is a token of Consul or Nomad."""
LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""
CANARIES: dict[str, Any] = {
    "CONSUL_HTTP_TOKEN": "canary-consul-1f0e9a77",
    "NOMAD_TOKEN": "canary-nomad-22c7b1d4",
    "WEAVE_PASSWORD": "canary-weave-9b1d22e0",
    "SSHPASS": "canary-ssh-5a5e0c31",
    "DATABASE_URL": "postgres://jane:canary-url-77aa01bc@db/x",
}
"""Variables of the runner and of a container on each node."""


def listeners() -> set[tuple[str, str]]:
    """(table, local address and port) of every socket that waits for others in this process's network namespace."""
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        place = Path("/proc/self/net") / table
        for line in place.read_text().splitlines()[1:] if place.exists() else ():
            _, local, _, state, *_ = line.split()
            if table.startswith("udp") or state == LISTENING:
                found.add((table, local))
    return found


def contents(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """The bytes of a file, and what is packed in them: gzip, xz, zip, deflate, and base64 of these."""
    yield data
    if not depth:
        return
    if data[:2] == b"\x1f\x8b":
        yield from contents(gzip.decompress(data), depth - 1)
    elif data[:6] == b"\xfd7zXZ\0":
        yield from contents(lzma.decompress(data), depth - 1)
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from contents(archive.read(name), depth - 1)
    elif data[:1] == b"\x78" and len(data) > 20:
        try:
            yield from contents(zlib.decompress(data), depth - 1)
        except zlib.error:
            return
    for match in re.finditer(rb"[A-Za-z0-9+/]{200,}={0,2}", data):
        text = match[0][: len(match[0]) // 4 * 4]
        packed = base64.b64decode(text)
        if packed[:2] == b"\x1f\x8b" or packed[:6] == b"\xfd7zXZ\0" or packed[:4] == b"PK\x03\x04":
            yield from contents(packed, depth - 1)


def holding(folder: Path, needles: dict[str, bytes]) -> list[str]:
    """Which files of a folder hold which needle, packed or not."""
    return [
        f"{path.relative_to(folder)}: {name}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
        for name, needle in needles.items()
        if any(needle in piece for piece in contents(path.read_bytes()))
    ]


def too_open(folder: Path) -> list[str]:
    """Files with a secret in them that others than their owner can read."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20:
            hidden = any(not parent.stat().st_mode & 0o011 for parent in path.parents)
            if SECRET.search(path.read_bytes()) and path.stat().st_mode & 0o077 and not hidden:
                found.append(f"{path.relative_to(folder)}: mode {path.stat().st_mode & 0o777:04o}")
    return found


def test_what_is_packed_is_searched_too(tmp_path: Path) -> None:
    packed = lzma.compress(b"x" * 500 + b"needle")
    (tmp_path / "a.xz").write_bytes(packed)
    (tmp_path / "b.html").write_bytes(b"<script>" + base64.b64encode(gzip.compress(bytes(range(256)) * 4 + b"needle")))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("inner.gz", gzip.compress(b"needle"))
    (tmp_path / "d.txt").write_text("hay")
    assert holding(tmp_path, {"n": b"needle"}) == ["a.xz: n", "b.html: n", "c.zip: n"]


def test_a_lab_keeps_its_secrets_and_listens_nowhere_else(tmp_path: Path) -> None:
    """Keys and tokens are their owner's alone, and the machine's own network namespace has no socket more."""
    place = Place(tmp_path / "trust")
    before = listeners()
    up = place.lab("up", "--lab", "trust", "--foreign")
    try:
        during = listeners()
        readable = too_open(place.run)
        private = [path for path in place.run.rglob("*") if path.is_file() and path.stat().st_mode & 0o777 == 0o600]
    finally:
        down = place.lab("down", "--lab", "trust")
    assert (up.returncode, down.returncode) == (0, 0), up.stderr + down.stderr
    assert during - before == set()
    assert readable == [] and private


@pytest.mark.nightly
def test_no_secret_is_in_any_file_of_a_failing_run(tmp_path: Path) -> None:
    """Canaries in the runner's variables, in containers and in the lab's own tokens and keys; then a run that fails."""
    place = Place(tmp_path / "canary")
    variables = [word for name, value in CANARIES.items() for word in ("-e", f"{name}={value}")]
    up = place.lab("up", "--lab", "canary", "--foreign")
    try:
        for node in ("u1", "u2"):
            place.lab("exec", "--lab", "canary", node, "--", "docker", "run", "-d", *variables, DEMO_IMAGE)
        words = ("suites/no_nat", "suites/dns", "suites/existing", "--lab", "canary", "--fault", "masquerade")
        done = place.pytest(*words, timeout=COMMAND_TIMEOUT_S, **CANARIES)
        secrets = {
            f"secret {path.name}": match[0].strip()
            for path in place.run.rglob("*")
            if path.is_file() and path.stat().st_mode & 0o777 == 0o600
            for match in re.finditer(rb"^[\w+/=-]{30,}\s*$", path.read_bytes(), re.M)
        }
    finally:
        place.lab("down", "--lab", "canary")
    assert up.returncode == 0 and done.returncode == 1, up.stderr + done.stdout + done.stderr
    needles = {name: value.rpartition("/")[2].partition("@")[0].encode() for name, value in CANARIES.items()}
    needles["DATABASE_URL"] = b"canary-url-77aa01bc"
    assert secrets, "the lab has no secret that could be looked for"
    said = (done.stdout + done.stderr).encode()
    assert [name for name, needle in {**needles, **secrets}.items() if needle in said] == []
    assert holding(place.out, {**needles, **secrets}) == []
