"""The demo image, made from the machine's static busybox: no registry is needed.

Its one process answers HTTP on a port (8081) with the service's version and the
instance's own name, and stops (SIGUSR1) or restarts (SIGUSR2) answering while the
container keeps its address.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from functools import cache

from lab.errors import LabError

from .programs import find_program

VERSION = "1.1"
DEMO_IMAGE = f"flatnet/demo:{VERSION}"
BORROWED = f"flatnet/borrowed:{VERSION}"
"""A second name of the demo image in an engine into which a run loaded it, for the time of the run."""
DEMO_PORT = 8081

_SERVE = f"""#!/bin/sh
# PID 1 of a demo container.
mkdir -p /www
echo "version={VERSION} instance=${{INSTANCE:-$HOSTNAME}}" > /www/index.html
child=
start() {{
    [ -n "$child" ] && kill -0 "$child" 2>/dev/null && return
    httpd -f -p "${{PORT:-{DEMO_PORT}}}" -h /www &
    child=$!
}}
# A container ends by itself when whoever made it never comes back for it.
stop() {{ [ -n "$child" ] && kill "$child" 2>/dev/null; child=; }}
trap stop USR1
trap start USR2
trap 'stop; exit 0' TERM INT
start
( sleep "${{LIFETIME:-86400}}"; kill 1 ) &
while :; do sleep 86400 & wait $!; done
"""

_APPLETS = "sh httpd sleep mkdir kill cat echo nslookup wget ping ip nc arping ls hostname timeout nsenter".split()


@cache
def demo_image(*names: str) -> bytes:
    """The image as `docker load` reads it (uncompressed tar), same bytes every time; `names`, default: DEMO_IMAGE.

    Raises LabError when the machine has no static busybox.
    """
    busybox = find_program("busybox")
    if busybox is None:
        raise LabError("the demo image is made from busybox, and there is none: install busybox-static")
    with open(busybox, "rb") as stream:
        binary = stream.read()
    if b"/lib64/ld-linux" in binary[:4096] or b"/lib/ld-musl" in binary[:4096]:
        raise LabError(f"{busybox} is linked dynamically and cannot run alone: install busybox-static")
    layer = _tar(
        [(folder, None, 0o755) for folder in ("bin", "etc", "tmp", "www", "proc", "sys", "dev")]
        + [("bin/busybox", binary, 0o755), ("bin/serve", _SERVE.encode(), 0o755)]
        + [("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644), ("etc/group", b"root:x:0:\n", 0o644)],
        [(f"bin/{applet}", "busybox") for applet in _APPLETS],
    )
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "created": "2020-01-01T00:00:00Z",
            "config": {"Cmd": ["/bin/serve"], "Env": ["PATH=/bin"], "ExposedPorts": {f"{DEMO_PORT}/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "flatnet"}],
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest()
    manifest = json.dumps(
        [{"Config": f"{name}.json", "RepoTags": names or [DEMO_IMAGE], "Layers": ["layer.tar"]}]
    ).encode()
    return _tar([(f"{name}.json", config, 0o644), ("layer.tar", layer, 0o644), ("manifest.json", manifest, 0o644)], [])


def _tar(files: Sequence[tuple[str, bytes | None, int]], links: Sequence[tuple[str, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content, mode in files:
            member = tarfile.TarInfo(name)
            member.mode = mode
            if content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()
