"""The bridge as it is deployed: from a customer's RabbitMQ, over TLS, to the ledger, and the answer back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import pytest
from lxml import etree

from postbus.domain.iso20022.workflow import pipeline_transaction_id
from postbus.domain.lifecycle import OutcomeState
from tests.e2e.api import Payment, pacs_008
from tests.e2e.faults import environment
from tests.e2e.stack import Stack, new_id, until
from tests.servers.rabbitmq import PASSWORD, PROGRAMS, USERNAME, Authority, RabbitMq

pytestmark = [
    pytest.mark.e2e,
    # The broker stands on this machine, at an address of its own loopback.
    pytest.mark.needs("pipes_or_runner", "workflows", "oauth", "host_functions"),
]

INCOMING, REFUSED, ANSWERS = "payments", "payments.refused", "answers"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    if not (PROGRAMS / "rabbitmq-server").exists():
        pytest.skip("needs a RabbitMQ server: `make rabbitmq` fetches one on Debian and Ubuntu")
    server = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    try:
        with server.channel() as channel:
            for name in (INCOMING, REFUSED, ANSWERS):
                channel.queue_declare(name, durable=True)
        yield server
    finally:
        server.kill()


@contextmanager
def bridged(stack: Stack, broker: RabbitMq, authorities: str) -> Iterator[None]:
    """The deployed bridge turned to the broker, with a secret that says whose certificates to trust."""
    secrets = stack.client("secretsmanager")
    fields = {"username": USERNAME, "password": PASSWORD, "authorities": authorities}
    secret = secrets.create_secret(Name=f"postbus-broker-{new_id()}", SecretString=json.dumps(fields))["ARN"]
    where = {"POSTBUS_BROKER_PORT": str(broker.port), "POSTBUS_BROKER_SECRET_ID": secret}
    try:
        with (
            environment(stack, "read-broker", POSTBUS_READ_SECONDS="5", **where),
            environment(stack, "write-broker", **where),
        ):
            yield
    finally:
        secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def sent(broker: RabbitMq, message_id: str, body: bytes) -> None:
    with broker.channel() as channel:
        channel.confirm_delivery()
        properties = pika.BasicProperties(message_id=message_id, app_id="customer", delivery_mode=2)
        channel.basic_publish("", INCOMING, body, properties, mandatory=True)


def answers(broker: RabbitMq) -> list[tuple[pika.BasicProperties, bytes]]:
    """What has been published there; taken away with this call."""
    found = []
    with broker.channel() as channel:
        while True:
            method, properties, body = channel.basic_get(ANSWERS, auto_ack=True)
            if method is None:
                return found
            found.append((properties, body))


def nothing_waits(broker: RabbitMq, queue: str) -> bool:
    """Whether the queue is empty and nobody has any of it in hand: all of it was acknowledged."""
    with broker.channel() as channel:
        told = channel.queue_declare(queue, passive=True).method
        return (told.message_count, told.consumer_count) == (0, 0)


def run_of(stack: Stack, function: str) -> dict[str, Any]:
    """A call's answer, or its error, as told to whoever called."""
    called = stack.client("lambda").invoke(
        FunctionName=stack.deployment["functions"][function], Payload=b"{}"
    )
    told: dict[str, Any] = json.loads(called["Payload"].read())
    return told


def test_a_message_from_the_broker_is_posted_once_and_its_answer_is_published(
    stack: Stack, broker: RabbitMq
) -> None:
    payment = Payment(amount="7.89")
    message, message_id = pacs_008([payment]), f"m-{new_id()}"
    with bridged(stack, broker, broker.authority.pem):
        # Delivered twice, as a broker may after any break of a connection.
        for _ in range(2):
            sent(broker, message_id, message)
        stack.invoke("read-broker", {})
        until("both deliveries are acknowledged", lambda: nothing_waits(broker, INCOMING))
        [(properties, answer)] = until("it is answered", lambda: answers(broker))
        transaction_id = properties.message_id
        assert properties.headers == {"transaction_id": transaction_id, "status": "ACSC"}
        assert (properties.delivery_mode, properties.content_type) == (2, "application/xml")
        texts = {element.tag.rpartition("}")[2]: element.text for element in etree.fromstring(answer).iter()}
        assert (texts["OrgnlEndToEndId"], texts["TxSts"]) == (payment.end_to_end_id, "ACSC")
        outcome = stack.outcome(pipeline_transaction_id(transaction_id, 1), OutcomeState.POSTED)
        assert {(one["account"], one["direction"], one["amount"]) for one in outcome.data["entries"]} == {
            ("current-anna", "debit", "789"),
            ("current-bruno", "credit", "789"),
        }

        # And once more when all is over.
        stack.quiet()
        before = stack.books()
        sent(broker, message_id, message)
        stack.invoke("read-broker", {})
        until("it is acknowledged again", lambda: nothing_waits(broker, INCOMING))
        url = stack.deployment["queues"]["write-broker"]
        until("every answer was confirmed", lambda: stack.depth(url) == 0)
        stack.quiet()
        assert stack.books() == before
        assert {one.message_id for one, _ in answers(broker)} <= {transaction_id}
        assert broker.depth(REFUSED) == 0


def test_a_broker_that_a_stranger_vouches_for_is_told_nothing_and_keeps_its_message(
    stack: Stack, broker: RabbitMq
) -> None:
    sent(broker, f"m-{new_id()}", pacs_008([Payment()]))
    with bridged(stack, broker, Authority.make("a stranger").pem):
        assert "certificate not accepted" in run_of(stack, "read-broker")["errorMessage"]
    assert broker.depth(INCOMING) == 1
    with broker.channel() as channel:
        channel.queue_purge(INCOMING)
