"""A broker forgets a message only when the API has it, or when it waits elsewhere with its reason."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pika
import pytest

from postbus.adapters.bearer_credentials import BearerCredentials
from postbus.adapters.iso20022_api import HttpMessageApi
from postbus.domain.errors import InvariantBroken, OutcomeUnknown, Unavailable
from postbus.domain.iso20022.brokered import Accepted, Delivery, Outgoing, Refused
from postbus.functions.read_broker import handler
from postbus.runtime.broker import read
from tests.component.broker.conftest import Fields, Queues
from tests.fakes.broker import FakeBroker
from tests.servers.message_api import DROP_AFTER, MessageApiServer

ACCEPTED = Accepted("t")


@dataclass
class Figures:
    told: dict[str, float] = field(default_factory=dict)

    def publish(self, name: str, value: float) -> None:
        self.told[name] = value


@dataclass
class Ticks:
    """A clock that moves when someone waits."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class Api:
    """Answers in the order given, then accepts; an error is raised."""

    answers: list[object] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    is_healthy: bool = True

    def check(self) -> None:
        if not self.is_healthy:
            raise Unavailable("the API is away")

    def submit(self, key: str, body: bytes) -> Accepted | Refused:
        self.asked.append(body.decode())
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Accepted | Refused)
        return answer

    def outgoing(self, transaction_id: str) -> Outgoing:
        raise AssertionError


def broker_with(bodies: Sequence[str]) -> FakeBroker:
    return FakeBroker([(body, body.encode()) for body in bodies])


def run(broker: FakeBroker, api: Api, ticks: Ticks, in_hand: int = 10) -> None:
    def step(delivery: Delivery) -> Accepted | Refused:
        return api.submit(delivery.key, delivery.body)

    read(lambda: broker.reader(in_hand, ticks.wait), step, 45, ticks, ticks.wait)


def test_one_that_fails_stays_and_those_behind_it_go_through() -> None:
    broker, api, ticks = broker_with("abc"), Api([Unavailable("503")]), Ticks()
    run(broker, api, ticks)
    assert api.asked == ["a", "b", "c"]
    assert [body for _, body in broker.waiting] == [b"a"]


@pytest.mark.parametrize(
    "error", [Unavailable("x"), OutcomeUnknown("x"), InvariantBroken("x"), KeyError("x")]
)
def test_whatever_goes_wrong_the_message_stays(error: Exception) -> None:
    broker = broker_with("a")
    run(broker, Api([error]), Ticks())
    assert [body for _, body in broker.waiting] == [b"a"]


def test_failures_in_a_row_slow_it_down_and_a_success_ends_that() -> None:
    away = Unavailable("503")
    ticks = Ticks()
    run(broker_with("abcdefg"), Api([away, away, away, ACCEPTED, away, away]), ticks)
    assert ticks.waits[:5] == [1, 2, 4, 1, 2]
    assert ticks.now == 1045


def test_an_api_that_is_away_is_asked_a_few_times_a_run() -> None:
    ticks, api = Ticks(), Api([Unavailable("503")] * 100)
    broker = broker_with([str(number) for number in range(100)])
    run(broker, api, ticks)
    assert len(api.asked) <= 7
    assert len(broker.waiting) == 100
    assert ticks.now == 1045


def test_a_refused_message_is_put_aside_with_its_reason() -> None:
    broker = broker_with("ab")
    run(broker, Api([Refused("t", "400: no XML")]), Ticks())
    assert (broker.refused, broker.waiting) == ([(b"a", "400: no XML")], [])


def test_a_refused_message_that_cannot_be_put_aside_stays() -> None:
    broker = broker_with("a")
    broker.takes_refused = False
    run(broker, Api([Refused("t", "400")]), Ticks())
    assert [body for _, body in broker.waiting] == [b"a"]


def test_nothing_is_taken_while_the_api_takes_nothing() -> None:
    def connect() -> None:
        raise AssertionError("the broker was asked")

    with pytest.raises(Unavailable, match="the API is away"):
        handler.build(connect, Api(is_healthy=False), Figures(), 1)({})  # type: ignore[arg-type]


