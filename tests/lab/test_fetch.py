"""`lab fetch` against an HTTP server on 127.0.0.1: only what was verified gets into the cache."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.embedded import fetch
from lab.embedded.fetch import IMAGES, KEY_FILE, SCRIPT, Release, fetch_release, fetch_weave
from lab.errors import LabError, UsageError
from lab.overlays.weave import WeavePlugin

PROGRAM = b"#!/bin/sh\necho the program\n"


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder; a file `NAME.cut` makes NAME end after half of the announced length."""

    def do_GET(self) -> None:
        file = Path(self.directory) / self.path.lstrip("/")
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if file.with_name(f"{file.name}.cut").exists() else content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        return


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder that the server serves."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def url(place: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(place)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Signer:
    """An OpenPGP key for the tests."""

    def __init__(self, home: Path, name: str) -> None:
        self._home = home
        home.mkdir(mode=0o700)
        self._gpg("--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "1d")
        listed = self._gpg("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def _gpg(self, *words: str) -> bytes:
        command = ["gpg", "--homedir", str(self._home), "--batch", "--no-tty", *words]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    @property
    def key(self) -> bytes:
        return self._gpg("--armor", "--export")

    def sign(self, file: Path) -> bytes:
        return self._gpg("--detach-sign", "--output", "-", str(file))

    def close(self) -> None:
        """End the agent that made the key."""
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], check=True, timeout=20)


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Signer, Signer]]:
    """The key that signs the releases, and another one."""
    folder = tmp_path_factory.mktemp("gpg")  # short: the agent's socket lies in it
    made = Signer(folder / "own", "maker"), Signer(folder / "other", "other")
    yield made
    for signer in made:
        signer.close()


@pytest.fixture
def release(place: Path, url: str, signers: tuple[Signer, Signer]) -> Release:
    """A complete release on the server."""
    own, _ = signers
    made = Release("tool", "1.0", own.fingerprint, url, f"{url}/{KEY_FILE}")
    with zipfile.ZipFile(place / made.archive, "w") as archive:
        archive.writestr("tool", PROGRAM)
    write_list(place, made, own)
    (place / KEY_FILE).write_bytes(own.key)
    return made


def write_list(place: Path, release: Release, signer: Signer) -> None:
    checksum = hashlib.sha256((place / release.archive).read_bytes()).hexdigest()
    (place / release.checksums).write_text(f"{'0' * 64}  another_1.0_linux_amd64.zip\n{checksum}  {release.archive}\n")
    (place / f"{release.checksums}.sig").write_bytes(signer.sign(place / release.checksums))


def left_in(cache: Path) -> list[str]:
    return [str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()] if cache.exists() else []


def test_a_good_release_is_kept_and_can_be_run(release: Release, cache: Path) -> None:
    said = fetch_release(release)
    binary = cache / "bin" / "tool"
    assert said == f"tool 1.0: {binary}"
    assert subprocess.run([binary], capture_output=True, check=True).stdout == b"the program\n"
    assert left_in(cache) == ["bin/tool"]


def test_a_release_can_be_fetched_from_a_directory(release: Release, place: Path, cache: Path) -> None:
    fetch_release(release, str(place))
    assert left_in(cache) == ["bin/tool"]


