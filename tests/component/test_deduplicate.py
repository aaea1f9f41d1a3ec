"""Records of a table's stream become transactions: none lost, none twice, none held back by a neighbour."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from postbus.adapters.dynamodb_items import plain, typed
from postbus.adapters.record_schemas import record_schema
from postbus.domain.card_numbers import scan
from postbus.domain.errors import Malformed, Unavailable
from postbus.domain.event import Event
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.sample import pan
from postbus.domain.transaction import Transaction
from postbus.functions.deduplicate.handler import bind, build
from postbus.runtime.config import Config
from postbus.runtime.entry import request_function
from tests.contract.conformance import assert_conforms
from tests.fakes.inbound import InMemoryClaims, InMemoryParking

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[2] / "events" / "records"
SCHEMAS = {name: RecordSchema(record_schema(name)) for name in SOURCES}


def example(name: str, source: str = "visa", **changes: Any) -> dict[str, Any]:
    record = {**json.loads((EXAMPLES / source / "v1" / "examples" / f"{name}.json").read_text()), **changes}
    return {key: value for key, value in record.items() if value is not None}


def changed(record: Mapping[str, Any], source: str = "visa", event: str = "INSERT") -> dict[str, Any]:
    """The stream's record of an item that was written."""
    image = typed(record)
    key = SOURCES[source].key
    return {
        "eventID": f"event-of-{record.get(key)}",
        "eventName": event,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": NOON.timestamp(),
            "Keys": {key: image.get(key, {"S": "?"})},
            "NewImage": image,
        },
    }


@dataclass
class Bench:
    """The step with fakes behind its ports."""

    source: str = "visa"
    claims: InMemoryClaims = field(default_factory=InMemoryClaims)
    parking: InMemoryParking = field(default_factory=InMemoryParking)
    now: datetime = NOON

    def run(self, *records: Mapping[str, Any]) -> list[Event]:
        step = build(
            SOURCES[self.source],
            SCHEMAS[self.source],
            self.claims,
            self.parking,
            lambda: self.now,
            timedelta(days=1),
        )
        details = step([changed(record, self.source) for record in records])
        events = [
            Event.from_detail("TransactionAuthorized", detail) for detail in json.loads(json.dumps(details))
        ]
        for event in events:
            assert_conforms(event)
        return events

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.parking.parked]


def ids(events: list[Event]) -> list[str]:
    return [event.transaction_id for event in events]


def test_a_record_becomes_an_authorised_transaction_with_what_was_authorised() -> None:
    (event,) = Bench().run(example("foreign_purchase"))
    transaction = Transaction.from_event(event)
    assert event.transaction_id == transaction.transaction_id == "visa-B2W8P5ZC6N"
    assert str(transaction.amount) == "100.00 USD"
    assert str(transaction.billing) == "92.13 EUR"
    assert event.causation_id == f"record:{transaction.content_hash}"
    assert "duplicate_of" not in event.data
    assert "conflict_with" not in event.data


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_every_example_record_enters(source: str) -> None:
    records = [
        json.loads(path.read_text())
        for path in sorted((EXAMPLES / source / "v1" / "examples").glob("*.json"))
    ]
    bench = Bench(source)
    assert len(bench.run(*records)) == len(records) > 0
    assert bench.reasons == []


def test_the_same_record_again_gives_the_same_event_however_often_and_late() -> None:
    bench = Bench()
    (first,) = bench.run(example("purchase"))
    bench.now = NOON + timedelta(days=30)
    for event in bench.run(
        example("purchase"), example("purchase", transmission_date_time="2026-02-05T09:30:00Z")
    ):
        assert event.event_id == first.event_id
        assert "duplicate_of" not in event.data
        assert "conflict_with" not in event.data