def test_a_run_in_which_nothing_got_through_is_a_failure() -> None:
    figures = Figures()
    reader = broker_with("a").reader(passing=time.sleep)
    with pytest.raises(Unavailable, match="1 messages kept back, the last one: Unavailable: 503"):
        handler.build(lambda: reader, Api([Unavailable("503")]), figures, 0.05)({})
    assert figures.told == {"BrokerMessagesKeptBack": 1, "BrokerMessagesRefused": 0}


def bridge(queues: Queues, api: MessageApiServer, seconds: float = 1.0) -> dict[str, int]:
    """A run with the real broker and the API over HTTP."""
    client = HttpMessageApi.at(api.url, BearerCredentials(Fields(api.credentials)))
    return handler.build(queues.reader, client, Figures(), seconds)({})


def send(queues: Queues, body: bytes, message_id: str | None = "m-1", times: int = 1) -> None:
    with queues.server.channel() as channel:
        channel.confirm_delivery()
        for _ in range(times):
            properties = pika.BasicProperties(message_id=message_id, delivery_mode=2)
            channel.basic_publish("", queues.name, body, properties, mandatory=True)


def test_a_broker_that_ends_before_the_api_has_answered_has_not_forgotten_the_message(
    queues: Queues, api: MessageApiServer
) -> None:
    send(queues, b"<one/>")
    api.before_answer = lambda route: queues.server.kill() if route == "POST /v1/incoming" else None
    with pytest.raises(Unavailable):
        bridge(queues, api)
    api.before_answer = lambda _route: None
    queues.server.start()
    assert queues.server.depth(queues.name) == 1
    assert bridge(queues, api)["accepted"] == 1
    assert len(api.submitted) == 2
    assert len(api.incoming) == 1


def test_what_was_accepted_is_forgotten(queues: Queues, api: MessageApiServer) -> None:
    send(queues, b"<one/>")
    assert bridge(queues, api) == {"accepted": 1, "refused": 0, "kept_back": 0}
    assert list(api.incoming.values()) == [b"<one/>"]
    assert queues.server.depth(queues.name) == 0


def test_the_message_waits_while_the_api_is_down(queues: Queues, api: MessageApiServer) -> None:
    send(queues, b"<one/>")
    api.ways["POST /v1/incoming"].append(503)
    with pytest.raises(Unavailable):
        bridge(queues, api)
    assert queues.server.depth(queues.name) == 1
    assert bridge(queues, api)["accepted"] == 1


def test_redelivery_after_a_lost_answer_is_the_same_transaction(
    queues: Queues, api: MessageApiServer
) -> None:
    send(queues, b"<one/>")
    api.ways["POST /v1/incoming"].append(DROP_AFTER)
    with pytest.raises(Unavailable):
        bridge(queues, api)
    assert bridge(queues, api)["accepted"] == 1
    assert len(api.submitted) == 2
    assert len(set(api.submitted)) == len(api.incoming) == 1


@pytest.mark.parametrize("message_id", ["m-1", None])
def test_a_message_that_was_sent_twice_is_one_transaction(
    queues: Queues, api: MessageApiServer, message_id: str | None
) -> None:
    send(queues, b"<one/>", message_id, times=2)
    assert bridge(queues, api)["accepted"] == 2
    assert len(api.incoming) == 1


def test_a_refused_message_waits_on_the_broker_with_the_apis_reason(
    queues: Queues, api: MessageApiServer
) -> None:
    send(queues, b"no XML")
    api.refuse = lambda body: None if body.startswith(b"<") else "not XML"
    assert bridge(queues, api) == {"accepted": 0, "refused": 1, "kept_back": 0}
    with queues.server.channel() as channel:
        _, properties, body = channel.basic_get(queues.refused, auto_ack=True)
    assert (body, json.dumps(properties.headers)) == (b"no XML", '{"postbus-reason": "400: not XML"}')


def test_a_run_ends_in_time_while_messages_keep_coming(queues: Queues, api: MessageApiServer) -> None:
    send(queues, b"<one/>", None, times=600)
    began = time.monotonic()
    accepted = bridge(queues, api, 0.5)["accepted"]
    assert time.monotonic() - began < 5
    assert accepted > 0
    assert queues.server.depth(queues.name) == 600 - accepted
