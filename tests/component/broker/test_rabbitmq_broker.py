"""What only a real server can show: certificates, credentials, confirmations, and its sudden end."""

import socket
import time
from dataclasses import replace

import pika
import pytest

from postbus.adapters.rabbitmq_broker import Endpoint, RabbitMqReader, RabbitMqWriter
from postbus.domain.errors import OutcomeUnknown, Unavailable
from postbus.domain.iso20022.brokered import Publication
from tests.component.broker.conftest import Queues, secret
from tests.servers.rabbitmq import Authority


def test_a_server_certified_by_a_stranger_is_refused(queues: Queues) -> None:
    stranger = replace(queues.endpoint, authorities=Authority.make("a stranger").pem)
    with pytest.raises(Unavailable, match=r"certificate not accepted, .*(self-signed|local issuer)"):
        RabbitMqReader(stranger, secret(), queues.name, queues.refused)


def test_a_server_of_another_name_is_refused(queues: Queues) -> None:
    elsewhere = replace(queues.endpoint, host="127.0.0.1")
    with pytest.raises(Unavailable, match="certificate not accepted, IP address mismatch"):
        RabbitMqReader(elsewhere, secret(), queues.name, queues.refused)


def test_the_platforms_authorities_do_not_vouch_for_a_private_one(queues: Queues) -> None:
    with pytest.raises(Unavailable, match="certificate not accepted"):
        RabbitMqReader(replace(queues.endpoint, authorities=None), secret(), queues.name, queues.refused)


def test_the_secret_may_name_the_authorities(queues: Queues) -> None:
    fields = secret()
    fields.values["authorities"] = queues.server.authority.pem
    RabbitMqReader(replace(queues.endpoint, authorities=None), fields, queues.name, queues.refused).close()


def test_credentials_that_are_not_accepted_are_read_anew_next_time(queues: Queues) -> None:
    wrong = secret("not this one")
    with pytest.raises(Unavailable, match="does not accept the credentials") as raised:
        RabbitMqReader(queues.endpoint, wrong, queues.name, queues.refused)
    assert wrong.forgotten == 1
    assert "not this one" not in str(raised.value)


def test_a_queue_that_is_missing_is_no_empty_queue(queues: Queues) -> None:
    reader = RabbitMqReader(queues.endpoint, secret(), "no-such-queue", queues.refused)
    with pytest.raises(Unavailable, match="no queue 'no-such-queue'"):
        reader.take(5)
    reader.close()


def test_a_broker_that_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            RabbitMqReader(Endpoint("127.0.0.1", silent.getsockname()[1]), secret(), "queue", "refused")
        assert time.monotonic() - began < 16


def test_a_message_that_is_to_be_put_aside_and_cannot_be_stays_in_hand(queues: Queues) -> None:
    publish(queues, b"<one/>")
    reader = RabbitMqReader(queues.endpoint, secret(), queues.name, "no-such-queue")
    delivery = reader.take(5)
    assert delivery is not None
    with pytest.raises(Unavailable, match="led to no queue, 312 NO_ROUTE"):
        reader.refuse(delivery, "400")
    reader.close()
    assert queues.server.depth(queues.name) == 1


def test_what_is_put_aside_keeps_what_its_sender_said_but_neither_expires_nor_spreads(queues: Queues) -> None:
    with queues.server.channel() as channel:
        channel.queue_declare(f"{queues.name}.copies")
        channel.basic_publish(
            "",
            queues.name,
            b"<one/>",
            pika.BasicProperties(
                message_id="m-1",
                app_id="ledger",
                expiration="60000",
                user_id="postbus",
                headers={"CC": [f"{queues.name}.copies"], "batch": 7},
            ),
        )
    reader = queues.reader()
    delivery = reader.take(5)
    assert delivery is not None
    assert delivery.properties == {"app_id": "ledger", "user_id": "postbus"}
    reader.refuse(delivery, "400: no XML")
    reader.close()
    with queues.server.channel() as channel:
        _, properties, _ = channel.basic_get(queues.refused, auto_ack=True)
    assert (properties.message_id, properties.app_id, properties.delivery_mode) == ("m-1", "ledger", 2)
    assert (properties.expiration, properties.user_id) == (None, None)
    assert properties.headers == {"batch": 7, "postbus-reason": "400: no XML"}
    assert queues.server.depth(f"{queues.name}.copies") == 1