def test_a_resubmission_under_another_id_is_flagged_and_its_original_never_is() -> None:
    bench = Bench()
    original, duplicate = bench.run(example("purchase"), example("purchase", auth="OTHER1"))
    assert "duplicate_of" not in original.data
    assert duplicate.data["duplicate_of"] == original.transaction_id
    again = bench.run(example("purchase", auth="OTHER1"), example("purchase"))
    assert [event.data.get("duplicate_of") for event in again] == [original.transaction_id, None]
    assert [event.event_id for event in again] == [duplicate.event_id, original.event_id]


def test_the_same_id_with_other_content_is_a_conflict_under_an_id_of_its_own() -> None:
    bench = Bench()
    original, conflict = bench.run(example("purchase"), example("purchase", transaction_amount="9999"))
    assert conflict.data["conflict_with"] == original.transaction_id == "visa-A7K2M9QX4T"
    assert conflict.transaction_id.startswith("visa-A7K2M9QX4T.conflict-")
    assert conflict.transaction_id == Transaction.from_event(conflict).transaction_id
    (again,) = bench.run(example("purchase", transaction_amount="9999"))
    assert again.event_id == conflict.event_id


def test_a_conflict_does_not_make_a_rightful_record_look_like_a_duplicate() -> None:
    bench = Bench()
    bench.run(example("purchase"), example("purchase", transaction_amount="9999"))
    (rightful,) = bench.run(example("purchase", auth="OTHER1", transaction_amount="9999"))
    assert "duplicate_of" not in rightful.data


def test_a_reversal_is_no_duplicate_of_its_original() -> None:
    events = Bench().run(example("purchase"), example("reversal"))
    assert [event.data.get("duplicate_of") for event in events] == [None, None]


def test_a_sender_whose_clock_is_ahead_cannot_let_a_claim_lapse() -> None:
    bench = Bench()
    (original, duplicate) = bench.run(
        example("purchase"), example("purchase", auth="OTHER1", transmission_date_time="2031-01-31T09:30:00Z")
    )
    assert duplicate.data["duplicate_of"] == original.transaction_id


def test_one_poison_in_a_batch_of_ten_is_parked_with_its_reason_and_nine_enter() -> None:
    bench = Bench()
    records = [example("purchase", auth=f"A{n}", system_trace_audit_number=f"{n:06d}") for n in range(10)]
    records[4]["transaction_amount"] = "twelve"
    assert ids(bench.run(*records)) == [f"visa-A{n}" for n in range(10) if n != 4]
    ((body, reason),) = bench.parking.parked
    assert reason.startswith("transaction_amount: DE4")
    assert body["key"] == {"auth": {"S": "A4"}}
    assert body["record"] == typed(records[4]), "parked whole"
    assert (body["source"], body["event_id"], body["field"]) == ("visa", "event-of-A4", "transaction_amount")


@pytest.mark.parametrize("status", ["DECLINED", "PENDING", "CANCELLED", "EXPIRED"])
def test_what_is_not_approved_never_enters(status: str) -> None:
    bench = Bench()
    assert bench.run(example("purchase", status=status)) == []
    assert bench.claims.claims == {}
    assert bench.reasons == []


def test_a_record_becomes_approved_by_an_update() -> None:
    bench = Bench()
    assert bench.run(example("purchase", status="PENDING")) == []
    assert ids(bench.run(example("purchase"))) == ["visa-A7K2M9QX4T"]


@pytest.mark.parametrize(
    "place",
    [
        {"card_acceptor_id": pan(7)},
        {"note": f"card {pan(7)[:4]} {pan(7)[4:8]} {pan(7)[8:12]} {pan(7)[12:]}"},
        {"expiry-" + pan(7): "x"},
    ],
)
def test_a_record_with_a_card_number_is_parked_with_it_masked(place: dict[str, str]) -> None:
    bench = Bench()
    assert bench.run(example("purchase", **place)) == []
    ((body, reason),) = bench.parking.parked
    assert "no card number" in reason
    assert scan(json.dumps(body) + reason) == []


def test_a_card_number_used_as_the_key_is_masked_too() -> None:
    bench = Bench()
    assert bench.run(example("purchase", auth=pan(7))) == []
    assert scan(json.dumps(bench.parking.parked)) == []


