"""How this machine's package clients (apt, pip, npm) reach their registries, to be given to a fresh Debian.

Only that is taken: mirrors, proxies, certificates, folders of packages. Nothing here knows an address: the mirror
is the one that this machine's own apt uses.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.embedded import debian

FILES = "/etc/resolv.conf /etc/hosts /etc/apt/auth.conf /etc/apt/auth.conf.d/*".split()
PIP_FILES = "/etc/pip.conf /etc/xdg/pip/pip.conf ~/.config/pip/pip.conf ~/.pip/pip.conf".split()
"""pip's documentation, "Configuration"."""
NPM_FILES = "/etc/npmrc /usr/etc/npmrc /usr/local/etc/npmrc ~/.npmrc".split()
"""npm's global file lies below npm's prefix, which differs between builds of it (npmrc(5)): all go into ~/.npmrc."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_LOCAL_CERTIFICATE = "/usr/local/share/ca-certificates/machine.crt"
"""update-ca-certificates(8) puts what lies there into the bundle that it writes."""
VARIABLES = re.compile(
    r"PIP_(INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|CONSTRAINT|CERT|PROXY|TRUSTED_HOST|DEFAULT_TIMEOUT|RETRIES)"
    r"|npm_config_(registry|cafile|proxy|https_proxy|noproxy)|(https?|ftp|no|all)_proxy"
    r"|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS",
    re.IGNORECASE,
)
_PLACES = {"index-url", "extra-index-url", "find-links", "constraint", "cert"}
"""Those of pip's settings whose values can be places on this machine."""


class NoSettings(Exception):
    """This machine's package clients cannot serve a fresh Debian; the text says why, and what to do."""


@dataclass(frozen=True)
class Clients:
    """Settings of package clients, for the root file system of a release."""

    sources: tuple[debian.Source, ...]
    apt: str
    """apt.conf(5)."""
    files: Mapping[str, bytes]
    """Absolute path → content."""
    folders: tuple[Path, ...]
    """Folders that pip's settings name: packages that lie on this machine."""
    environment: Mapping[str, str]


def collect(release: str, mirror: str | None = None) -> Clients:
    """The settings of this machine for a Debian release; `mirror` instead of its apt's. Raises NoSettings, NoDebian."""
    places_of_debian = {"Debian": mirror} if mirror is not None else debian.mirrors()
    environment = {name: value for name, value in os.environ.items() if VARIABLES.fullmatch(name)}
    pip = {name: path.read_bytes() for name, path in _existing(PIP_FILES)}
    npm = b"\n".join(path.read_bytes() for _, path in _existing(NPM_FILES))
    values = [*environment.values(), *(value for text in pip.values() for value in pip_places(text.decode()))]
    values += re.findall(r"^cafile\s*=\s*(.*)$", npm.decode(), re.M)
    places = [path for value in values for path in named_places(value)]
    files = {name: path.read_bytes() for name, path in _existing([*FILES, CERTIFICATES])} | pip
    files |= {str(path): path.read_bytes() for path in places if path.is_file()}
    if CERTIFICATES in files:
        files[_LOCAL_CERTIFICATE] = files[CERTIFICATES]
    if npm:
        files["/root/.npmrc"] = npm
    return Clients(
        sources=debian.sources(release, places_of_debian),
        apt=debian.fetch_settings(),
        files=files,
        folders=tuple(dict.fromkeys(path for path in places if path.is_dir())),
        environment=environment,
    )


def pip_places(text: str) -> list[str]:
    """The values of a pip.conf that may name places on this machine. Raises NoSettings: not such a file."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise NoSettings(f"pip.conf: {str(error).splitlines()[0]}; mend it") from None
    pairs = (pair for section in parser.values() for pair in section.items())
    return [value for key, value in pairs if key.replace("_", "-") in _PLACES]


def named_places(value: str) -> list[Path]:
    """Absolute paths in a setting's value.

    The pages of a simple index (PEP 503) link to files that usually lie beside it, so its parent is meant.
    """
    words = [word.removeprefix("file://") for word in value.split()]
    paths = [Path(word) for word in words if word.startswith("/") and word != "/"]
    return [path.parent if path.name == "simple" else path for path in paths]


def _existing(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """(absolute path as root sees it, path) of the files that these names and patterns stand for."""
    for name in names:
        absolute = Path(name.replace("~", "/root"))
        for path in sorted(absolute.parent.glob(absolute.name)):
            if path.is_file():
                yield str(path), path
