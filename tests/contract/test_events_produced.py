"""A varied day through every step in memory: whatever a step says is as the catalogue says."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from docs.generate import reached
from postbus.adapters.record_schemas import record_schema
from postbus.adapters.rules_folder import packaged
from postbus.adapters.zen_rules import ZenRuleEngine
from postbus.domain import card_numbers, release, sample
from postbus.domain.duplicates import Claim
from postbus.domain.event import Event
from postbus.domain.inbound import RecordSchema, source_named
from postbus.domain.lifecycle import FACTS, State, state_of
from postbus.domain.money import Money
from postbus.domain.posting import PostingInstruction
from postbus.domain.steps import Emit
from postbus.functions.check_conversion import handler as check_conversion
from postbus.functions.deduplicate import handler as deduplicate
from postbus.functions.enrich import handler as enrich
from postbus.functions.evaluate_rules import handler as evaluate_rules
from postbus.functions.generate_visa.handler import record_of
from postbus.ports import Settled
from tests.contract.conformance import EVENTS, assert_message_conforms
from tests.fakes.ledger import Books, InMemoryLedger, InMemoryOutcomes

MORNING = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
REGION = "eu-west-1"


class Lists:
    """Reference data, and nothing else, by key."""

    def __init__(self, items: Sequence[Mapping[str, Any]], key: str) -> None:
        self._items = {str(item[key]): item for item in items}

    def find(self, keys: Sequence[str], consistent: bool = False) -> Mapping[str, Mapping[str, Any]]:
        return {key: self._items[key] for key in keys if key in self._items}


class Claims:
    """Whoever comes first has it, for ever."""

    def __init__(self) -> None:
        self._standing: dict[str, Claim] = {}

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        return [self._standing.setdefault(claim.key, claim) for claim in wanted]


class Velocity:
    def count(self, token: str, transaction_id: str, at: datetime) -> int:
        return 1


@dataclass
class Parked:
    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    def park(self, body: Mapping[str, Any], reason: str) -> None:
        self.bodies.append(body)


class Path:
    """The steps, joined by the deployed routes instead of a bus; every message is checked on its way."""

    command = release.Command(
        "arn:aws:sts::000000000000:assumed-role/on-duty/jansen (calls themselves j.jansen)", "Seen.", MORNING
    )

    def __init__(self) -> None:
        self.books = books = Books()
        self.outcomes = outcomes = InMemoryOutcomes(books)
        rates = Lists(sample.rates(), "pair")
        self._ledger = InMemoryLedger(books)
        for account in sample.NAMED_ACCOUNTS:
            key = f"{account['account_id']}#{account['currency']}#000"
            books.balances[key] = books.available[key] = sample.OPENING_BALANCE.minor
        self.parked, self.messages = Parked(), list[dict[str, Any]]()
        self._claims = Claims()
        self._accounts = Lists(sample.accounts(), "token")
        self._enrich = enrich.build(
            self._accounts,
            Lists(sample.merchants(), "merchant_id"),
            Velocity(),
            outcomes,
            lambda: MORNING,
        )
        self._check = check_conversion.build(rates)
        ruleset = packaged()
        self._engine = ZenRuleEngine(lambda: ruleset)
        self._judge = evaluate_rules.build(self._engine, outcomes, "bus", lambda: MORNING)

    def enter(self, source: str, records: Sequence[Mapping[str, Any]]) -> None:
        known = source_named(source)
        step = deduplicate.build(
            known,
            RecordSchema(record_schema(source)),
            self._claims,
            self.parked,
            lambda: MORNING,
            timedelta(days=1),
        )
        for record in records:
            image = {name: {"S": value} for name, value in record.items()}
            keys = {known.key: image[known.key]}
            change = {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image}}
            for detail in step([change]):
                self.publish(Event.from_detail("TransactionAuthorized", detail))

    def release(self, transaction_id: str) -> release.NotReleasable | None:
        """What ``postbus hold release`` does, every finding waived."""
        held = self.outcomes.find(transaction_id)
        assert held is not None
        token = held.data["transaction"]["account_token"]
        enriched = release.examine(held, self._accounts.find([token]).get(token), None)
        assert isinstance(enriched, dict)
        evaluation = self._engine.evaluate(release.facts(held, enriched))
        waived = [finding.id for finding in release.holding(held, evaluation)]
        wanted = release.release(held, enriched, evaluation, waived, self.command)
        if isinstance(wanted, release.NotReleasable):
            return wanted
        for event in release.announcements(self.outcomes.decide(wanted)):
            self.publish(event)
        return None

    def refuse(self, transaction_id: str) -> None:
        held = self.outcomes.find(transaction_id)
        assert held is not None
        self.publish(self.outcomes.decide(release.refuse(held, self.command)).announcement())

    def publish(self, event: Event) -> None:
        message = {"source": FACTS[event.type].source, "detail-type": event.type, "detail": event.to_detail()}
        assert_message_conforms(message)
        assert list(card_numbers.places(message)) == []
        self.messages.append(message)
        for route in reached(message):
            for answer in self.take(route, message):
                self.publish(answer)

    def take(self, route: str, message: dict[str, Any]) -> Sequence[Event]:
        event = Event.from_bus(message)
        match route:
            case "enrich":
                [result] = self._enrich([event])
                assert isinstance(result, Emit)
                return result.events
            case "business-rules":
                converted = event.data["facts"]["converted"]
                check = self._check(message) if converted else None
                entries = self._judge({"message": message, "conversion": check})["entries"]
                return [Event.from_bus(from_entry(entry)) for entry in entries]
            case "posting":
                [answer] = self._ledger.post([PostingInstruction.from_event(event, MORNING)])
                assert isinstance(answer, Settled)
                return [outcome.announcement(event.replay) for outcome in answer.outcomes]
            case _:
                return []


def from_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
    }


@pytest.fixture(scope="module")
def day() -> tuple[Path, list[sample.CardPayment]]:
    options = {"count": 100, "seed": 11, "reversal_rate": 0.05}
    mix = sample.Mix.from_options(options, MORNING)
    made = sample.payments(mix, random.Random(mix.seed))
    path = Path()
    deliver(path, made)
    return path, made


def deliver(path: Path, made: Sequence[sample.CardPayment]) -> None:
    path.enter("visa", [record_of(payment, REGION) for payment in made])
    path.enter("credit_transfers", sample.transfers(20, 11, MORNING, REGION))


def test_the_day_was_varied_enough_to_mean_something(day: tuple[Path, Any]) -> None:
    told = {message["detail-type"] for message in day[0].messages}
    assert told >= FACTS.keys() - {"TransactionReleased", "TransactionVoided", "TransactionPostingFailed"}


def test_the_day_ends_as_its_maker_foresaw(day: tuple[Path, list[sample.CardPayment]]) -> None:
    path, made = day
    ends = [state for name, state in states(path).items() if name.startswith("visa-")]
    foreseen = sample.expectation(made)
    assert ends.count(State.POSTED) == foreseen["posted"] + len(foreseen["reversals"])
    assert ends.count(State.HELD) == foreseen["held"]
    assert ends.count(State.REJECTED) == foreseen["rejected"]
    assert len(path.parked.bodies) == foreseen["quarantined"]


def test_what_is_posted_is_what_was_authorised(day: tuple[Path, Any]) -> None:
    authorised = {
        message["detail"]["metadata"]["transaction_id"]: message["detail"]["data"]["transaction"]
        for message in day[0].messages
        if message["detail-type"] == "TransactionAuthorized"
    }
    accounts = {account["token"]: account["account_id"] for account in sample.accounts()}
    posted = [
        message["detail"] for message in day[0].messages if message["detail-type"] == "TransactionPosted"
    ]
    assert len(posted) > 60
    for detail in posted:
        transaction, data = authorised[detail["metadata"]["transaction_id"]], detail["data"]
        assert {name: data[name] for name in ("kind", "amount", "billing", "content_hash")} == {
            name: transaction[name] for name in ("kind", "amount", "billing", "content_hash")
        }
        own = [
            entry for entry in data["entries"] if entry["account"] == accounts[transaction["account_token"]]
        ]
        [booked] = [
            Money.from_data({"amount": entry["amount"], "currency": entry["currency"]}) for entry in own
        ]
        assert booked == Money.from_data(transaction["billing"])


def ids(path: Path) -> set[str]:
    return {message["detail"]["metadata"]["event_id"] for message in path.messages}


def test_the_whole_day_delivered_again_says_the_same_and_books_nothing(
    day: tuple[Path, list[sample.CardPayment]],
) -> None:
    path, made = day
    said, balances, count = ids(path), dict(path.books.balances), len(path.messages)
    deliver(path, made)
    assert len(path.messages) > count
    assert ids(path) == said
    assert path.books.balances == balances


def test_the_whole_archive_replayed_marks_what_follows_and_books_nothing(day: tuple[Path, Any]) -> None:
    path, _ = day
    archived = {
        message["detail"]["metadata"]["event_id"]: message
        for message in path.messages
        if "archive" in reached(message)
    }
    said, balances, count = ids(path), dict(path.books.balances), len(path.messages)
    for message in archived.values():
        path.publish(Event.from_bus({**message, "replay-name": "again"}))
    followed = path.messages[count:]
    assert len(followed) > len(archived)
    assert {message["detail"]["metadata"]["replay"] for message in followed} == {"again"}
    assert not any({"archive", "audit", "notify-outcomes"} & set(reached(message)) for message in followed)
    assert ids(path) == said
    assert path.books.balances == balances


def test_an_operator_s_word_is_as_the_catalogue_says() -> None:
    path = Path()
    first, again, third = purchase("A1"), purchase("A2"), purchase("A3")
    path.enter("visa", [first, again, third])
    assert states(path) == {"visa-A1": State.POSTED, "visa-A2": State.HELD, "visa-A3": State.HELD}
    assert path.release("visa-A2") is None
    path.refuse("visa-A3")
    assert states(path) == {"visa-A1": State.POSTED, "visa-A2": State.POSTED, "visa-A3": State.VOIDED}


def test_a_conflict_is_held_and_cannot_be_released() -> None:
    path = Path()
    path.enter("visa", [purchase("A1"), purchase("A1", transaction_amount="1300")])
    [conflict] = [name for name, state in states(path).items() if state is State.HELD]
    assert conflict.startswith("visa-A1.conflict-")
    assert path.release(conflict) is not None
    path.refuse(conflict)
    assert states(path)[conflict] is State.VOIDED


def test_what_the_ledger_refuses_or_holds_is_as_the_catalogue_says() -> None:
    path = Path()
    [transfer] = sample.transfers(1, 1, MORNING, REGION)
    path.books.available["current-anna#EUR#000"] = int(transfer["instructed_amount"]) - 1
    path.enter("credit_transfers", [transfer])
    path.enter(
        "visa",
        [
            reversal("A2", "A1"),  # before its original
            purchase("A1"),
            reversal("A4", "A3", replacement_amount="300"),  # of a part, before its original
            purchase("A3", retrieval_reference_number="607309000003"),
            reversal("A5", "A3", transaction_amount="1301"),  # of more than there is
        ],
    )
    assert states(path) == {
        f"credit_transfers-{transfer['transfer']}": State.FAILED,
        "visa-A1": State.VOIDED,
        "visa-A2": State.VOIDED,
        "visa-A3": State.POSTED,
        "visa-A4": State.HELD,
        "visa-A5": State.FAILED,
    }
    assert path.release("visa-A4") is None
    assert states(path)["visa-A4"] is State.POSTED


def test_a_part_of_a_foreign_payment_held_for_coming_too_soon_can_be_released() -> None:
    path = Path()
    foreign = {
        "transaction_currency": "USD",
        "cardholder_billing_amount": "1150",
        "cardholder_billing_currency": "EUR",
        "cardholder_billing_conversion_rate": "0.92",
        "transaction_amount": "1250",
    }
    part = {"replacement_amount": "250", "replacement_billing_amount": "230"}
    path.enter("visa", [reversal("A2", "A1", **foreign, **part), purchase("A1", **foreign)])
    assert states(path) == {"visa-A1": State.POSTED, "visa-A2": State.HELD}
    assert path.release("visa-A2") is None
    assert states(path)["visa-A2"] is State.POSTED


def states(path: Path) -> dict[str, State | None]:
    types: dict[str, set[str]] = {}
    for message in path.messages:
        transaction_id = message["detail"]["metadata"]["transaction_id"]
        types.setdefault(transaction_id, set()).add(message["detail-type"])
    return {transaction_id: state_of(told) for transaction_id, told in types.items()}


def purchase(auth: str, **changes: str) -> dict[str, str]:
    record: dict[str, str] = json.loads((EVENTS / "records/visa/v1/examples/purchase.json").read_text())
    return {**record, "auth": auth, "pan_token": "tok_sample_anna", "home_region": REGION, **changes}


def reversal(auth: str, original: str, **changes: str) -> dict[str, str]:
    return purchase(auth, message_type="0420", original_auth=original, **changes)