def other_program(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    with zipfile.ZipFile(place / release.archive, "w") as archive:
        archive.writestr("tool", b"something else")


def changed_list(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    other_program(place, release, signers)
    signature = (place / f"{release.checksums}.sig").read_bytes()
    write_list(place, release, signers[0])
    (place / f"{release.checksums}.sig").write_bytes(signature)


def signed_by_another(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    write_list(place, release, signers[1])
    (place / KEY_FILE).write_bytes(signers[1].key)


def signed_by_another_too(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    write_list(place, release, signers[1])
    (place / KEY_FILE).write_bytes(signers[0].key + signers[1].key)


def no_signature(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    (place / f"{release.checksums}.sig").write_bytes(b"")


def unlisted(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    (place / release.checksums).write_text(f"{'0' * 64}  another_1.0_linux_amd64.zip\n")
    (place / f"{release.checksums}.sig").write_bytes(signers[0].sign(place / release.checksums))


def truncated(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    (place / f"{release.archive}.cut").touch()


def missing(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    (place / release.archive).unlink()


def no_zip(place: Path, release: Release, signers: tuple[Signer, Signer]) -> None:
    (place / release.archive).write_bytes(b"no zip")
    write_list(place, release, signers[0])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (other_program, r"has the checksum \w+, not \w+; nothing was kept"),
        (changed_list, "is not a good signature"),
        (signed_by_another, "is not a good signature"),
        (signed_by_another_too, "is not a good signature"),
        (no_signature, "is not a good signature"),
        (unlisted, "does not list"),
        (truncated, r"truncated: \d+ of \d+ bytes came"),
        (missing, "HTTP status 404"),
        (no_zip, "holds no program tool"),
    ],
    ids=lambda value: value.__name__.replace("_", "-") if callable(value) else "",
)
def test_a_release_that_fails_verification_is_one_line_and_not_kept(
    spoil: Callable[[Path, Release, tuple[Signer, Signer]], None],
    said: str,
    release: Release,
    place: Path,
    signers: tuple[Signer, Signer],
    cache: Path,
) -> None:
    spoil(place, release, signers)
    with pytest.raises(LabError, match=said) as caught:
        fetch_release(release)
    assert "\n" not in str(caught.value)
    assert left_in(cache) == []


def test_a_server_that_is_not_there_is_one_line(release: Release, cache: Path) -> None:
    with pytest.raises(LabError, match=r"--from DIR") as caught:
        fetch_release(release, "http://127.0.0.1:1")
    assert "\n" not in str(caught.value)


def test_other_url_schemes_are_a_usage_error(release: Release, cache: Path) -> None:
    with pytest.raises(UsageError, match="http or https"):
        fetch_release(release, "ftp://127.0.0.1/")


def image_archive(path: Path, image: str, files: dict[str, bytes]) -> None:
    """A one-layer image as `docker save` writes it."""
    layer = tar(files)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]).encode()
    path.write_bytes(tar({"manifest.json": manifest, "config.json": config, "layer.tar": layer}))


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def images(place: Path) -> Path:
    """Weave's images, with the parts that fetch reads."""
    for name, image in IMAGES.items():
        image_archive(place / name, image, {SCRIPT: b"#!/bin/sh\n"})
    return place


@pytest.mark.parametrize("by", ["directory", "server"])
def test_weave_is_complete_with_images_and_script(by: str, images: Path, url: str, cache: Path) -> None:
    assert WeavePlugin.lacking() is not None
    fetch_weave(url if by == "server" else str(images))
    assert sorted(left_in(cache)) == sorted(["weave/weave", *(f"weave/{name}" for name in IMAGES)])
    assert WeavePlugin.lacking() is None


def other_layer(place: Path) -> None:
    name = "weaveexec.tar"
    with tarfile.open(place / name) as archive:
        members = {name: archive.extractfile(name).read() for name in ("manifest.json", "config.json")}  # type: ignore[union-attr]
    (place / name).write_bytes(tar({**members, "layer.tar": tar({SCRIPT: b"something else"})}))


def other_image(place: Path) -> None:
    image_archive(place / "weave.tar", "weaveworks/weave:2.7.0", {})


def half_an_archive(place: Path) -> None:
    content = (place / "weave.tar").read_bytes()
    (place / "weave.tar").write_bytes(content[: len(content) // 3])


def no_script(place: Path) -> None:
    image_archive(place / "weaveexec.tar", IMAGES["weaveexec.tar"], {})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (other_layer, "is not the one it names"),
        (other_image, r"holds no image weaveworks/weave:2\.8\.1"),
        (half_an_archive, "is not a whole image archive"),
        (no_script, f"no layer has /{SCRIPT}"),
        (lambda place: (place / "weavedb.tar").unlink(), "No such file"),
    ],
    ids=["other-layer", "other-image", "half-an-archive", "no-script", "missing"],
)
def test_images_that_fail_verification_are_one_line_and_not_kept(
    spoil: Callable[[Path], None], said: str, images: Path, cache: Path
) -> None:
    spoil(images)
    with pytest.raises(LabError, match=said) as caught:
        fetch_weave(str(images))
    assert "\n" not in str(caught.value)
    assert left_in(cache) == []
    assert WeavePlugin.lacking() is not None


def test_images_come_by_the_digest_that_was_seen_first(
    cache: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a skopeo that records its arguments and copies an archive."""
    asked = tmp_path / "asked"
    skopeo = tmp_path / "skopeo"
    skopeo.write_text(
        f'#!/bin/sh\necho "$@" >>{asked}\n'
        'case "$1" in inspect) echo sha256:1234 ;; *) '
        f'target=${{4#docker-archive:}}; target=${{target%%:*}}; cp {images}/"${{target##*/}}" "$target" ;; esac\n'
    )
    skopeo.chmod(0o755)
    monkeypatch.setattr(fetch, "find_program", lambda name: str(skopeo))
    fetch_weave()
    fetch_weave()
    words = asked.read_text().splitlines()
    assert [line for line in words if line.startswith("inspect")] == [
        f"inspect --format {{{{.Digest}}}} docker://{image}" for image in IMAGES.values()
    ]
    copied = [line.split()[2] for line in words if line.startswith("copy")]
    assert copied == [f"docker://{image.rsplit(':', 1)[0]}@sha256:1234" for image in IMAGES.values()] * 2
