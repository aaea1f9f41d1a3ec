"""The envelope: derived identifiers, and nothing lost on the way."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from postbus.domain.errors import Malformed
from postbus.domain.event import Event, format_time, parse_time

NOON = datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)


def authorized() -> Event:
    return Event.first("TransactionAuthorized", "visa-A1", "record:abc", NOON, {"x": "1"})


def test_the_same_cause_gives_the_same_event_at_any_time() -> None:
    later = NOON.replace(hour=13)
    assert authorized().then("TransactionEnriched", NOON, {}).event_id == (
        authorized().then("TransactionEnriched", later, {}).event_id
    )


def test_another_type_transaction_or_cause_gives_another_event() -> None:
    events = {
        authorized().event_id,
        Event.first("TransactionAuthorized", "visa-A2", "record:abc", NOON, {}).event_id,
        Event.first("TransactionAuthorized", "visa-A1", "record:abd", NOON, {}).event_id,
        authorized().then("TransactionEnriched", NOON, {}).event_id,
    }
    assert len(events) == 4


def test_an_envelope_round_trips() -> None:
    event = replace(authorized().then("TransactionEnriched", NOON, {"y": ["2"]}), replay="replay-1")
    assert Event.from_detail(event.type, event.to_detail()) == event


def test_a_replay_marks_the_event_and_all_that_descend_from_it() -> None:
    message = {
        "detail-type": "TransactionAuthorized",
        "detail": authorized().to_detail(),
        "replay-name": "r7",
    }
    event = Event.from_bus(message)
    assert event.replay == "r7"
    assert event.then("TransactionEnriched", NOON, {}).to_detail()["metadata"]["replay"] == "r7"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event_id", None), ("event_id", ""), ("transaction_id", 7), ("occurred_at", "yesterday"),
        ("occurred_at", "2026-01-31T12:00:00"), ("schema_version", 2), ("causation_id", None),
    ],
)  # fmt: skip
def test_a_broken_envelope_is_refused_by_the_name_of_its_field(path: str, value: object) -> None:
    detail = authorized().to_detail()
    detail["metadata"][path] = value
    with pytest.raises(Malformed) as caught:
        Event.from_detail("TransactionAuthorized", detail)
    assert path in caught.value.field


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert format_time(parse_time("2026-01-31T13:00:00.123+01:00")) == "2026-01-31T12:00:00.123Z"
