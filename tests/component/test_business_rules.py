"""The workflow's two functions: through their ports with fakes, and through their entry points on moto."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.rules_folder import packaged
from postbus.adapters.zen_rules import ZenRuleEngine
from postbus.domain import rules
from postbus.domain.errors import Malformed, Unavailable
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.rules import Evaluation, Finding, Severity
from postbus.functions.check_conversion import handler as check_conversion
from postbus.functions.evaluate_rules import handler as evaluate_rules
from postbus.runtime.entry import task_function
from tests.contract.conformance import assert_message_conforms
from tests.fakes.inbound import InMemoryDirectory
from tests.fakes.ledger import Books, InMemoryOutcomes

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[2] / "events" / "TransactionEnriched" / "v1" / "examples"
RULESET = packaged()
ENGINE = ZenRuleEngine(lambda: RULESET)

Message = dict[str, Any]


def enriched(name: str = "purchase", replay: str | None = None, **changes: Any) -> Message:
    """A TransactionEnriched message off the bus, with changes to its data."""
    message: Message = json.loads((EXAMPLES / f"{name}.json").read_text())
    message["detail"]["data"] |= changes
    return message | ({"replay-name": replay} if replay else {})


def amount(minor: int) -> dict[str, Any]:
    transaction = enriched()["detail"]["data"]["transaction"]
    money = {"amount": str(minor), "currency": "EUR"}
    return {"transaction": {**transaction, "amount": money, "billing": money}}


@dataclass
class Bench:
    """Both tasks with fakes behind their ports, run as the workflow does."""

    books: Books = field(default_factory=Books)
    rates: InMemoryDirectory = field(
        default_factory=lambda: InMemoryDirectory({"USD/EUR": {"pair": "USD/EUR", "rate": "0.9213"}})
    )

    @property
    def outcomes(self) -> InMemoryOutcomes:
        return InMemoryOutcomes(self.books)

    def judge(self, message: Message, at: datetime = NOON) -> dict[str, Message]:
        """What the workflow announces, by type."""
        check = check_conversion.build(self.rates)
        evaluate = evaluate_rules.build(ENGINE, self.outcomes, "bus", lambda: at)
        converted = message["detail"]["data"]["facts"]["converted"]
        task = {"message": message, "conversion": check(message) if converted else None}
        return announced(evaluate(json.loads(json.dumps(task))))


def announced(answer: Mapping[str, Any]) -> dict[str, Message]:
    """Read finished PutEvents entries as whoever is subscribed would."""
    messages = {}
    for entry in json.loads(json.dumps(answer))["entries"]:
        assert entry["EventBusName"] == "bus"
        message = {
            "source": entry["Source"],
            "detail-type": entry["DetailType"],
            "detail": json.loads(entry["Detail"]),
        }
        assert_message_conforms(message)
        messages[entry["DetailType"]] = message
    assert len(messages) == len(answer["entries"])
    return messages


def found(message: Message) -> set[str]:
    data = message["detail"]["data"]
    return {finding["id"] for finding in data.get("findings", data.get("decision", {}).get("findings"))}


def ids(messages: Mapping[str, Message]) -> dict[str, str]:
    return {type: message["detail"]["metadata"]["event_id"] for type, message in messages.items()}


def test_an_ordinary_purchase_is_approved_and_nothing_is_written() -> None:
    bench = Bench()
    messages = bench.judge(enriched())
    assert list(messages) == ["TransactionPostingApproved"]
    assert found(messages["TransactionPostingApproved"]) == set()
    assert not bench.books.stored


def test_a_foreign_withdrawal_is_approved_with_remarks_after_its_conversion_was_checked() -> None:
    messages = Bench().judge(enriched("foreign-atm-withdrawal"))
    assert set(messages) == {
        "ForeignTransactionFound",
        "CurrencyConversionTransactionFound",
        "TransactionPostingApproved",
    }
    assert found(messages["TransactionPostingApproved"]) == {"foreign", "conversion-within-tolerance"}


@pytest.mark.parametrize(
    ("rate", "finding"),
    [
        ("0.9000", "conversion-off"),
        ("abc", "conversion-rate-unusable"),
        (None, "conversion-rate-unusable"),
        ("", "conversion-rate-missing"),
    ],
)
def test_a_conversion_that_cannot_be_confirmed_is_held(rate: str | None, finding: str) -> None:
    bench = Bench()
    bench.rates.records = {} if rate == "" else {"USD/EUR": {"pair": "USD/EUR", "rate": rate}}
    messages = bench.judge(enriched("foreign-atm-withdrawal"))
    assert finding in found(messages["TransactionHeld"])
    assert "TransactionPostingApproved" not in messages
    assert "CurrencyConversionTransactionFound" in messages


def test_a_rate_table_that_does_not_answer_is_no_missing_rate() -> None:
    bench = Bench()
    bench.rates.away = True
    with pytest.raises(Unavailable):
        bench.judge(enriched("foreign-atm-withdrawal"))


def test_a_suspected_duplicate_is_held_whatever_else_is_fine() -> None:
    bench = Bench()
    messages = bench.judge(enriched(duplicate_of="visa-A1"))
    assert found(messages["TransactionHeld"]) == {"suspected-duplicate"}
    stored = bench.outcomes.find("visa-A10001")
    assert stored is not None
    assert stored.state is OutcomeState.HELD
    assert stored.context is not None
    assert stored.context["trace"] == {
        "suspicion": [{"row": "duplicate", "by": {"suspected_duplicate": True, "conflict": False}}]
    }


def test_a_refusing_rule_outweighs_a_holding_one() -> None:
    account = {**enriched()["detail"]["data"]["account"], "holds": ["LEGAL"]}
    messages = Bench().judge(enriched(account=account, duplicate_of="visa-A1"))
    assert list(messages) == ["TransactionRejected"]
    assert found(messages["TransactionRejected"]) == {"account-legal-hold", "suspected-duplicate"}


@pytest.mark.parametrize("changes", [{}, {"duplicate_of": "visa-A1"}, amount(1_000_001)])
def test_the_same_message_again_leads_to_the_same_events(changes: dict[str, Any]) -> None:
    bench = Bench()
    first = bench.judge(enriched(**changes))
    again = bench.judge(enriched(**changes), at=NOON.replace(hour=18))
    assert ids(again) == ids(first)


def test_a_hold_is_announced_word_for_word_as_it_was_decided() -> None:
    bench = Bench()
    first = bench.judge(enriched(duplicate_of="visa-A1"))
    again = bench.judge(enriched(duplicate_of="visa-A1"), at=NOON.replace(hour=18))
    assert again == first


@pytest.mark.parametrize("name", ["derived-from-a-replay", "purchase"])
def test_an_approval_that_comes_of_a_replay_says_so(name: str) -> None:
    (approved,) = Bench().judge(enriched(name, replay="nightly")).values()
    assert approved["detail"]["metadata"]["replay"] == "nightly"


def test_a_hold_is_news_in_the_replay_it_is_decided_in_and_says_so_in_the_next() -> None:
    bench = Bench()
    (first,) = bench.judge(enriched(replay="nightly", duplicate_of="visa-A1")).values()
    (again,) = bench.judge(enriched(replay="weekly", duplicate_of="visa-A1")).values()
    assert "replay" not in first["detail"]["metadata"]
    assert again["detail"]["metadata"]["replay"] == "weekly"


def decided(bench: Bench, state: OutcomeState, type: str) -> Outcome:
    """The transaction's outcome as somebody else decided it before."""
    outcome = Outcome(
        transaction_id="visa-A10001",
        state=state,
        event_type=type,
        content_hash=enriched()["detail"]["data"]["transaction"]["content_hash"],
        correlation_id="c",
        causation_id="d",
        decided_at=NOON,
        data={"by": "somebody else"},
        context={} if state is OutcomeState.HELD else None,
    )
    bench.books.write(outcome)
    return outcome


