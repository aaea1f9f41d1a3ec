"""One RabbitMQ server for the run, queues of its own for each test."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from postbus.adapters.rabbitmq_broker import Endpoint, RabbitMqReader, RabbitMqWriter
from tests.servers.message_api import MessageApiServer
from tests.servers.rabbitmq import PASSWORD, PROGRAMS, USERNAME, RabbitMq


@dataclass
class Fields:
    """A secret."""

    values: dict[str, str]
    forgotten: int = 0

    def read(self) -> dict[str, str]:
        return self.values

    def forget(self) -> None:
        self.forgotten += 1


@dataclass(frozen=True)
class Queues:
    """A queue to read, one for what is refused, and the server they are on."""

    server: RabbitMq
    name: str

    @property
    def refused(self) -> str:
        return f"{self.name}.refused"

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("localhost", self.server.port, authorities=self.server.authority.pem)

    def reader(self, in_hand: int = 10) -> RabbitMqReader:
        return RabbitMqReader(self.endpoint, secret(), self.name, self.refused, in_hand)

    def writer(self, routing_key: str | None = None, exchange: str = "") -> RabbitMqWriter:
        return RabbitMqWriter(self.endpoint, secret(), exchange, routing_key or self.name)


def secret(password: str = PASSWORD) -> Fields:
    return Fields({"username": USERNAME, "password": password})


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    if not (PROGRAMS / "rabbitmq-server").exists():
        pytest.skip("needs a RabbitMQ server: `make rabbitmq` fetches one on Debian and Ubuntu")
    server = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def queues(rabbitmq: RabbitMq) -> Queues:
    made = Queues(rabbitmq, f"incoming-{uuid.uuid4().hex[:8]}")
    with rabbitmq.channel() as channel:
        for name in (made.name, made.refused):
            channel.queue_declare(name, durable=True)
    return made


@pytest.fixture
def api() -> Iterator[MessageApiServer]:
    with MessageApiServer() as server:
        yield server