def test_of_a_record_too_large_for_a_message_all_that_the_schema_knows_is_parked() -> None:
    bench = Bench()
    assert bench.run(example("purchase", note="x" * 390_000)) == []
    ((body, reason),) = bench.parking.parked
    assert body["record"].pop("note") == {"type": "S", "length": 390_000}
    assert plain(body["record"]) == example("purchase")
    assert reason == "note: no such field"


def test_a_record_of_a_great_many_attributes_fits_as_well() -> None:
    bench = Bench()
    bench.run(example("purchase", **{f"field-{n:05d}-" + "y" * 200: "z" for n in range(1_500)}))
    ((body, _),) = bench.parking.parked
    assert len(json.dumps(body)) < 250_000


def test_a_binary_attribute_is_named_and_left_out() -> None:
    bench = Bench()
    record = changed(example("purchase"))
    record["dynamodb"]["NewImage"]["blob"] = {"B": "NDAwMDAw"}
    step = build(
        SOURCES["visa"], SCHEMAS["visa"], bench.claims, bench.parking, lambda: NOON, timedelta(days=1)
    )
    assert step([record]) == []
    ((body, reason),) = bench.parking.parked
    assert reason.startswith("blob:")
    assert body["record"]["blob"] == {"type": "B", "length": 8}


anything = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"S": st.text(max_size=40)}),
        st.fixed_dictionaries(
            {"N": st.one_of(st.integers().map(str), st.decimals(allow_nan=False).map(str))}
        ),
        st.fixed_dictionaries({"BOOL": st.booleans()}),
        st.just({"NULL": True}),
        st.just({"B": "aGk="}),
        st.fixed_dictionaries({"SS": st.lists(st.text(max_size=5), min_size=1, max_size=3)}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"M": st.dictionaries(st.text(max_size=5), inner, max_size=3)}),
    ),
    max_leaves=4,
)


@given(st.sampled_from(sorted(example("partial_reversal"))) | st.text(min_size=1, max_size=20), anything)
def test_whatever_stands_in_a_field_its_record_enters_or_is_parked_and_its_neighbour_enters(
    name: str, value: dict[str, Any]
) -> None:
    bench = Bench()
    record = changed(example("partial_reversal"))
    record["dynamodb"]["NewImage"][name] = value
    step = build(
        SOURCES["visa"], SCHEMAS["visa"], bench.claims, bench.parking, lambda: NOON, timedelta(days=1)
    )
    details = step([record, changed(example("purchase"))])
    json.dumps([details, bench.parking.parked])
    entered = name != "status" or value == {"S": "APPROVED"}
    assert len(details) - 1 + len(bench.parking.parked) == entered
    assert details[-1]["metadata"]["transaction_id"] == "visa-A7K2M9QX4T"


BATCH = (
    example("purchase"),
    example("purchase", auth="OTHER1"),
    example("purchase", transaction_amount="9999"),
    example("purchase", transaction_amount="0"),
    example("foreign_purchase"),
    example("reversal"),
)


def told(events: list[Event]) -> list[tuple[str, Any, Any]]:
    return [(one.event_id, one.data.get("duplicate_of"), one.data.get("conflict_with")) for one in events]


@pytest.mark.parametrize("answers", range(9))
def test_an_outage_anywhere_fails_the_batch_and_its_retry_tells_what_it_would_have_told(answers: int) -> None:
    undisturbed = told(Bench().run(*BATCH))
    bench = Bench(claims=InMemoryClaims(away_after=answers))
    with pytest.raises(Unavailable):
        bench.run(*BATCH)
    bench.claims.away_after = None
    assert told(bench.run(*BATCH)) == undisturbed


def test_a_quarantine_that_does_not_answer_fails_the_batch_and_loses_nothing() -> None:
    bench = Bench(parking=InMemoryParking(away=True))
    with pytest.raises(Unavailable):
        bench.run(*BATCH)
    bench.parking.away = False
    assert told(bench.run(*BATCH)) == told(Bench().run(*BATCH))
    assert len(bench.parking.parked) == 1


