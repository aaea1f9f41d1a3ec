"""What a test of the ledger sees: the two ports and the balances behind them."""

from dataclasses import dataclass
from typing import Any, Protocol

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account
from postbus.domain.settlement import SetAside
from postbus.ports import Settled
from tests.fakes.approvals import NOON, instruction
from tests.fakes.ledger import Books, InMemoryLedger, InMemoryOutcomes


def create_tables(client: Any, ledger: str = "ledger", balances: str = "balances") -> None:
    """The tables as deployed, without what a test does not need."""
    client.create_table(
        TableName=ledger,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("transaction_id", "attention", "decided_at")
        ],
        KeySchema=[{"AttributeName": "transaction_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "attention",
                "KeySchema": [
                    {"AttributeName": "attention", "KeyType": "HASH"},
                    {"AttributeName": "decided_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    client.create_table(
        TableName=balances,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "balance_key", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "balance_key", "KeyType": "HASH"}],
    )


class World(Protocol):
    """A ledger with its outcomes, and a look at the balances."""

    @property
    def ledger(self) -> DynamoDbLedger | InMemoryLedger: ...
    @property
    def outcomes(self) -> DynamoDbOutcomes | InMemoryOutcomes: ...

    def rows(self) -> dict[str, tuple[int, int]]:
        """Balance and available amount in minor units, by balance key."""
        ...


def balance(world: World, account_id: str, currency: str = "EUR") -> int:
    """Over all shards."""
    start = f"{account_id}#{currency}#"
    return sum(minor for key, (minor, _) in world.rows().items() if key.startswith(start))


def available(world: World, account: Account) -> int:
    return world.rows()[f"{account.account_id}#{account.currency}#000"][1]


def trial(world: World) -> dict[str, int]:
    """The sum of all balances by currency."""
    sums: dict[str, int] = {}
    for key, (minor, _) in world.rows().items():
        currency = key.split("#")[1]
        sums[currency] = sums.get(currency, 0) + minor
    return sums


def post(world: World, *args: Any, **details: Any) -> Outcome:
    """Post one approval and return its own outcome."""
    return outcomes(world, *args, **details)[0]


def outcomes(world: World, *args: Any, **details: Any) -> tuple[Outcome, ...]:
    (answer,) = world.ledger.post([instruction(*args, **details)])
    assert isinstance(answer, Settled), answer
    return answer.outcomes


def hold(world: World, auth: str, **details: Any) -> Outcome:
    """Hold what the approval would post, as the rules do."""
    held = instruction(auth, **details)
    data = {
        "transaction": held.transaction.to_data(),
        "findings": [{"id": "high-amount", "code": "HIGH_AMOUNT", "severity": "hold", "text": "high"}],
        "ruleset": "2026-03-01.1",
        "releasable": True,
    }
    content, context = held.transaction.content_hash, {"transaction": held.transaction.to_data()}
    return world.outcomes.decide(
        Outcome.of(held.cause, OutcomeState.HELD, "TransactionHeld", content, NOON, data, context)
    )


def release(world: World, auth: str, **details: Any) -> Outcome:
    """Release it, as an operator does."""
    released = instruction(auth, **details)
    return world.outcomes.decide(
        Outcome.of(released.cause, OutcomeState.RELEASED, "TransactionPostingApproved",
                   released.transaction.content_hash, NOON, dict(released.cause.data))
    )  # fmt: skip


def refuse(world: World, auth: str, code: str = "REFUSED_BY_OPERATOR", **details: Any) -> Outcome:
    """Refuse what is held, as an operator does."""
    refused = instruction(auth, **details)
    data = {"transaction": refused.transaction.to_data(), "operator": "op-7",
            "reason": {"code": code, "text": "not ours"}}  # fmt: skip
    return world.outcomes.decide(
        Outcome.of(refused.cause, OutcomeState.VOIDED, "TransactionVoided", refused.transaction.content_hash,
                   NOON, data)
    )  # fmt: skip


def cancel(world: World, auth: str, **details: Any) -> Outcome:
    """Cancel whatever is not posted yet, as an operator does."""
    return refuse(world, auth, "CANCELLED", **details)


def fund(world: World, account: Account, minor: int) -> None:
    world.ledger.fund(account, Money(minor, account.currency), f"funding-{account.account_id}", NOON)


def earmark(world: World, auth: str, account: Account, minor: int) -> bool:
    """Whether money is set aside for a transaction."""
    name = f"visa-{auth}"
    return world.ledger.earmark(account, {name: Money(minor, account.currency)})[name] is SetAside.DONE


@dataclass(frozen=True, slots=True)
class InMemoryWorld:
    ledger: InMemoryLedger
    outcomes: InMemoryOutcomes
    books: Books

    def rows(self) -> dict[str, tuple[int, int]]:
        return {key: (minor, self.books.available[key]) for key, minor in self.books.balances.items()}


@dataclass(frozen=True, slots=True)
class TableWorld:
    ledger: DynamoDbLedger
    outcomes: DynamoDbOutcomes
    client: Any

    def rows(self) -> dict[str, tuple[int, int]]:
        return {
            item["balance_key"]["S"]: (int(item["balance_minor"]["N"]), int(item["available_minor"]["N"]))
            for item in self.items("balances")
        }

    def items(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.scan(TableName=table, ConsistentRead=True)["Items"]
        return found

    def item(self, auth: str) -> dict[str, Any]:
        key = {"transaction_id": {"S": f"visa-{auth}"}}
        found: dict[str, Any] = self.client.get_item(TableName="ledger", Key=key)["Item"]
        return found
