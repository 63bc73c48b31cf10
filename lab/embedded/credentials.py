"""What the parties of a foreign lab identify themselves with: keys, certificates, passphrases. Dead with the lab."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import foreign
from .acl import CONSUL_POLICIES, NOMAD_POLICIES
from .foreign import certificate_file, key_file, passphrase_file, tls_folder, token_file
from .keys import make_key, sign_key, write_private
from .pki import Authority


@dataclass(frozen=True)
class Credentials:
    """What is put on the machines: public keys as lines, and who signs the servers' certificates."""

    operator: str
    dockhand: str
    user_ca: str
    engines: Authority
    consul: Authority
    nomad: Authority
    consul_tokens: Mapping[str, str]
    """{name of its policy: token}"""


def make_credentials(state: Path) -> Credentials:
    """Make all of them, and write what clients hold into the lab's run directory: keys/, tls/, tokens/."""
    passphrase = secrets.token_urlsafe(12)
    write_private(passphrase_file(state), f"{passphrase}\n")
    operator = make_key(key_file(state, "operator"), comment="operator@acme", passphrase=passphrase)
    dockhand = make_key(key_file(state, "dockhand"), comment="dockhand@acme")
    user_ca = make_key(key_file(state, "user_ca"), comment="users@acme")
    signed = make_key(key_file(state, "signed"), comment="signed@acme")
    principals = [foreign.OPERATOR.name, foreign.JUMPER.name]
    certificate = sign_key(signed, key_file(state, "user_ca"), principals=principals, identity="signed@acme")
    write_private(certificate_file(state), f"{certificate}\n")
    authorities = {}
    for service in ("docker", "consul", "nomad"):
        authorities[service] = Authority(f"{service} at acme")
        authorities[service].issue(tls_folder(state, service), "runner")
    tokens = {name: str(uuid.uuid4()) for name in (foreign.MANAGEMENT_TOKEN, *CONSUL_POLICIES)}
    for name, token in tokens.items():
        write_private(token_file(state, "consul", name), f"{token}\n")
    for name in (foreign.MANAGEMENT_TOKEN, *NOMAD_POLICIES):
        write_private(token_file(state, "nomad", name), "")  # Nomad makes them itself, when it runs
    engines, consul, nomad = authorities.values()
    return Credentials(operator, dockhand, user_ca, engines, consul, nomad, tokens)
