"""A broker keeps its promises: the one in memory, and RabbitMQ."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from postbus.domain.errors import Unavailable
from postbus.domain.iso20022.brokered import Delivery, Publication
from postbus.ports_iso20022 import BrokerReader, BrokerWriter
from tests.component.broker.conftest import Queues
from tests.fakes.broker import FakeBroker


@dataclass(frozen=True)
class World:
    """A broker, as its reader, its writer and an operator see it."""

    reader: Callable[[int], BrokerReader]
    writer: BrokerWriter
    put: Callable[[str | None, bytes], None]
    waiting: Callable[[], int]
    refused: Callable[[], list[tuple[bytes, str]]]
    published: Callable[[], list[tuple[str, bytes]]]
    cut: Callable[[], None]


@pytest.fixture(params=["in memory", "RabbitMQ"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "in memory":
        broker = FakeBroker()
        yield World(
            reader=lambda in_hand: broker.reader(in_hand),
            writer=broker,
            put=lambda message_id, body: broker.waiting.append((message_id, body)),
            waiting=lambda: len(broker.waiting),
            refused=lambda: broker.refused,
            published=lambda: [(one.message_id, one.body) for one in broker.place],
            cut=lambda: setattr(broker, "leads_somewhere", False),
        )
        return
    queues: Queues = request.getfixturevalue("queues")
    place = f"{queues.name}.place"
    with queues.server.channel() as channel:
        channel.queue_declare(place, durable=True)
    writer = queues.writer(place)
    yield World(
        reader=queues.reader,
        writer=writer,
        put=lambda message_id, body: put(queues, queues.name, message_id, body),
        waiting=lambda: queues.server.depth(queues.name),
        refused=lambda: [(body, said["postbus-reason"]) for _, body, said in drain(queues, queues.refused)],
        published=lambda: [(message_id, body) for message_id, body, _ in drain(queues, place)],
        cut=lambda: delete(queues, place),
    )
    writer.close()


def put(queues: Queues, name: str, message_id: str | None, body: bytes) -> None:
    import pika

    with queues.server.channel() as channel:
        channel.confirm_delivery()
        properties = pika.BasicProperties(message_id=message_id, delivery_mode=2)
        channel.basic_publish("", name, body, properties, mandatory=True)


def drain(queues: Queues, name: str) -> list[tuple[str, bytes, dict[str, str]]]:
    found = []
    with queues.server.channel() as channel:
        while True:
            method, properties, body = channel.basic_get(name, auto_ack=True)
            if method is None:
                return found
            found.append((properties.message_id, body, properties.headers or {}))


def delete(queues: Queues, name: str) -> None:
    with queues.server.channel() as channel:
        channel.queue_delete(name)


def taken(reader: BrokerReader) -> Delivery:
    delivery = reader.take(5)
    assert delivery is not None
    return delivery


def test_a_message_is_delivered_with_the_id_its_sender_gave_it(world: World) -> None:
    world.put("m-1", b"<one/>")
    world.put(None, b"<two/>")
    reader = world.reader(10)
    assert (taken(reader).message_id, taken(reader).message_id) == ("m-1", None)
    reader.close()


def test_what_is_done_is_never_delivered_again(world: World) -> None:
    world.put("m-1", b"<one/>")
    reader = world.reader(10)
    reader.done(taken(reader))
    reader.close()
    assert world.waiting() == 0


def test_what_is_not_done_is_delivered_again_under_the_same_key(world: World) -> None:
    world.put("m-1", b"<one/>")
    first = world.reader(10)
    key = taken(first).key
    first.close()
    second = world.reader(10)
    assert taken(second).key == key
    second.close()


def test_no_more_is_in_hand_than_may_be(world: World) -> None:
    for number in range(3):
        world.put(f"m-{number}", b"<one/>")
    reader = world.reader(2)
    first, _second = taken(reader), taken(reader)
    assert reader.take(0.3) is None
    reader.done(first)
    assert taken(reader).message_id == "m-2"
    reader.close()
    assert world.waiting() == 2


def test_a_refused_message_waits_elsewhere_with_its_reason(world: World) -> None:
    world.put("m-1", b"<one/>")
    reader = world.reader(10)
    reader.refuse(taken(reader), "400: no XML")
    reader.close()
    assert world.waiting() == 0
    assert world.refused() == [(b"<one/>", "400: no XML")]


def test_what_is_published_is_there(world: World) -> None:
    world.writer.publish(Publication("t-1", b"<answer/>", {"status": "ACSC"}))
    assert world.published() == [("t-1", b"<answer/>")]


def test_what_leads_to_no_queue_is_not_published(world: World) -> None:
    world.cut()
    with pytest.raises(Unavailable, match="led to no queue"):
        world.writer.publish(Publication("t-1", b"<answer/>"))
