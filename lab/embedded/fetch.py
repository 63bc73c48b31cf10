"""`python -m lab fetch`: parts of the reference set-up that no Debian package brings, into the cache.

Nothing is kept before it was verified. Nomad is HashiCorp's release: its checksum stands in
a list, and the list is signed by the key whose fingerprint is written here. Weave's images come
by name and digest (skopeo), or as archives (`docker save`) out of a directory; every layer
is held against the digest that the image's own configuration names.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from lab.errors import LabError, UsageError
from lab.overlays import weave
from lab.programs import cache, find_program

TIMEOUT_S = 30.0
MOST_BYTES = 512 * 1024 * 1024
_PIECE = 1 << 20
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Release:
    """A program as HashiCorp releases it: a zip, a list of checksums, a signature of the list."""

    program: str
    version: str
    fingerprint: str
    """Of the OpenPGP key that signs the list, 40 hexadecimal digits."""
    place: str
    key: str
    """Where the public key is; it is used only when it has that fingerprint."""

    @property
    def archive(self) -> str:
        machine = _MACHINES.get(os.uname().machine, os.uname().machine)
        return f"{self.program}_{self.version}_linux_{machine}.zip"

    @property
    def checksums(self) -> str:
        return f"{self.program}_{self.version}_SHA256SUMS"


NOMAD = Release(
    program="nomad",
    version="1.1.2",
    fingerprint="C874011F0AB405110D02105534365D9472D7468F",  # HashiCorp Security, since April 2021
    place="https://releases.hashicorp.com/nomad/1.1.2",
    key="https://www.hashicorp.com/.well-known/pgp-key.txt",
)
KEY_FILE = "pgp-key.txt"
"""The file name of the key in a directory given with `--from`."""
IMAGES = {
    "weave.tar": f"weaveworks/weave:{weave.VERSION}",
    "weaveexec.tar": f"weaveworks/weaveexec:{weave.VERSION}",
    "weavedb.tar": "weaveworks/weavedb:latest",
}
"""Archive in the cache → the image in it. Weave's script asks for these very names."""
SCRIPT = "home/weave/weave"


def fetch(what: str, source: str | None = None) -> list[str]:
    """Bring `nomad` or `weave` into the cache; lines that say what is there now.

    `source`: a directory or URL that holds the files, instead of their makers' places.
    Raises LabError (nothing was kept) and UsageError.
    """
    if what == "nomad":
        return [fetch_release(NOMAD, source)]
    if what == "weave":
        return fetch_weave(source)
    raise UsageError(f"fetch {what}: unknown; there are: nomad, weave")


def fetch_release(release: Release, source: str | None = None) -> str:
    """Bring a release's program into the cache, verified; a line that says what is there now."""
    if find_program("gpg") is None:
        raise LabError(f"fetch {release.program}: the signature is checked by gpg: install gnupg")
    place = source or release.place
    with _workshop() as folder:
        for name in (release.checksums, f"{release.checksums}.sig", release.archive):
            download(f"{place.rstrip('/')}/{name}", folder / name)
        download(f"{source.rstrip('/')}/{KEY_FILE}" if source else release.key, folder / KEY_FILE)
        _verify_signature(release, folder)
        _verify_checksum(folder / release.archive, folder / release.checksums)
        binary = folder / release.program
        try:
            with zipfile.ZipFile(folder / release.archive) as archive, archive.open(release.program) as stream:
                binary.write_bytes(stream.read())
        except (zipfile.BadZipFile, KeyError) as error:
            raise LabError(f"fetch: {release.archive} holds no program {release.program}: {error}") from None
        binary.chmod(0o755)
        target = cache() / "bin" / release.program
        target.parent.mkdir(parents=True, exist_ok=True)
        binary.replace(target)
    return f"{release.program} {release.version}: {target}"


def fetch_weave(source: str | None = None) -> list[str]:
    """Bring Weave's images and the script that is in them into the cache, verified."""
    with _workshop() as folder:
        for name, image in IMAGES.items():
            if source is None:
                _copy_image(image, folder / name)
            else:
                download(f"{source.rstrip('/')}/{name}", folder / name)
            verify_archive(folder / name, image)
        script = _file_of(folder / "weaveexec.tar", SCRIPT)
        target = cache() / "weave"
        target.mkdir(parents=True, exist_ok=True)
        for name in IMAGES:
            (folder / name).replace(target / name)
        (folder / "script").write_bytes(script)
        (folder / "script").chmod(0o755)
        (folder / "script").replace(target / "weave")  # last: when it exists, everything does
    return [f"{image}: {target / name}" for name, image in IMAGES.items()]


@contextlib.contextmanager
def _workshop() -> Iterator[Path]:
    """A folder on the cache's own file system, so that what is verified can be moved in at once."""
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache()) as folder:
        yield Path(folder)


