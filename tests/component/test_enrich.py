"""Enriching a batch: two look-ups for all of it, each event answered by itself, decided before announced."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.dynamodb_records import DynamoDbRecords
from postbus.domain.errors import Unavailable
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.sample import NAMED_ACCOUNTS, accounts, merchants
from postbus.domain.steps import Emit
from postbus.domain.transaction import Transaction
from postbus.functions.enrich.handler import bind, build
from postbus.runtime.entry import queue_function
from tests.contract.conformance import assert_conforms
from tests.fakes.inbound import InMemoryDirectory, InMemoryVelocity
from tests.fakes.ledger import Books, InMemoryOutcomes

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[2] / "events" / "TransactionAuthorized" / "v1" / "examples"


# The examples are billed in several currencies; each has an account here.
KNOWN = {
    **{one["token"]: one for one in accounts(3)},
    **{f"tok_{currency}": {**NAMED_ACCOUNTS[0], "currency": currency} for currency in ("EUR", "JPY", "USD")},
}


def authorised(name: str = "purchase", token: str | None = None, **changes: Any) -> Event:
    message = json.loads((EXAMPLES / f"{name}.json").read_text())
    event = Event.from_bus(message)
    token = token or f"tok_{event.data['transaction']['billing']['currency']}"
    transaction = {**event.data["transaction"], "account_token": token, **changes}
    if "counterparty_token" in transaction:
        transaction["counterparty_token"] = "tok_sample_bruno"
    data = {**event.data, "transaction": transaction}
    first = Event.first(event.type, transaction["transaction_id"], event.causation_id, NOON, data)
    return replace(first, replay=event.replay)


@dataclass
class Bench:
    """The step with fakes behind its ports."""

    accounts: InMemoryDirectory = field(default_factory=lambda: InMemoryDirectory(dict(KNOWN)))
    merchants: InMemoryDirectory = field(
        default_factory=lambda: InMemoryDirectory({one["merchant_id"]: one for one in merchants()})
    )
    velocity: InMemoryVelocity = field(default_factory=InMemoryVelocity)
    books: Books = field(default_factory=Books)

    @property
    def outcomes(self) -> InMemoryOutcomes:
        return InMemoryOutcomes(self.books)

    def run(self, *events: Event) -> list[Event]:
        step = build(self.accounts, self.merchants, self.velocity, self.outcomes, lambda: NOON)
        results = step(events)
        assert len(results) == len(events)
        emitted = []
        for result in results:
            assert isinstance(result, Emit)
            emitted += result.events
        for event in emitted:
            assert_conforms(event)
        return emitted


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_kind_of_authorised_transaction_is_enriched_and_stays_what_was_authorised(path: Path) -> None:
    event = authorised(path.stem)
    (enriched,) = Bench().run(event)
    assert enriched.type == "TransactionEnriched"
    assert {name: enriched.data[name] for name in event.data} == event.data
    assert (enriched.causation_id, enriched.correlation_id) == (event.event_id, event.correlation_id)
    assert enriched.replay == event.replay


def test_the_account_is_the_one_the_token_stands_for() -> None:
    (enriched,) = Bench().run(authorised())
    assert enriched.data["account"]["account_id"] == "current-anna"


def test_a_whole_batch_costs_one_look_up_of_accounts_and_one_of_merchants() -> None:
    bench = Bench()
    bench.run(*(authorised(transaction_id=f"visa-{n}") for n in range(10)), authorised("credit-transfer"))
    assert (bench.accounts.asked, bench.merchants.asked) == (1, 1)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_sample_nobody", "ACCOUNT_UNKNOWN"),
        ("tok_sample_closed", "ACCOUNT_CLOSED"),
        ("tok_sample_blocked", "ACCOUNT_BLOCKED"),
        ("tok_sample_dana", "CURRENCY_MISMATCH"),
    ],
)
def test_a_rejection_is_decided_before_it_is_announced(token: str, code: str) -> None:
    bench = Bench()
    event = authorised(token=token)
    (rejected,) = bench.run(event)
    outcome = bench.outcomes.find(event.transaction_id)
    assert outcome is not None
    assert outcome.state is OutcomeState.VOIDED
    assert rejected == outcome.announcement()
    assert rejected.type == "TransactionRejected"
    assert rejected.data["reason"]["code"] == code
    assert bench.run(event) == [rejected], "a redelivery tells the same"


def test_what_was_decided_before_stands_and_is_told_again() -> None:
    bench = Bench()
    event = replace(authorised(token="tok_sample_closed"), replay="replay-1")
    transaction = Transaction.from_event(event)
    posted = Outcome.of(
        replace(event, replay=None),
        OutcomeState.POSTED,
        "TransactionPosted",
        transaction.content_hash,
        NOON,
        {
            "source": "visa",
            "kind": "purchase",
            "amount": transaction.amount.to_data(),
            "billing": transaction.billing.to_data(),
            "posting_id": transaction.transaction_id,
            "ledger": "dynamodb",
            "entries": [],
            "content_hash": transaction.content_hash,
        },
    )
    bench.outcomes.decide(posted)
    step = build(bench.accounts, bench.merchants, bench.velocity, bench.outcomes, lambda: NOON)
    [result] = step([event])
    assert result == Emit((posted.announcement(replay="replay-1"),))
    assert isinstance(result, Emit)
    assert result.events[0].replay == "replay-1"
    assert bench.outcomes.find(event.transaction_id) == posted


def test_a_redelivery_is_enriched_with_the_same_facts_as_before() -> None:
    bench = Bench()
    events = [authorised(transaction_id=f"visa-{n}") for n in range(3)]
    first = bench.run(*events)
    assert [event.data["facts"]["velocity_count"] for event in first] == [1, 2, 3]
    assert bench.run(*reversed(events)) == first[::-1]


@pytest.mark.parametrize("name", ["refund", "partial-reversal"])
def test_what_gives_money_back_makes_nobodys_card_look_busy(name: str) -> None:
    bench = Bench()
    (enriched,) = bench.run(authorised(name))
    assert enriched.data["facts"]["velocity_count"] == 0
    assert bench.velocity.counted == {}


@pytest.mark.parametrize("name", ["conflict", "suspected-duplicate"])
def test_suspicion_is_carried_on_to_the_rules(name: str) -> None:
    event = authorised(name)
    (enriched,) = Bench().run(event)
    flags = {"duplicate_of", "conflict_with"} & set(event.data)
    assert flags
    assert all(enriched.data[flag] == event.data[flag] for flag in flags)


def test_a_directory_that_does_not_answer_rejects_nobody() -> None:
    for away in ("accounts", "merchants"):
        bench = Bench()
        getattr(bench, away).away = True
        with pytest.raises(Unavailable):
            bench.run(authorised())
        assert bench.outcomes.find("visa-A10001") is None


# -- the deployed function ---------------------------------------------------------------------------------


def message(event: Event, number: int) -> dict[str, Any]:
    body = {"detail-type": event.type, "source": "postbus.inbound", "detail": event.to_detail()}
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def test_the_deployed_function_enriches_rejects_and_parks_each_message_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
        settings = deploy()
        for name, value in settings.items():
            monkeypatch.setenv(f"POSTBUS_{name}", value)
        batch: list[Mapping[str, Any]] = [
            message(authorised(transaction_id="visa-1"), 1),
            message(authorised(transaction_id="visa-2", token="tok_sample_closed"), 2),
            {**message(authorised(), 3), "body": "not an event"},
            message(authorised(transaction_id="visa-4", token="tok_broken"), 4),
            message(authorised(transaction_id="visa-5"), 5),
        ]
        assert queue_function(bind)({"Records": batch}, None) == {"batchItemFailures": []}
        sqs = boto3.client("sqs")
        told = sqs.receive_message(QueueUrl=settings["TEST_QUEUE"], MaxNumberOfMessages=10)["Messages"]
        types = {
            body["detail"]["metadata"]["transaction_id"]: body["detail-type"]
            for body in (json.loads(one["Body"]) for one in told)
        }
        assert types == {
            "visa-1": "TransactionEnriched",
            "visa-2": "TransactionRejected",
            "visa-5": "TransactionEnriched",
        }
        parked = sqs.receive_message(
            QueueUrl=settings["DEAD_LETTER_QUEUE_URL"], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )["Messages"]
        reasons = sorted(one["MessageAttributes"]["reason"]["StringValue"] for one in parked)
        assert len(reasons) == 2
        assert "account.currency" in reasons[0]
        assert "JSON" in reasons[1]
    client.cache_clear()


def deploy() -> dict[str, str]:
    """The function's tables, queues and bus on moto, and its settings."""
    dynamodb, sqs, events = boto3.client("dynamodb"), boto3.client("sqs"), boto3.client("events")
    tables = {
        "accounts": "token",
        "merchants": "merchant_id",
        "claims": "claim_key",
        "ledger": "transaction_id",
    }
    for name, key in tables.items():
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    DynamoDbRecords(dynamodb, "accounts").write(
        [{**one, "token": token} for token, one in KNOWN.items()]
        + [{"token": "tok_broken", "account_id": "x", "status": "open"}]
    )
    DynamoDbRecords(dynamodb, "merchants").write(merchants())
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("enrich", "dead", "told")}
    events.create_event_bus(Name="bus")
    events.put_rule(Name="all", EventBusName="bus", EventPattern='{"source": [{"prefix": "postbus"}]}')
    arn = sqs.get_queue_attributes(QueueUrl=urls["told"], AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "told", "Arn": arn}])
    return {
        "BUS": "bus",
        "QUEUE_URL": urls["enrich"],
        "DEAD_LETTER_QUEUE_URL": urls["dead"],
        "TEST_QUEUE": urls["told"],
        **{f"{name.upper()}_TABLE": name for name in tables},
    }


@pytest.mark.parametrize("before", [None, "blocked", "closed"])
def test_no_rejection_rests_on_a_read_that_is_behind(before: str | None) -> None:
    bench = Bench()
    record = bench.accounts.records.pop("tok_EUR")
    bench.accounts.changed = {"tok_EUR": record}
    if before is not None:
        bench.accounts.records["tok_EUR"] = {**record, "status": before}
    (event,) = bench.run(authorised())
    assert event.type == "TransactionEnriched"
    assert bench.accounts.asked == 2


def test_an_account_that_is_open_is_read_once() -> None:
    bench = Bench()
    bench.run(authorised())
    assert bench.accounts.asked == 1
