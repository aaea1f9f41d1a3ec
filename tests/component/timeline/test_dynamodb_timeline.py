"""What the table costs, and what happens when it does not take everything."""

import random
import zlib
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from postbus.adapters import dynamodb_timeline
from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.domain.errors import Unavailable
from postbus.domain.event import Event
from tests.fakes import stories
from tests.fakes.approvals import NOON


def write_units(client: Any, table: str, events: list[Event]) -> float:
    """What recording a batch costs in write request units, as DynamoDB rounds: per item, up to a KB."""
    units = 0.0

    def count(params: Any, **_: Any) -> None:
        nonlocal units
        for request in params["RequestItems"][table]:
            if "PutRequest" in request:
                item = request["PutRequest"]["Item"]
                size = sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
                units += -(-size // 1024)
            else:
                units += 1

    client.meta.events.register("before-parameter-build.dynamodb.BatchWriteItem", count)
    assert DynamoDbTimeline(client, table).record(events) == {}
    client.meta.events.unregister("before-parameter-build.dynamodb.BatchWriteItem", count)
    return units


def test_the_four_events_of_a_payment_in_one_batch_cost_one_write_unit(dynamodb: Any) -> None:
    assert write_units(dynamodb, "timeline", stories.paid("A7F3K29QX1")) == 1


def test_a_batch_is_one_call_however_many_transactions_are_in_it(dynamodb: Any) -> None:
    calls = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    DynamoDbTimeline(dynamodb, "timeline").record(
        [event for n in range(20) for event in stories.paid(f"A{n}")]
    )
    assert calls == ["BatchWriteItem"]


def test_the_same_batch_again_writes_the_same_items(dynamodb: Any) -> None:
    timeline = DynamoDbTimeline(dynamodb, "timeline")
    events = stories.paid()[:3]
    timeline.record(events)
    before = dynamodb.scan(TableName="timeline")["Items"]
    timeline.record(events[::-1] + events)
    assert dynamodb.scan(TableName="timeline")["Items"] == before


def test_events_too_big_for_one_item_take_several(dynamodb: Any) -> None:
    noise = random.Random(1)
    first = stories.authorized()
    events = [first] + [
        first.then(name, NOON, {"text": noise.randbytes(60_000).hex()})
        for name in (
            "TransactionEnriched",
            "TransactionPostingApproved",
            "TransactionHeld",
            "TransactionReleased",
        )
    ]
    timeline = DynamoDbTimeline(dynamodb, "timeline")
    timeline.record(events)
    items = dynamodb.scan(TableName="timeline")["Items"]
    assert len([item for item in items if item["entry"]["S"].startswith("events#")]) == 2
    assert {event.event_id for event in timeline.story("visa-A1").events} == {e.event_id for e in events}


class Busy:
    """A table that takes only some of each batch."""

    def __init__(self, client: Any, refuses: str, times: int) -> None:
        self._client, self._refuses, self.times = client, refuses, times

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803 - the client's own name
        ((table, requests),) = RequestItems.items()
        refused = [one for one in requests if self.times > 0 and self._refuses in str(one)]
        self.times -= 1
        taken = [one for one in requests if one not in refused]
        if taken:
            self._client.batch_write_item(RequestItems={table: taken})
        return {"UnprocessedItems": {table: refused} if refused else {}}


def test_what_the_table_did_not_take_is_written_again(dynamodb: Any) -> None:
    timeline = DynamoDbTimeline(Busy(dynamodb, "visa-A2", 2), "timeline", sleep=lambda _: None)
    assert timeline.record([*stories.paid("A1"), *stories.paid("A2")]) == {}
    assert DynamoDbTimeline(dynamodb, "timeline").story("visa-A2").is_final


def test_what_the_table_never_takes_is_reported_for_its_own_events_only(dynamodb: Any) -> None:
    timeline = DynamoDbTimeline(Busy(dynamodb, "visa-A2", 99), "timeline", sleep=lambda _: None)
    refused = timeline.record([*stories.paid("A1"), *stories.paid("A2")])
    assert refused.keys() == {event.event_id for event in stories.paid("A2")}
    assert DynamoDbTimeline(dynamodb, "timeline").story("visa-A1").is_final


class Passing:
    """Time that passes only by sleeping, and by calls, of which each takes so long."""

    def __init__(self, per_call: float) -> None:
        self.seconds, self.per_call = 0.0, per_call

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> float:
        return self.seconds


class Throttled:
    """A table that takes one item of each call after the first so many calls, or goes away then."""

    def __init__(self, client: Any, time: Passing, takes: int, away: bool = False) -> None:
        self._client, self._time, self._takes, self._away = client, time, takes, away
        self.calls = 0

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803 - the client's own name
        self._time.sleep(self._time.per_call)
        self.calls += 1
        ((table, requests),) = RequestItems.items()
        if self.calls <= self._takes:
            return self._client.batch_write_item(RequestItems=RequestItems)
        if self._away:
            throttled = {"Error": {"Code": "ProvisionedThroughputExceededException"}}
            raise ClientError(throttled, "BatchWriteItem")  # type: ignore[arg-type]
        self._client.batch_write_item(RequestItems={table: requests[:1]})
        return {"UnprocessedItems": {table: requests[1:]} if requests[1:] else {}}


def a_thousand_events() -> list[Event]:
    return [event for number in range(250) for event in stories.paid(f"A{number}")]


def test_a_throttled_table_takes_no_more_than_its_time_and_the_rest_comes_back(dynamodb: Any) -> None:
    time, events = Passing(per_call=0.6), a_thousand_events()
    table: Any = Throttled(dynamodb, time, takes=2)
    timeline = DynamoDbTimeline(table, "timeline", time.sleep, time.clock, record_seconds=10)
    refused = timeline.record(events)
    assert time.seconds < 10 + 0.6
    kept = {event.event_id for event in DynamoDbTimeline(dynamodb, "timeline").everything()}
    assert kept == {event.event_id for event in events} - refused.keys()
    assert 4 * 50 < len(kept) < len(events)


def test_a_table_that_goes_away_meanwhile_keeps_what_it_took(dynamodb: Any) -> None:
    time, events = Passing(per_call=0.01), a_thousand_events()
    table: Any = Throttled(dynamodb, time, takes=3, away=True)
    refused = DynamoDbTimeline(table, "timeline", time.sleep, time.clock).record(events)
    kept = {event.event_id for event in DynamoDbTimeline(dynamodb, "timeline").everything()}
    assert kept == {event.event_id for event in events[: 3 * 25 * 4]}
    assert refused.keys() == {event.event_id for event in events} - kept
    assert "ProvisionedThroughputExceeded" in refused[events[-1].event_id]
    # Nobody waits for each of the others in turn.
    assert table.calls == 4


def test_a_table_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    nowhere = boto3.client("dynamodb", region_name="eu-central-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        DynamoDbTimeline(nowhere, "timeline").record(stories.paid())


def test_an_answer_nobody_foresaw_is_not_swallowed(dynamodb: Any) -> None:
    with pytest.raises(ClientError):
        DynamoDbTimeline(dynamodb, "no-such-table").record(stories.paid())


def test_the_dictionary_is_the_one_that_stored_items_were_written_with() -> None:
    # Change it, and nothing that was recorded before can be read: add another one instead.
    assert zlib.adler32(dynamodb_timeline._DICTIONARY) == 3287661487
