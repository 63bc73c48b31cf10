"""SSH keys of one lab: made for it, dead with it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_key,
)

CERTIFICATE_S = 30 * 24 * 3600
"""How long a certificate is valid, seconds; no lab lives that long."""


def make_key(path: Path, *, comment: str, passphrase: str | None = None) -> str:
    """Write an Ed25519 private key (mode 0600, OpenSSH format), encrypted if given a passphrase; its public line."""
    key = Ed25519PrivateKey.generate()
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} {comment}"


def sign_key(public: str, authority: Path, *, principals: Sequence[str], identity: str) -> str:
    """A user certificate (ssh-keygen(1), CERTIFICATES) of a public line, signed by the private key in `authority`."""
    signer = load_ssh_private_key(authority.read_bytes(), None)
    subject = load_ssh_public_key(public.encode())
    assert isinstance(signer, Ed25519PrivateKey)
    now = int(time.time())
    certificate = (
        SSHCertificateBuilder()
        .public_key(subject)  # type: ignore[arg-type]  # an Ed25519 key, as `make_key` makes them
        .type(SSHCertificateType.USER)
        .key_id(identity.encode())
        .valid_principals([name.encode() for name in principals])
        .valid_after(now - 3600)
        .valid_before(now + CERTIFICATE_S)
        .add_extension(b"permit-pty", b"")
        .add_extension(b"permit-port-forwarding", b"")
        .sign(signer)
    )
    return certificate.public_bytes().decode()


def write_private(path: Path, content: bytes | str) -> None:
    """Write a file that only its owner reads (mode 0600); its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, 0o600)  # a file that was there keeps its mode else
        stream.write(content.encode() if isinstance(content, str) else content)