def download(place: str, target: Path) -> None:
    """Copy a URL or a local path into `target`. Raises LabError: missing, truncated, too large, no answer."""
    scheme = urlparse(place).scheme
    if scheme not in ("", "http", "https"):
        raise UsageError(f"fetch: {place}: give a directory, or a URL of http or https")
    try:
        if scheme:
            _get(place, target)
        else:
            shutil.copyfile(place, target)
    except urllib.error.HTTPError as error:
        error.close()
        raise LabError(f"fetch: {place}: HTTP status {error.code}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise LabError(f"fetch: {place}: {reason}; give files you have with --from DIR") from None


def _get(place: str, target: Path) -> None:
    with urllib.request.urlopen(place, timeout=TIMEOUT_S) as answer, target.open("wb") as file:
        announced = answer.headers.get("Content-Length")
        size = 0
        while piece := answer.read(_PIECE):
            size += len(piece)
            if size > MOST_BYTES:
                raise LabError(f"fetch: {place}: larger than {MOST_BYTES} bytes")
            file.write(piece)
    if announced is not None and size != int(announced):
        raise LabError(f"fetch: {place}: truncated: {size} of {announced} bytes came")


def _verify_signature(release: Release, folder: Path) -> None:
    """Check that the key signed the list of checksums; gpg's whole state is in `folder`."""
    home = folder / "gpg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--no-tty", "--no-autostart", "--status-fd", "1"]
    _run([*gpg, "--import", str(folder / KEY_FILE)])
    signature = folder / f"{release.checksums}.sig"
    done = _run([*gpg, "--verify", str(signature), str(folder / release.checksums)])
    # VALIDSIG's last field is the fingerprint of the primary key (GnuPG, doc/DETAILS).
    signers = {line.split()[-1] for line in done.stdout.splitlines() if line.startswith("[GNUPG:] VALIDSIG ")}
    if done.returncode != 0 or signers != {release.fingerprint}:
        raise LabError(
            f"fetch: {release.checksums}.sig is not a good signature of {release.checksums} "
            f"by the key {release.fingerprint}; nothing was kept"
        )


def _verify_checksum(file: Path, checksums: Path) -> None:
    """Raise LabError unless the list names the file, and the file has that SHA-256."""
    lines = [line.split() for line in checksums.read_text(encoding="utf-8").splitlines()]
    expected = next((line[0] for line in lines if len(line) == 2 and line[1].lstrip("*") == file.name), None)
    if expected is None:
        raise LabError(f"fetch: {checksums.name} does not list {file.name}; nothing was kept")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise LabError(f"fetch: {file.name} has the checksum {found}, not {expected}; nothing was kept")


def _copy_image(image: str, target: Path) -> None:
    """Copy an image from its registry by digest: the one that was seen before, else the tag's of today."""
    skopeo = find_program("skopeo")
    if skopeo is None:
        raise LabError(f"fetch {image}: install skopeo, or give archives of `docker save` with --from DIR")
    record = cache() / "weave" / "digests.json"
    known: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    digest = known.get(image)
    if digest is None:
        seen = _run([skopeo, "inspect", "--format", "{{.Digest}}", f"docker://{image}"], timeout_s=TIMEOUT_S)
        digest = seen.stdout.strip()
        if seen.returncode != 0 or not digest.startswith("sha256:"):
            raise LabError(f"fetch {image}: {_last(seen.stderr)}; give archives you have with --from DIR")
    name = image.rsplit(":", 1)[0]
    done = _run(
        [skopeo, "copy", "--quiet", f"docker://{name}@{digest}", f"docker-archive:{target}:{image}"], timeout_s=600
    )
    if done.returncode != 0:
        raise LabError(f"fetch {image}: {_last(done.stderr)}")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({**known, image: digest}, indent=1), encoding="utf-8")


def verify_archive(path: Path, image: str) -> None:
    """Raise LabError unless the archive holds the image, and its layers are those its configuration names."""
    try:
        with tarfile.open(path) as archive:
            entry = _entry(archive, image)
            if entry is None:
                raise LabError(f"fetch: {path.name} holds no image {image}; make it with `docker save {image}`")
            expected = [
                digest.removeprefix("sha256:") for digest in _json(archive, entry["Config"])["rootfs"]["diff_ids"]
            ]
            found = [_digest(archive, layer) for layer in entry["Layers"]]
    except (tarfile.TarError, KeyError, ValueError, TypeError, OSError) as error:
        raise LabError(f"fetch: {path.name} is not a whole image archive: {error}") from None
    if found != expected:
        raise LabError(f"fetch: {path.name}: a layer of {image} is not the one it names; nothing was kept")


def _entry(archive: tarfile.TarFile, image: str) -> dict[str, Any] | None:
    for entry in _json(archive, "manifest.json"):
        if image in (entry.get("RepoTags") or ()):
            return dict(entry)
    return None


def _digest(archive: tarfile.TarFile, member: str) -> str:
    stream = archive.extractfile(member)
    if stream is None:
        raise KeyError(member)
    digest = hashlib.sha256()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _json(archive: tarfile.TarFile, member: str) -> Any:
    stream = archive.extractfile(member)
    if stream is None:
        raise KeyError(member)
    return json.loads(stream.read())


def _file_of(path: Path, name: str) -> bytes:
    """A file of an image, from the last layer that has it. Raises LabError when none does."""
    with tarfile.open(path) as archive:
        manifest = _json(archive, "manifest.json")
        for layer in reversed(manifest[0]["Layers"]):
            with tarfile.open(fileobj=archive.extractfile(layer)) as files, contextlib.suppress(KeyError):
                stream = files.extractfile(name)
                if stream is not None:
                    return stream.read()
    raise LabError(f"fetch: {path.name}: no layer has /{name}")


def _run(command: list[str], *, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"fetch: {command[0]}: {error}") from None


def _last(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no reason given"
