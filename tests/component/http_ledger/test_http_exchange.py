"""One exchange says truly whether anything was sent, and never takes longer than it may."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from postbus.adapters.http_exchange import Deadlines, Exchange
from postbus.domain.errors import OutcomeUnknown, Unavailable
from tests.component.http_ledger.bench import DEADLINES
from tests.servers.misbehaving_ledger import MisbehavingLedger, Way

pytestmark = pytest.mark.component


def certificate(folder: Path, name: str, address: str) -> Path:
    """A self-signed certificate and its key in one PEM file; its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def serving(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def trusting(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pem))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_over_tls_a_request_is_answered_and_the_connection_is_kept(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "ledger", "127.0.0.1")
    with MisbehavingLedger(tls=serving(pem)) as system:
        exchange = Exchange(system.url, DEADLINES, trusting(pem))
        exchange.connect()
        time.sleep(0.05)  # session tickets arrive: they must not look like an answer nobody asked for
        for _ in range(3):
            assert exchange.request("GET", "/_books", {}).status == 200
        assert len(system.connections) == 1
        exchange.close()


@pytest.mark.parametrize("fault", ["unknown authority", "another host's"])
def test_a_wrong_certificate_means_that_nothing_was_sent(tmp_path: Path, fault: str) -> None:
    pem = certificate(tmp_path, "ledger", "127.0.0.1" if fault == "unknown authority" else "127.0.0.2")
    trusted = certificate(tmp_path, "other", "127.0.0.1") if fault == "unknown authority" else pem
    with MisbehavingLedger(tls=serving(pem)) as system:
        exchange = Exchange(system.url, DEADLINES, trusting(trusted))
        with pytest.raises(Unavailable, match="certificate"):
            exchange.request("POST", "/postings", {}, b"{}")
        assert system.requests == []


def test_a_server_without_tls_means_that_nothing_was_sent() -> None:
    with MisbehavingLedger() as system:
        exchange = Exchange(f"https://127.0.0.1:{system.port}", DEADLINES)
        with pytest.raises(Unavailable):
            exchange.request("POST", "/postings", {}, b"{}")
        assert system.requests == []


def test_a_handshake_that_never_ends_is_given_up(listener: socket.socket) -> None:
    exchange = Exchange(f"https://127.0.0.1:{listener.getsockname()[1]}", Deadlines(connect=0.2, total=5))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        exchange.connect()
    assert time.monotonic() - began < 2


def test_a_refused_connection_and_an_unknown_name_mean_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for origin in (f"http://127.0.0.1:{port}", "https://ledger.invalid"):
        with pytest.raises(Unavailable):
            Exchange(origin, DEADLINES).request("POST", "/postings", {}, b"{}")


@pytest.mark.parametrize("way", [Way.SILENT, Way.SLOW_HEADERS, Way.SLOW_BODY])
def test_a_server_that_drips_meets_the_same_deadline_as_a_silent_one(way: Way) -> None:
    with MisbehavingLedger() as system:
        system.get_ways(way)
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            Exchange(system.url, Deadlines(connect=1, total=0.3)).request("GET", "/postings/visa-1", {})
        assert 0.25 < time.monotonic() - began < 2


def test_an_answer_cut_off_is_none() -> None:
    with MisbehavingLedger() as system:
        system.get_ways(Way.TRUNCATED_BODY)
        with pytest.raises(OutcomeUnknown, match="cut off 7 bytes before its end"):
            Exchange(system.url, Deadlines(total=5)).request("GET", "/postings/visa-1", {})


def test_an_endless_answer_is_cut_at_its_bound() -> None:
    with MisbehavingLedger() as system:
        system.get_ways(Way.HUGE_BODY)
        with pytest.raises(OutcomeUnknown, match="more than 262144 bytes"):
            Exchange(system.url, Deadlines(total=5)).request("GET", "/postings/visa-1", {})


def test_endless_interim_answers_end_at_the_deadline(listener: socket.socket) -> None:
    stop = threading.Event()

    def continue_forever() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            while not stop.wait(0.005):
                try:
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                except OSError:
                    return

    server = threading.Thread(target=continue_forever, daemon=True)
    server.start()
    exchange = Exchange(f"http://127.0.0.1:{listener.getsockname()[1]}", Deadlines(total=0.3))
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        exchange.request("GET", "/", {})
    assert time.monotonic() - began < 2
    stop.set()
    server.join(2)


@pytest.mark.parametrize("body", [b"3\r\n{}\n\r\n0\r\n\r\n", b"3\r\n{}"], ids=["whole", "cut off"])
def test_a_body_in_chunks_is_read_to_its_end_or_not_at_all(listener: socket.socket, body: bytes) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    server = threading.Thread(target=answer, daemon=True)
    server.start()
    exchange = Exchange(f"http://127.0.0.1:{listener.getsockname()[1]}", Deadlines(total=2))
    if body.endswith(b"0\r\n\r\n"):
        assert exchange.request("GET", "/", {}).body == b"{}\n"
    else:
        with pytest.raises(OutcomeUnknown):
            exchange.request("GET", "/", {})
    server.join(2)


def test_a_connection_that_is_to_be_closed_is_not_used_again(listener: socket.socket) -> None:
    taken: list[socket.socket] = []

    def answer() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            taken.append(connection)  # and left open: the word is what counts
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")

    server = threading.Thread(target=answer, daemon=True)
    server.start()
    exchange = Exchange(f"http://127.0.0.1:{listener.getsockname()[1]}", Deadlines(total=2))
    assert [exchange.request("GET", "/", {}).body for _ in range(2)] == [b"{}", b"{}"]
    server.join(2)
    for connection in taken:
        connection.close()


def test_a_connection_unused_for_long_is_not_trusted() -> None:
    now = [0.0]
    with MisbehavingLedger() as system:
        exchange = Exchange(system.url, Deadlines(total=5), monotonic=lambda: now[0])
        for moment in (0.0, 19.0, 40.0):
            now[0] = moment
            exchange.request("GET", "/_books", {})
        assert len(system.connections) == 2


@pytest.mark.parametrize(
    "origin",
    [
        "ledger.example",
        "ftp://ledger.example",
        "https://",
        "https://user:word@ledger.example",
        "https://:s3cret@ledger.example",
        "https://ledger.example:s3cret",
        "https://[s3cret",
        "http://s3cret.example",
        "http://ledger.example",
    ],
)
def test_an_origin_that_would_show_credentials_or_is_none_is_refused_and_not_quoted(origin: str) -> None:
    with pytest.raises(ValueError, match="http") as refused:
        Exchange(origin)
    assert "s3cret" not in str(refused.value)
    assert "word" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"s3cret\r\n\r\n",
        b"HTTP/1.1 s3cret OK\r\n\r\n",
        b"HTTP/9.9 200 s3cret\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\ns3cret",
    ],
)
def test_an_answer_that_is_no_http_is_no_answer_and_is_not_quoted(
    listener: socket.socket, answer: bytes
) -> None:
    def reply() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    server = threading.Thread(target=reply, daemon=True)
    server.start()
    with pytest.raises(OutcomeUnknown) as unknown:
        Exchange(f"http://127.0.0.1:{listener.getsockname()[1]}", Deadlines(total=2)).request("GET", "/", {})
    assert "s3cret" not in str(unknown.value)
    server.join(2)
