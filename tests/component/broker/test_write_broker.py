"""A final status leaves its queue only when the broker has confirmed the message that answers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from postbus.adapters.bearer_credentials import BearerCredentials
from postbus.adapters.iso20022_api import HttpMessageApi
from postbus.domain.errors import OutcomeUnknown, Unavailable
from postbus.functions.write_broker import handler
from postbus.ports_iso20022 import BrokerWriter
from postbus.runtime.queue import process_each
from tests.component.broker.conftest import Fields, Queues
from tests.fakes.broker import FakeBroker
from tests.servers.message_api import MessageApiServer

ONE = "6a2f41a3-c54c-4a6e-8f00-5f1d4e0f1c11"
TWO = "6a2f41a3-c54c-4a6e-8f00-5f1d4e0f1c12"


@dataclass
class Queue:
    parked: dict[str, str] = field(default_factory=dict)
    deferred: list[str] = field(default_factory=list)

    def park(self, message: Mapping[str, Any], reason: str) -> None:
        self.parked[message["messageId"]] = reason

    def defer(self, seconds: Mapping[str, int]) -> None:
        self.deferred += seconds


def record(number: int, body: str) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1"}
    return {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": body, "attributes": attributes}


def told(transaction_id: str, status: str = "ACSC") -> str:
    return json.dumps({"transaction_id": transaction_id, "status": status})


def failures(api: MessageApiServer, writer: BrokerWriter, queue: Queue, *bodies: str) -> list[str]:
    client = HttpMessageApi.at(api.url, BearerCredentials(Fields(api.credentials)))
    records = [record(number, body) for number, body in enumerate(bodies)]
    answer = process_each(records, handler.build(client, writer), queue)
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def test_what_answers_a_transaction_is_published_under_its_id(api: MessageApiServer) -> None:
    api.outgoing = {ONE: b"<one/>", TWO: b"<two/>"}
    broker, queue = FakeBroker(), Queue()
    assert failures(api, broker, queue, told(ONE), told(TWO, "RJCT")) == []
    assert [(one.message_id, one.body, one.headers["status"]) for one in broker.place] == [
        (ONE, b"<one/>", "ACSC"),
        (TWO, b"<two/>", "RJCT"),
    ]


def test_another_clients_transaction_is_no_business_of_the_bridge(api: MessageApiServer) -> None:
    broker, queue = FakeBroker(), Queue()
    assert failures(api, broker, queue, told(ONE)) == []
    assert (broker.place, queue.parked) == ([], {})


def test_a_status_that_is_not_final_is_passed_over(api: MessageApiServer) -> None:
    api.outgoing = {ONE: None}
    assert failures(api, FakeBroker(), Queue(), told(ONE, "PDNG")) == []


def test_one_that_is_not_to_be_had_yet_comes_back_and_its_neighbour_goes_out(api: MessageApiServer) -> None:
    api.outgoing = {ONE: None, TWO: b"<two/>"}
    broker, queue = FakeBroker(), Queue()
    assert failures(api, broker, queue, told(ONE), told(TWO)) == ["m0"]
    assert (queue.deferred, len(broker.place)) == (["r0"], 1)


def test_what_is_no_notice_is_parked_with_its_reason(api: MessageApiServer) -> None:
    queue = Queue()
    assert failures(api, FakeBroker(), queue, "no JSON", json.dumps({"status": "ACSC"})) == []
    assert queue.parked == {
        "m0": "Malformed: body: JSON",
        "m1": "Malformed: transaction_id: a UUID",
    }


@dataclass
class Broken:
    error: Exception

    def publish(self, _publication: object) -> None:
        raise self.error


@pytest.mark.parametrize("error", [Unavailable("led to no queue"), OutcomeUnknown("no confirmation in time")])
def test_what_was_not_confirmed_comes_back(api: MessageApiServer, error: Exception) -> None:
    api.outgoing = {ONE: b"<one/>"}
    queue = Queue()
    assert failures(api, Broken(error), queue, told(ONE)) == ["m0"]
    assert (queue.deferred, queue.parked) == (["r0"], {})


def test_it_goes_to_a_real_broker_and_comes_back_from_one_that_has_no_place_for_it(
    api: MessageApiServer, queues: Queues
) -> None:
    api.outgoing = {ONE: b"<one/>"}
    nowhere, there = queues.writer("no-such-queue"), queues.writer()
    assert failures(api, nowhere, Queue(), told(ONE)) == ["m0"]
    assert failures(api, there, Queue(), told(ONE)) == []
    nowhere.close()
    there.close()
    with queues.server.channel() as channel:
        _, properties, body = channel.basic_get(queues.name, auto_ack=True)
    assert (properties.message_id, body) == (ONE, b"<one/>")
