"""Sockets inside TLS: the server is verified, and each direction ends by itself."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.access.dialling import dial_tls
from lab.inventory import Tls

NOW = datetime.datetime.now(datetime.UTC)


def certificate(folder: Path, name: str, address: str) -> None:
    """Write `name`.pem, which is its own authority, and `name`.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@dataclass
class Server:
    """A TLS server on the loopback interface that runs `serve` on one connection."""

    folder: Path
    serve: Callable[[ssl.SSLSocket], None]

    def start(self, *, client_certificates: bool = False) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        if client_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.folder / "client.pem")
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(listener, context), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        with listener:
            plain, _ = listener.accept()
        with plain:
            try:
                with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as secure:
                    self.serve(secure)
            except OSError:
                return  # the client refused the server, or was refused


@pytest.fixture
def files(tmp_path: Path) -> Path:
    certificate(tmp_path, "server", "127.0.0.1")
    certificate(tmp_path, "elsewhere", "192.0.2.1")
    certificate(tmp_path, "client", "127.0.0.1")
    return tmp_path


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    yield made
    for sock in made:
        sock.close()


def everything(sock: socket.socket) -> bytes:
    sock.settimeout(10)
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def test_an_answer_of_any_size_arrives_whole_when_the_server_ends_with_it(
    files: Path, sockets: list[socket.socket]
) -> None:
    answer = bytes(range(256)) * 4096

    def serve(secure: ssl.SSLSocket) -> None:
        secure.recv(100)
        secure.sendall(answer)
        secure.unwrap()  # the end of the data comes with the data

    port = Server(files, serve).start()
    sockets.append(dial_tls("127.0.0.1", port, Tls(ca=files / "server.pem")))
    sockets[0].sendall(b"go")
    assert everything(sockets[0]) == answer


def test_the_server_sees_the_end_of_the_input(files: Path, sockets: list[socket.socket]) -> None:
    received: list[bytes] = []
    ended = threading.Event()

    def serve(secure: ssl.SSLSocket) -> None:
        received.extend(iter(lambda: secure.recv(100), b""))
        ended.set()

    port = Server(files, serve).start()
    sockets.append(dial_tls("127.0.0.1", port, Tls(ca=files / "server.pem")))
    sockets[0].sendall(b"all of it")
    sockets[0].shutdown(socket.SHUT_WR)
    assert ended.wait(10)
    assert b"".join(received) == b"all of it"


def test_a_server_of_another_name_is_refused(files: Path) -> None:
    port = Server(files, lambda _: None).start()
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'other'"):
        dial_tls("127.0.0.1", port, Tls(ca=files / "server.pem", server_name="other"))


def test_a_server_of_another_authority_is_refused(files: Path) -> None:
    port = Server(files, lambda _: None).start()
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
        dial_tls("127.0.0.1", port, Tls(ca=files / "elsewhere.pem"))


def test_the_clients_certificate_is_shown(files: Path, sockets: list[socket.socket]) -> None:
    port = Server(files, lambda secure: secure.sendall(b"welcome")).start(client_certificates=True)
    tls = Tls(ca=files / "server.pem", certificate=files / "client.pem", key=files / "client.key")
    sockets.append(dial_tls("127.0.0.1", port, tls))
    assert everything(sockets[0]) == b"welcome"


def test_a_server_that_asks_for_a_certificate_in_vain_ends_the_connection(
    files: Path, sockets: list[socket.socket]
) -> None:
    port = Server(files, lambda secure: secure.sendall(b"welcome")).start(client_certificates=True)
    try:
        sockets.append(dial_tls("127.0.0.1", port, Tls(ca=files / "server.pem")))
    except OSError:
        return  # TLS 1.2: during the handshake
    assert everything(sockets[0]) == b""