def test_an_exchange_that_routes_nowhere_gives_the_message_back(queues: Queues) -> None:
    exchange = f"{queues.name}.exchange"
    with queues.server.channel() as channel:
        channel.exchange_declare(exchange, "direct", durable=True)
        channel.queue_bind(queues.name, exchange, "answers")
    writer = queues.writer("nowhere", exchange)
    with pytest.raises(Unavailable, match="led to no queue"):
        writer.publish(Publication("t-1", b"<answer/>"))
    writer.close()
    writer = queues.writer("answers", exchange)
    writer.publish(Publication("t-1", b"<answer/>", {"status": "ACSC"}))
    writer.publish(Publication("t-2", b"<answer/>", {"status": "RJCT"}))
    writer.close()
    with queues.server.channel() as channel:
        _, properties, body = channel.basic_get(queues.name, auto_ack=True)
    assert (properties.message_id, properties.delivery_mode, body) == ("t-1", 2, b"<answer/>")
    assert (properties.content_type, properties.headers) == ("application/xml", {"status": "ACSC"})


def test_what_a_full_queue_does_not_take_is_not_published(queues: Queues) -> None:
    full = f"{queues.name}.full"
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with queues.server.channel() as channel:
        channel.queue_declare(full, arguments=arguments)
    writer = queues.writer(full)
    writer.publish(Publication("t-1", b"<answer/>"))
    with pytest.raises(Unavailable, match="was not taken"):
        writer.publish(Publication("t-2", b"<answer/>"))
    writer.close()
    assert queues.server.depth(full) == 1


def test_an_exchange_that_is_missing_is_told_and_the_writer_recovers(queues: Queues) -> None:
    writer = queues.writer("answers", f"{queues.name}.later")
    with pytest.raises(OutcomeUnknown, match="no exchange"):
        writer.publish(Publication("t-1", b"<answer/>"))
    with queues.server.channel() as channel:
        channel.exchange_declare(f"{queues.name}.later", "direct")
        channel.queue_bind(queues.name, f"{queues.name}.later", "answers")
    writer.publish(Publication("t-1", b"<answer/>"))
    writer.close()
    assert queues.server.depth(queues.name) == 1


def test_nothing_of_a_message_is_logged(queues: Queues, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        writer: RabbitMqWriter = queues.writer("nowhere")
        with pytest.raises(Unavailable):
            writer.publish(Publication("t-1", b"<name>Alex Example</name>"))
        writer.close()
    assert "Example" not in caplog.text


def test_a_killed_server_loses_nothing_that_was_not_done_and_nothing_that_was_confirmed(
    queues: Queues,
) -> None:
    publish(queues, b"<one/>")
    publish(queues, b"<two/>")
    place = f"{queues.name}.place"
    with queues.server.channel() as channel:
        channel.queue_declare(place, durable=True)
    writer = queues.writer(place)
    writer.publish(Publication("t-1", b"<answer/>"))
    reader = queues.reader()
    first, second = reader.take(5), reader.take(5)
    assert first is not None
    assert second is not None
    reader.done(first)
    reader.take(0.5)
    queues.server.kill()
    with pytest.raises(Unavailable):
        reader.take(5)
    with pytest.raises(Unavailable):
        reader.done(second)
    reader.close()
    with pytest.raises((Unavailable, OutcomeUnknown)):
        writer.publish(Publication("t-2", b"<answer/>"))
    queues.server.start()
    reader = queues.reader()
    again = reader.take(5)
    assert again is not None
    assert again.body in (b"<one/>", b"<two/>")
    assert any(one is not None and one.body == b"<two/>" for one in (again, reader.take(1)))
    reader.close()
    writer.publish(Publication("t-2", b"<answer/>"))
    writer.close()
    assert queues.server.depth(place) == 2


def publish(queues: Queues, body: bytes) -> None:
    queues.writer().publish(Publication("m", body))