@given(st.lists(st.sampled_from(range(len(BATCH))), max_size=12))
def test_after_a_first_delivery_any_further_ones_tell_the_same(order: list[int]) -> None:
    bench = Bench()
    first = {event.event_id: event.data for event in bench.run(*BATCH)}
    for event in bench.run(*(BATCH[at] for at in order)):
        assert event.data == first[event.event_id]


@given(st.permutations(range(5)))
def test_of_equal_records_in_any_order_all_but_the_first_are_flagged(order: list[int]) -> None:
    events = Bench().run(*(example("purchase", auth=f"A{n}") for n in order))
    assert [event.data.get("duplicate_of") for event in events] == [None] + [f"visa-A{order[0]}"] * 4


@pytest.mark.parametrize("records", [None, {}, "x", [1], [{"dynamodb": {}}], [{"eventName": "INSERT"}]])
def test_what_is_no_batch_of_stream_records_is_refused_with_words(records: Any) -> None:
    step = build(
        SOURCES["visa"], SCHEMAS["visa"], InMemoryClaims(), InMemoryParking(), lambda: NOON, timedelta(days=1)
    )
    with pytest.raises(Malformed, match="DynamoDB stream"):
        step(records)


# -- the deployed function ---------------------------------------------------------------------------------


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """The function's real entry point, with its tables and queues on moto."""
    from postbus.runtime.clients import client

    for name, value in {
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client.cache_clear()
        boto3.client("dynamodb").create_table(
            TableName="claims",
            KeySchema=[{"AttributeName": "claim_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "claim_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        queue = boto3.client("sqs").create_queue(QueueName="quarantine")["QueueUrl"]
        for name, value in {
            "SOURCE": "visa",
            "CLAIMS_TABLE": "claims",
            "QUARANTINE_QUEUE_URL": queue,
            "DUPLICATE_WINDOW_SECONDS": "3600",
        }.items():
            monkeypatch.setenv(f"POSTBUS_{name}", value)
        yield request_function(bind)
    client.cache_clear()


def test_the_deployed_function_claims_flags_and_parks(deployed: Callable[..., Any]) -> None:
    details = deployed([changed(record) for record in BATCH], None)
    assert [(one["metadata"]["transaction_id"], one["data"].get("duplicate_of")) for one in details][:2] == [
        ("visa-A7K2M9QX4T", None),
        ("visa-OTHER1", "visa-A7K2M9QX4T"),
    ]
    assert len(details) == 5
    queue = boto3.client("sqs").get_queue_url(QueueName="quarantine")["QueueUrl"]
    (message,) = boto3.client("sqs").receive_message(QueueUrl=queue, MessageAttributeNames=["All"])[
        "Messages"
    ]
    assert message["MessageAttributes"]["reason"]["StringValue"] == "transaction_amount: more than zero"


def test_the_deployed_function_takes_its_window_and_fields_from_its_settings(
    deployed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTBUS_FINGERPRINT_FIELDS", "account_token,amount")
    first = example("purchase")
    other = example(
        "foreign_purchase",
        auth="X2",
        **{name: first[name] for name in ("transaction_amount", "transaction_currency")},
        cardholder_billing_amount=None,
        cardholder_billing_currency=None,
        cardholder_billing_conversion_rate=None,
    )
    late = {**other, "auth": "X3", "transmission_date_time": "2026-01-31T10:30:00Z"}
    details = deployed([changed(record) for record in (first, other, late)], None)
    assert [one["data"].get("duplicate_of") for one in details] == [None, "visa-A7K2M9QX4T", None]


def test_a_misspelt_setting_is_named() -> None:
    with pytest.raises(Malformed, match=f"source: one of {', '.join(sorted(SOURCES))}"):
        bind(Config({"POSTBUS_SOURCE": "vissa"}))
