"""Add the account, the merchant and the facts that the rules need.

TransactionAuthorized v1  ->  TransactionEnriched v1 | TransactionRejected v1
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postbus.domain import enrichment
from postbus.domain.enrichment import Enriched, Rejection
from postbus.domain.event import Event, parse_time
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.steps import Emit, Result, Step
from postbus.domain.transaction import Transaction
from postbus.ports import Clock, Directory, Outcomes, VelocityCounter
from postbus.runtime.entry import queue_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(
    accounts: Directory, merchants: Directory, velocity: VelocityCounter, outcomes: Outcomes, clock: Clock
) -> Step:
    """Bind the step to its ports."""

    def enrich(events: Sequence[Event]) -> Sequence[Result]:
        transactions = [Transaction.from_event(event) for event in events]
        known_accounts = accounts.find([token for t in transactions for token in tokens_of(t)])
        known_merchants = merchants.find([t.merchant_id for t in transactions if t.merchant_id])

        def one(event: Event, transaction: Transaction) -> Result:
            velocity_count = counted(transaction)

            def decided(known: Mapping[str, Mapping[str, Any]]) -> Enriched | Rejection:
                return enrichment.decide(
                    transaction,
                    account=known.get(transaction.account_token),
                    counterparty=known.get(transaction.counterparty_token or ""),
                    merchant=known_merchants.get(transaction.merchant_id or ""),
                    velocity_count=velocity_count,
                )

            decision = decided(known_accounts)
            if isinstance(decision, Rejection):
                # It is final: it must not rest on a read that may be older than the account's last change.
                decision = decided(accounts.find(tokens_of(transaction), consistent=True))
            if isinstance(decision, Rejection):
                return Emit((rejected(event, transaction, decision),))
            return Emit((event.then("TransactionEnriched", clock(), {**event.data, **decision.data}),))

        return [one(event, transaction) for event, transaction in zip(events, transactions, strict=True)]

    def tokens_of(transaction: Transaction) -> list[str]:
        return [token for token in (transaction.account_token, transaction.counterparty_token) if token]

    def counted(transaction: Transaction) -> int:
        if transaction.kind not in enrichment.COUNTED_KINDS:
            return 0
        at = parse_time(transaction.transmitted_at, "transaction.transmitted_at")
        return velocity.count(transaction.account_token, transaction.transaction_id, at)

    def rejected(event: Event, transaction: Transaction, rejection: Rejection) -> Event:
        """Decide first, then announce: what stands, which may be another decision made before."""
        wanted = Outcome.of(
            event,
            OutcomeState.VOIDED,
            "TransactionRejected",
            transaction.content_hash,
            clock(),
            rejection.to_data(transaction),
        )
        return outcomes.decide(wanted).announcement(replay=event.replay)

    return enrich


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_directory import DynamoDbDirectory
    from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
    from postbus.adapters.dynamodb_velocity import DynamoDbVelocity
    from postbus.runtime.clients import client, now

    dynamodb = client("dynamodb")
    return build(
        DynamoDbDirectory(dynamodb, config.text("ACCOUNTS_TABLE"), "token"),
        DynamoDbDirectory(dynamodb, config.text("MERCHANTS_TABLE"), "merchant_id"),
        DynamoDbVelocity(dynamodb, config.text("CLAIMS_TABLE")),
        DynamoDbOutcomes(dynamodb, config.text("LEDGER_TABLE")),
        now,
    )


lambda_handler = queue_function(bind)
