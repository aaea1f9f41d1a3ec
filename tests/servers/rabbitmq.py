"""A RabbitMQ server of the tests' own: on loopback, with TLS, in a folder of its own, ended by its process.

`make rabbitmq` fetches the programs; nothing is installed.
"""

import contextlib
import datetime
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pika
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PROGRAMS = Path(__file__).resolve().parents[2] / ".local" / "rabbitmq" / "bin"
USERNAME = "postbus"
PASSWORD = "only-for-tests"
_START_SECONDS = 60
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, made for a run."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str) -> "Authority":
        key = _key()
        subject = _name(name)
        certificate = (
            _certificate(subject, subject, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, host: str, folder: Path) -> None:
        """Write ``key.pem`` and ``certificate.pem`` of a server."""
        key = _key()
        public = self.key.public_key()
        certificate = (
            _certificate(_name(host), self.certificate.subject, key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
        (folder / "key.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )


class RabbitMq:
    """One server, for ``localhost``; killed and started again it keeps what it was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = Authority.make("authority of the tests")
        self.authority.issue("localhost", folder)
        self.port, self._distribution_port, self._names_port = _free_ports(3)
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "authority.pem").write_text(self.authority.pem)
        (folder / "plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text(
            "listeners.tcp = none\n"
            f"listeners.ssl.1 = 127.0.0.1:{self.port}\n"
            f"ssl_options.certfile = {folder}/certificate.pem\n"
            f"ssl_options.keyfile = {folder}/key.pem\n"
            f"ssl_options.cacertfile = {folder}/authority.pem\n"
            f"default_user = {USERNAME}\n"
            f"default_pass = {PASSWORD}\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.console = true\n"
            "log.file = false\n"
        )

    def start(self) -> None:
        """Returns when it takes connections.

        Raises:
            TimeoutError: it does not within a minute; the end of its log says why.
        """
        environment = self._environment()
        log = (self._folder / "log").open("ab")
        # Started by hand, or Erlang would start a name server that outlives it.
        names = [str(PROGRAMS / "epmd"), "-address", "127.0.0.1", "-port", str(self._names_port)]
        for command in (names, [str(PROGRAMS / "rabbitmq-server")]):
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                )
            )
        log.close()
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._processes[-1].poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        self.kill()
        raise TimeoutError((self._folder / "log").read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """End it at once, as a machine ends that loses its power."""
        for process in reversed(self._processes):
            process.kill()
            process.wait(10)
        self._processes.clear()

    @contextlib.contextmanager
    def channel(self) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
        """The server as an operator sees it."""

        tls = pika.SSLOptions(ssl.create_default_context(cadata=self.authority.pem), "localhost")
        parameters = pika.ConnectionParameters(
            "localhost",
            self.port,
            credentials=pika.PlainCredentials(USERNAME, PASSWORD),
            ssl_options=tls,
            blocked_connection_timeout=10,
        )
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def depth(self, queue: str) -> int:
        """How many messages wait there that nobody has in hand."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": folder,
            "LANG": "C.UTF-8",
            "detached": "1",  # the server in place of the script, so that ending the process ends the server
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        }


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