@pytest.mark.parametrize(
    ("state", "type"),
    [
        (OutcomeState.HELD, "TransactionHeld"),
        (OutcomeState.RELEASED, "TransactionPostingApproved"),
        (OutcomeState.SENDING, "TransactionPostingApproved"),
        (OutcomeState.POSTED, "TransactionPosted"),
        (OutcomeState.VOIDED, "TransactionVoided"),
    ],
)
@pytest.mark.parametrize("holds", [["FRAUD_REVIEW"], ["LEGAL"]], ids=["held", "rejected"])
def test_judged_again_by_stricter_rules_what_was_decided_stands_and_is_announced(
    state: OutcomeState, type: str, holds: list[str]
) -> None:
    bench = Bench()
    standing = decided(bench, state, type)
    account = {**enriched()["detail"]["data"]["account"], "holds": holds}
    evaluate = evaluate_rules.build(ENGINE, bench.outcomes, "bus", lambda: NOON)
    answer = evaluate({"message": enriched(account=account), "conversion": None})
    (entry,) = answer["entries"]
    assert entry["DetailType"] == type
    assert json.loads(entry["Detail"]) == standing.announcement().to_detail()
    assert bench.outcomes.find("visa-A10001") == standing


class NothingFound:
    """A ruleset that finds nothing in anything, or only what it is given."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings

    def evaluate(self, _facts: Mapping[str, Any]) -> Evaluation:
        return Evaluation(self.findings, "r-blind")


@pytest.mark.parametrize("said", [(), (replace(rules.CONFLICT, severity=Severity.WARN),)], ids=["", "warned"])
def test_a_conflict_is_held_and_not_releasable_whatever_the_ruleset_in_force_says(
    said: tuple[Finding, ...],
) -> None:
    bench = Bench()
    evaluate = evaluate_rules.build(NothingFound(*said), bench.outcomes, "bus", lambda: NOON)
    messages = announced(evaluate({"message": enriched(conflict_with="visa-A1"), "conversion": None}))
    assert list(messages) == ["TransactionHeld"]
    assert found(messages["TransactionHeld"]) == {"conflict"}
    assert messages["TransactionHeld"]["detail"]["data"]["releasable"] is False
    held = bench.outcomes.find("visa-A10001")
    assert held is not None
    assert held.state is OutcomeState.HELD


@pytest.mark.parametrize(
    ("changes", "then", "finding"),
    [
        ({"duplicate_of": "visa-A1"}, "TransactionHeld", "suspected-duplicate"),
        ({"account": {"holds": ["FRAUD_REVIEW"]}}, "TransactionHeld", "account-hold"),
        ({"account": {"holds": ["LEGAL"]}}, "TransactionRejected", "account-legal-hold"),
        ({"account": {"status": "blocked"}}, "TransactionRejected", "account-not-open"),
        ({"account": {"status": "closed"}}, "TransactionRejected", "account-not-open"),
    ],
)
def test_what_no_ruleset_may_let_through_stands_against_it_under_one_that_finds_nothing(
    changes: dict[str, Any], then: str, finding: str
) -> None:
    if "account" in changes:
        changes = {"account": enriched()["detail"]["data"]["account"] | changes["account"]}
    evaluate = evaluate_rules.build(NothingFound(), Bench().outcomes, "bus", lambda: NOON)
    messages = announced(evaluate({"message": enriched(**changes), "conversion": None}))
    assert list(messages) == [then]
    assert found(messages[then]) == {finding}


def test_outcomes_that_do_not_answer_announce_nothing() -> None:
    bench = Bench()
    bench.books.away = True
    with pytest.raises(Unavailable):
        bench.judge(enriched(duplicate_of="visa-A1"))


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (None, "message and conversion"),
        ({}, "an EventBridge message"),
        ({"message": {"detail-type": "TransactionEnriched"}}, "detail"),
        ({"message": enriched(account=None)}, "account"),
        ({"message": enriched("foreign-atm-withdrawal")}, "conversion"),
        ({"message": enriched(), "conversion": {"status": "fine"}}, "conversion.status"),
    ],
)
def test_a_task_that_is_none_names_what_was_expected(task: Any, named: str) -> None:
    evaluate = evaluate_rules.build(ENGINE, InMemoryOutcomes(Books()), "bus", lambda: NOON)
    with pytest.raises(Malformed, match=named):
        evaluate(task)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions' tables and bucket on moto, and their settings."""
    from postbus.runtime.clients import client

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    names = {"BUS": "bus", "LEDGER_TABLE": "ledger", "RATES_TABLE": "rates", "RULESETS_BUCKET": "rulesets"}
    settings |= {f"POSTBUS_{name}": value for name, value in names.items()}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client.cache_clear()
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        for table, key in (("ledger", "transaction_id"), ("rates", "pair")):
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        dynamodb.put_item(TableName="rates", Item={"pair": {"S": "USD/EUR"}, "rate": {"S": "0.9213"}})
        s3.create_bucket(Bucket="rulesets", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield
    client.cache_clear()


@pytest.mark.usefixtures("deployed")
def test_the_deployed_functions_judge_a_foreign_withdrawal() -> None:
    message = enriched("foreign-atm-withdrawal")
    conversion = task_function(check_conversion.bind)(message, None)
    assert conversion == {
        "status": "checked",
        "pair": "USD/EUR",
        "rate": "0.9213",
        "deviation_basis_points": 0,
    }
    answer = task_function(evaluate_rules.bind)({"message": message, "conversion": conversion}, None)
    approved = announced(answer)["TransactionPostingApproved"]
    assert approved["detail"]["data"]["decision"]["ruleset"] == RULESET.version


@pytest.mark.usefixtures("deployed")
def test_the_deployed_function_keeps_a_hold_before_it_announces_it() -> None:
    evaluate = task_function(evaluate_rules.bind)
    task = {"message": enriched(duplicate_of="visa-A1"), "conversion": None}
    first = evaluate(task, None)
    item = boto3.client("dynamodb").get_item(TableName="ledger", Key={"transaction_id": {"S": "visa-A10001"}})
    assert item["Item"]["state"] == {"S": "HELD"}
    assert evaluate(task, None) == first


@pytest.mark.usefixtures("deployed")
def test_the_deployed_functions_answer_what_is_to_be_parked_and_why() -> None:
    message = enriched("foreign-atm-withdrawal", transaction=None)
    for answer in (
        task_function(check_conversion.bind)(message, None),
        task_function(evaluate_rules.bind)({"message": message, "conversion": None}, None),
    ):
        assert answer == {"park": "Malformed: transaction: an object"}


@pytest.mark.usefixtures("deployed")
def test_the_deployed_function_judges_nothing_by_a_damaged_ruleset() -> None:
    pointer = {"version": "r000000000000", "action": "publish", "by": "x", "reason": "x", "at": "x"}
    s3 = boto3.client("s3")
    body = json.dumps({**pointer, "previous": None}).encode()
    s3.put_object(Bucket="rulesets", Key="rulesets/current.json", Body=body)
    s3.put_object(Bucket="rulesets", Key="rulesets/r000000000000.json", Body=b"{}")
    answer = task_function(evaluate_rules.bind)({"message": enriched(), "conversion": None}, None)
    assert answer["park"].startswith("InvariantBroken: ruleset r000000000000 is damaged")


@pytest.mark.usefixtures("deployed")
def test_the_deployed_function_fails_when_its_rules_cannot_be_read() -> None:
    s3 = boto3.client("s3")
    s3.delete_bucket(Bucket="rulesets")
    with pytest.raises(Exception, match="NoSuchBucket"):
        task_function(evaluate_rules.bind)({"message": enriched(), "conversion": None}, None)
