"""What the parties of a foreign lab identify themselves with: keys, certificates, passphrases. Dead with the lab."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from . import foreign
from .keys import make_key, sign_key, write_private
from .pki import Authority


@dataclass(frozen=True)
class Credentials:
    """What is put on the machines: public keys as lines, and who signs the servers' certificates."""

    operator: str
    dockhand: str
    user_ca: str
    engines: Authority


def make_credentials(state: Path) -> Credentials:
    """Make all of them, and write what clients hold into the lab's run directory: keys/ and tls/."""
    passphrase = secrets.token_urlsafe(12)
    write_private(passphrase_file(state), f"{passphrase}\n")
    operator = make_key(key_file(state, "operator"), comment="operator@acme", passphrase=passphrase)
    dockhand = make_key(key_file(state, "dockhand"), comment="dockhand@acme")
    user_ca = make_key(key_file(state, "user_ca"), comment="users@acme")
    signed = make_key(key_file(state, "signed"), comment="signed@acme")
    principals = [foreign.OPERATOR.name, foreign.JUMPER.name]
    certificate = sign_key(signed, key_file(state, "user_ca"), principals=principals, identity="signed@acme")
    write_private(certificate_file(state), f"{certificate}\n")
    engines = Authority("engines of acme")
    engines.issue(tls_folder(state, "docker"), "runner")
    return Credentials(operator, dockhand, user_ca, engines)


def key_file(state: Path, name: str) -> Path:
    """A private key: `operator` (encrypted), `dockhand`, `signed` (with a certificate), `user_ca`."""
    return state / "keys" / name


def passphrase_file(state: Path) -> Path:
    """The passphrase of operator's key."""
    return state / "keys" / "operator.passphrase"


def certificate_file(state: Path) -> Path:
    """The certificate of the key `signed`: for operator on the nodes, and jumper on the bastion."""
    return state / "keys" / "signed-cert.pub"


def tls_folder(state: Path, service: str) -> Path:
    """A client's certificate for `docker`, its key, and the authority's certificate (pki.CA and the others)."""
    return state / "tls" / service
